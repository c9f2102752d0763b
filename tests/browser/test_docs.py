"""The API reference at `/docs`: both dialects, every operation, tried out with a token."""
import json
import uuid

import pytest

METHODS = ("get", "put", "post", "delete", "patch")
DIALECTS = [("v1", "Polar"), ("v2", "AhaSend")]


@pytest.fixture(params=["light", "dark"])
def page(browse, request):
    return browse(scheme=request.param)


def open_reference(page, dialect, path="/docs"):
    page.goto(path)
    page.get_by_role("link", name=f"/{dialect}", exact=True).click()
    page.locator(f"#reference[data-dialect={dialect}]").wait_for()
    page.locator(".opblock").first.wait_for()


def operations(server, dialect):
    """Returns the method and path of each operation that the document of the dialect declares."""
    document = json.loads(server.connect().send("GET", f"/{dialect}/openapi.json").text)
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item if method in METHODS}


@pytest.mark.parametrize(("dialect", "title"), DIALECTS)
def test_the_reference_shows_every_operation(page, server, dialect, title):
    open_reference(page, dialect)
    assert title in page.locator(".info .title").inner_text()
    shown = page.locator(".opblock-summary").evaluate_all("""all => all.map(one => [
        one.querySelector('.opblock-summary-method').textContent,
        one.querySelector('[data-path]').dataset.path])""")
    assert {tuple(one) for one in shown} == operations(server, dialect)


@pytest.mark.parametrize("page", ["light"], indirect=True)
@pytest.mark.parametrize(("dialect", "path"), [("v1", "/v1/customers/export"), ("v1", "/v1/customers/{id}"),
                                               ("v2", "/v2/accounts/{account_id}/api-keys")])
def test_an_operation_opens_with_its_answers(page, dialect, path):
    """Opens each method of a path. The page fails the test when its console has a warning."""
    open_reference(page, dialect)
    blocks = page.locator(".opblock", has=page.locator(f"[data-path='{path}']"))
    for index in range(blocks.count()):
        block = blocks.nth(index)
        block.locator(".opblock-summary-control").click()
        block.locator(".responses-table .response-col_status").first.wait_for()
    assert blocks.count() > 0


def test_the_reference_answers_with_a_slash_at_the_end_of_its_path(page):
    open_reference(page, "v2", "/docs/")


def test_an_operation_can_be_tried_out(page, server):
    organization = server.cli.create_organization(f"docs-{uuid.uuid4().hex[:8]}", "Docs")
    token = server.cli.create_token(organization["id"])["token"]
    open_reference(page, "v2")
    page.locator(".authorize").first.click()
    page.locator(".auth-container input").fill(token)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()
    block = page.locator(".opblock", has=page.locator("[data-path='/v2/ping']"))
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    block.locator(".execute").click()
    answer = block.locator(".live-responses-table .response-col_status").last
    answer.wait_for()
    assert answer.inner_text().strip().startswith("200")
