"""Customers: search and pages, also of many; a customer's life from its creation to the removal of its name."""
import csv
import os

import pytest

from console import fill, follow, press, says, titled

# An import sends some eleven statements for each row. PostgreSQL executes them in 0.3 ms, but each waits for its answer
# between two processes, so a row takes ten times as long as in SQLite, which is in the server's own process.
MANY = 10_000 if os.environ.get("TENANTRY_TEST_ENGINE") == "postgres" else 100_000
# The number of one customer. No other number contains it.
SOUGHT = "7" * (len(str(MANY)) - 1)
ROWS = 50
# Time for the import, on a machine that does much else.
IMPORT_SECONDS = 300


@pytest.fixture(scope="module")
def many(console, tmp_path_factory):
    """An organization with very many customers."""
    organization = console.organization("Many")
    file = tmp_path_factory.mktemp("many") / "customers.csv"
    with open(file, "w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["name", "email", "external_id"])
        rows.writerows((f"Customer {number}", f"c{number}@many.example", f"crm-{number}") for number in range(MANY))
    console.server.cli.run("import", "customers", str(file), "--organization", organization.slug,
                           seconds=IMPORT_SECONDS)
    return organization


def names(page):
    return page.locator("#list td.main a").all_inner_texts()


def search(page, text, script):
    """Enters a text into the search of a list. With script the list follows by itself."""
    page.locator("[name=query]").fill(text)
    if not script:
        press(page, "Filter")


def test_many_customers_are_searched_and_turned_over(many, browse, script):
    page = browse(many.owner, f"{many.path}/customers", script=script)
    says(page, f"{MANY:,} customers")
    assert len(names(page)) == ROWS
    first = names(page)
    follow(page, "Next")
    page.wait_for_url("**page=2*")
    assert len(names(page)) == ROWS and not set(names(page)) & set(first)
    follow(page, "Previous")
    says(page, first[0])
    page.goto(f"{many.path}/customers?page={MANY // ROWS}")
    assert len(names(page)) == ROWS
    page.goto(f"{many.path}/customers")
    for text in (f"c{SOUGHT}@many.example", f"customer {SOUGHT}"):
        search(page, text, script)
        page.get_by_text("1 customer", exact=True).wait_for()
        assert names(page) == [f"Customer {SOUGHT}"]
    search(page, "nobody at all", script)
    says(page, "No customer matches this search.")
    follow(page, "Clear filters")
    says(page, f"{MANY:,} customers")


def test_many_customers_are_ordered(many, browse):
    page = browse(many.owner, f"{many.path}/customers")
    page.get_by_label("Order").select_option("email")
    says(page, "c0@many.example")
    # The address of the page is that of the list, to be shared.
    page.wait_for_url("**sorting=email*")
    page.reload()
    assert names(page)[0] == "Customer 0"


def test_a_customer_is_created_changed_deleted_and_brought_back(organization, browse, script):
    page = browse(organization.owner, f"{organization.path}/customers", script=script)
    follow(page, "Add customer")
    fill(page, name="Ada", email="not an address")
    press(page, "Save")
    says(page, "Please check these fields")
    assert page.locator("[name=name]").input_value() == "Ada"
    page.locator("[name=kind][value=team]").check()
    fill(page, email=f"ada@{organization.slug}.example", metadata="plan = pro\nseats = 5")
    press(page, "Save")
    titled(page, "Ada")
    says(page, "Created.")
    follow(page, "Edit")
    fill(page, name="Ada & Söhne")
    press(page, "Save")
    titled(page, "Ada & Söhne")
    says(page, "seats = 5")

    follow(page, "Delete…")
    fill(page, confirm="Ada")
    press(page, "Delete the customer")
    says(page, "This is not the name above.")
    fill(page, confirm="ada & söhne")
    press(page, "Delete the customer")
    says(page, "It was a mistake?")
    assert page.locator("#list td.main").count() == 0
    press(page, "Bring it back")
    titled(page, "Ada & Söhne")
    says(page, "It is back.")


def test_a_customer_is_forgotten(organization, browse, script):
    customer = organization.customer("Ada Lovelace", email=f"ada@{organization.slug}.example")
    page = browse(organization.owner, f"{organization.path}/customers/{customer}", script=script)
    follow(page, "Forget…")
    says(page, "Nobody can take this back.")
    fill(page, confirm="Ada Lovelace")
    press(page, "Forget the customer")
    says(page, "Forgotten.")
    page.goto(f"{organization.path}/customers?query=ada")
    assert page.locator("#list td.main").count() == 0
    answer = page.goto(f"{organization.path}/customers/{customer}")
    assert answer.status == 404 or "Ada Lovelace" not in page.content()


def test_members_of_a_customer_are_added_changed_and_removed(organization, browse, script):
    customer = organization.customer("A team", type="team", email=f"head@{organization.slug}.example")
    page = browse(organization.owner, f"{organization.path}/customers/{customer}", script=script)
    follow(page, "Add member")
    fill(page, email="kim@example.com", name="Kim")
    page.get_by_label("Billing manager").check()
    press(page, "Add member")
    row = page.locator("tr", has_text="kim@example.com")
    assert "Billing manager" in row.inner_text()
    row.locator("summary").click()
    row.get_by_role("link", name="Edit").click()
    page.locator("input[name=role][value=member]").check()
    press(page, "Save")
    assert page.locator("tr", has_text="kim@example.com").locator(".tag").inner_text() == "Member"
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    fill(page, confirm="kim@example.com")
    press(page, "Remove")
    says(page, "Removed.")
    assert page.get_by_text("kim@example.com").count() == 0


def test_the_export_is_a_file_of_all_customers(organization, browse):
    organization.customer("Ada", email=f"ada@{organization.slug}.example")
    organization.customer("=1+1", email=f"formula@{organization.slug}.example")
    page = browse(organization.owner, f"{organization.path}/customers")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    text = open(download.value.path(), encoding="utf-8-sig").read()
    rows = list(csv.DictReader(text.splitlines()))
    assert sorted(row["Name"] for row in rows) == ["'=1+1", "Ada"]
