"""The portal in a real browser: each page for each kind of visitor, each way in, each switch, and frames."""
import re

import pytest

from console import Browsers, barriers, fill, follow, press, says, titled
from portal import CLOSED, PAGES, SECTIONS, SIGNED_OUT, Portal, portal_settings
from test_attacks import foreign  # noqa: F401, the fixture
from test_screens import CONTROLS, TEXTS, TOO_WIDE

NARROW = 320
# The links of the navigation that a narrow window cuts off.
CUT_OFF = """[...document.querySelectorAll('header nav a')].filter(link => {
    const box = link.getBoundingClientRect();
    return box.left < 0 || box.right > document.documentElement.clientWidth;
}).map(link => link.textContent)"""
# Texts that are the same in both languages, and data.
SAME = {"English", "Deutsch", "Team", "Name", "Code", "Person"}


@pytest.fixture(scope="module")
def portal(console):
    return Portal(console, color="#e4572e")


@pytest.fixture
def own_portal(console):
    """A portal whose settings a test changes."""
    return Portal(console)


@pytest.mark.parametrize("who", PAGES)
def test_each_visitor_sees_the_pages_that_are_open_to_them(portal, browse, script, who):
    page = portal.open(browse, who, script=script)
    says(page, portal.addresses[who])
    for path in PAGES[who]:
        assert page.goto(portal.path(path)).status == 200, path
    for path in CLOSED[who]:
        assert page.goto(portal.path(path)).status == 403, path
        titled(page, "This is not open to you")
    page.goto(portal.home)
    shown = page.locator("header nav a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert set(shown) == {portal.path(path) for path in PAGES[who] if path.count("/") < 2}


def every_page(portal, browse, look, **options):
    """Looks at each page for each visitor, and at those without a session."""
    page = browse(**options)
    for path in SIGNED_OUT:
        page.goto(portal.path(path))
        look(page, f"signed out {path}")
    for who, paths in PAGES.items():
        page = portal.open(browse, who, **options)
        for path in paths:
            page.goto(portal.path(path))
            look(page, f"{who} {path}")
    page.goto(portal.path("/email"))
    fill(page, email="nowhere")
    page.locator("main form button").first.click()
    page.locator("#email-wrong").wait_for()
    look(page, "faults")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(portal, browse, scheme):
    found = {}
    every_page(portal, browse, lambda page, name: found.update({name: barriers(page)}), scheme=scheme)
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("color", ["#ffd400", "#101018", "#f4f4f4"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read(own_portal, browse, scheme, color):
    own_portal.settings(color=color)
    page = browse(scheme=scheme)
    page.goto(f"{own_portal.home}/sign-in")
    assert barriers(page) == []
    page = own_portal.open(browse, "owner", scheme=scheme)
    page.goto(own_portal.path("/team"))
    assert barriers(page) == []


def test_no_page_is_wider_than_a_small_telephone_nor_out_of_reach_of_a_keyboard(portal, browse):
    wide, unreached, cut = {}, {}, {}

    def look(page, name):
        wide[name] = page.evaluate(TOO_WIDE)
        cut[name] = page.evaluate(CUT_OFF)
        controls = page.evaluate(CONTROLS)
        for _ in range(len(controls) + 2):
            page.keyboard.press("Tab")
        reached = {str(key): visible for key, visible in page.evaluate("window.reached")}
        unreached[name] = [html for key, html in controls if not reached.get(str(key))]

    every_page(portal, browse, look, width=NARROW, height=640)
    assert {name: found for name, found in wide.items() if found} == {}
    assert {name: found for name, found in cut.items() if found} == {}
    assert {name: found for name, found in unreached.items() if found} == {}


def test_no_page_has_an_english_word_in_german(portal, browse):
    texts = {"en-GB": {}, "de-AT": {}}
    for language, found in texts.items():
        every_page(portal, browse, lambda page, name, found=found: found.update({name: set(page.evaluate(TEXTS))}),
                   language=language)
    data = {portal.organization.name, "Birchwood Bikes", "Ada Lovelace", "Noor Haddad", "Kim Berg"}

    def is_data(text):
        return text in SAME or any(name in text for name in data) or re.search(r"\S+@\S+", text) or not re.search(
            r"[A-Za-zß-ü]{3}", text)

    both = {name: sorted(text for text in shown & texts["de-AT"][name] if not is_data(text))
            for name, shown in texts["en-GB"].items()}
    # Names of countries and German words that English has as well.
    countries = {name for name, shown in both.items() if "/billing" in name}
    assert {name: shown for name, shown in both.items() if shown and name not in countries} == {}


def test_a_member_signs_in_by_a_mailed_code_and_out(portal, browse, script):
    page = browse(script=script)
    page.goto(portal.home)
    titled(page, "Sign in")
    portal.sign_in(page, portal.addresses["member"])
    titled(page, "Hello Kim Berg")
    press(page, "Sign out")
    says(page, "You are signed out.")
    page.goto(portal.path("/sessions"))
    titled(page, "Sign in")


def test_a_wrong_code_says_so_and_an_unknown_address_says_nothing(portal, browse):
    page = browse()
    page.goto(portal.path("/sign-in"))
    fill(page, email=portal.new_address())
    press(page, "Send me a code")
    titled(page, "Enter the code")
    fill(page, code="AAAAAA")
    press(page, "Sign in")
    says(page, "This code")


def test_one_address_of_two_customers_chooses(own_portal, browse, script):
    address = own_portal.addresses["single"]
    own_portal.organization.call("POST", f"/v1/customers/{own_portal.team}/members", {"email": address})
    page = browse(script=script)
    own_portal.sign_in(page, address)
    titled(page, "For whom?")
    press(page, "Birchwood Bikes Member")
    says(page, "Birchwood Bikes")
    own_portal.sign_in(page, address)
    page.get_by_role("button", name="Ada Lovelace").click()
    titled(page, "Hello Ada Lovelace")


def test_the_link_of_a_session_opens_the_portal_and_leaves_no_secret(portal, browse, script):
    page = browse(script=script)
    seen = []
    page.on("request", lambda request: seen.append((request.url, request.headers.get("referer", ""))))
    link = portal.link("owner", return_url="https://product.example/account")
    token = re.search(r"customer_session_token=([^&]+)", link).group(1)
    page.goto(link)
    if not script:
        press(page, "Continue")
    titled(page, "Hello Birchwood Bikes")
    assert token not in page.url
    back = page.get_by_role("link", name=f"Back to {portal.organization.name}")
    assert back.get_attribute("href") == "https://product.example/account"
    page.goto(portal.path("/billing"))
    assert [referrer for _, referrer in seen if token in referrer] == []
    # Only the link itself holds the secret.
    assert {url for url, _ in seen if token in url} == {link}
    if script:
        page.go_back()
        page.go_back()
        assert token not in page.url
    # In the fragment of an address, no server sees it.
    fresh = browse(script=script)
    fresh.goto(f"{portal.home}/session#customer_session_token={portal.session('member')['token']}")
    if not script:
        fill(fresh, customer_session_token=portal.session("member")["token"])
    press(fresh, "Continue")
    titled(fresh, "Hello Kim Berg")


def test_a_link_for_somebody_else_asks_first(portal, browse):
    page = portal.open(browse, "owner")
    page.goto(portal.link("member"))
    says(page, f"You are signed in as {portal.addresses['owner']}")
    press(page, "Continue")
    titled(page, "Hello Kim Berg")


def test_sessions_that_ended_lead_to_the_sign_in(own_portal, browse, script):
    page = own_portal.open(browse, "member", script=script)
    link = own_portal.link("member")
    token = re.search(r"customer_session_token=([^&]+)", link).group(1)
    own_portal.organization.call("DELETE", f"/v1/members/{own_portal.members['member']}")
    page.goto(own_portal.path("/sessions"))
    says(page, "Your session has ended.")
    assert page.goto(link).status == 422
    titled(page, "This link no longer works")
    follow(page, "Sign in")
    titled(page, "Sign in")
    assert page.goto(f"{own_portal.home}?customer_session_token={token[:-1]}x").status == 422


def test_an_expired_session_leads_to_the_sign_in(old_proof, browse, script):
    portal = Portal(old_proof)
    page = portal.open(browse, "owner", at=old_proof, script=script)
    link = portal.link("owner")
    old_proof.age("UPDATE customer_sessions SET expires_at = expires_at - 3600000000")
    page.goto(portal.path("/billing"))
    says(page, "Your session has ended.")
    assert page.goto(link).status == 422
    titled(page, "This link no longer works")


def test_a_person_ends_another_session(portal, browse, script):
    one, two = portal.open(browse, "single", script=script), portal.open(browse, "single", script=script)
    one.goto(portal.path("/sessions"))
    while one.get_by_role("button", name="End", exact=True).count():
        press(one, "End")
        says(one, "The session has ended.")
    two.goto(portal.home)
    says(two, "Your session has ended.")
    one.goto(portal.home)
    titled(one, "Hello Ada Lovelace")


def test_billing_details_are_changed(portal, browse, script):
    page = portal.open(browse, "billing_manager", script=script)
    page.goto(portal.path("/billing"))
    fill(page, line1="Main Street 1", city="Springfield", state="Bavaria")
    page.get_by_label("Country").select_option("US")
    press(page, "Save")
    says(page, "enter a state such as NY")
    assert page.locator("[name=line1]").input_value() == "Main Street 1"
    fill(page, state="il")
    press(page, "Save")
    says(page, "Saved.")
    page.goto(portal.home)
    says(page, "Main Street 1, Springfield, US-IL, US")


def test_an_address_is_changed_by_the_link_of_a_mail(own_portal, browse, script):
    page = own_portal.open(browse, "single", script=script)
    page.goto(own_portal.path("/email"))
    address = own_portal.new_address()
    fill(page, email=address)
    press(page, "Send the mail")
    says(page, "Look into your mailbox")
    link = re.search(r"http://\S+/email-update#token=(\S+)", own_portal.console.mails.next(address))
    assert link.group().startswith(f"{own_portal.console.url}{own_portal.home}/")
    # Programs that open the link use nothing up.
    for _ in range(2):
        elsewhere = browse(script=script)
        elsewhere.goto(link.group())
    if not script:
        fill(elsewhere, token=link.group(1))
    press(elsewhere, "Confirm")
    titled(elsewhere, "Hello Ada Lovelace")
    says(elsewhere, address)
    page.goto(own_portal.home)
    says(page, "Your session has ended.")
    again = browse(script=script)
    again.goto(link.group())
    if not script:
        fill(again, token=link.group(1))
    press(again, "Confirm")
    says(again, "ask for another mail")


def test_a_team_is_managed_and_handed_over(own_portal, browse, script):
    page = own_portal.open(browse, "owner", script=script)
    follow(page, "Team")
    follow(page, "Add a person")
    address = own_portal.new_address()
    fill(page, email=address, name="Mika Sand")
    page.get_by_label("Billing manager").check()
    press(page, "Add a person")
    says(page, "Created.")
    row = page.locator("tr", has_text="Kim Berg")
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    fill(page, confirm="somebody")
    press(page, "Remove")
    says(page, "This is not the name above.")
    fill(page, confirm=own_portal.addresses["member"])
    press(page, "Remove")
    says(page, "Removed.")
    row = page.locator("tr", has_text="Mika Sand")
    row.locator("summary").click()
    row.get_by_role("link", name="Hand over the account").click()
    fill(page, confirm=address)
    press(page, "Hand over the account")
    says(page, "Saved.")
    row = page.locator("tr", has_text=own_portal.addresses["owner"])
    assert "Billing manager" in row.inner_text() and "you" in row.inner_text()
    assert page.goto(own_portal.path(f"/team/{own_portal.members['billing_manager']}/owner")).status == 403
    # The new member signs in by a mailed code.
    theirs = browse(script=script)
    own_portal.sign_in(theirs, address)
    titled(theirs, "Hello Mika Sand")
    says(theirs, "Owner")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_is_off_is_not_there(own_portal, browse, section):
    page = own_portal.open(browse, "owner")
    link = page.locator(f"header nav a[href='{own_portal.path(SECTIONS[section])}']")
    assert link.count() == 1
    own_portal.settings(sections={section: False, "add_members": False})
    assert page.goto(own_portal.path(SECTIONS[section])).status == 403
    page.goto(own_portal.home)
    assert link.count() == 0


def test_adding_people_is_switched_off(own_portal, browse):
    page = own_portal.open(browse, "owner")
    page.goto(own_portal.path("/team/add"))
    own_portal.settings(sections={"add_members": False})
    fill(page, email=own_portal.new_address())
    press(page, "Add a person")
    titled(page, "This is not open to you")
    page.goto(own_portal.path("/team"))
    assert page.get_by_role("link", name="Add a person").count() == 0


def test_the_change_of_address_and_the_sign_in_are_switched_off(own_portal, browse):
    page = own_portal.open(browse, "single")
    own_portal.change({"customer_portal_settings": portal_settings(False)})
    own_portal.settings(sections={"sign_in": False})
    assert page.goto(own_portal.path("/email")).status == 403
    assert browse().goto(own_portal.path("/sign-in")).status == 403
    assert own_portal.open(browse, "single").get_by_role("link", name="Change").count() == 1


def framed(page, site, foreign, src):  # noqa: F811
    """Opens a page of another site with a frame, and returns the frame once it has loaded."""
    foreign.pages["/frame"] = (f"<!doctype html><link rel='icon' href='data:,'><title>Product</title>"
                               f"<iframe title='Portal' width='900' height='700' src='{src}'></iframe>")
    page.goto(f"{site}/frame")
    return page.frame_locator("iframe")


@pytest.mark.parametrize("way", ["link", "code"])
def test_a_listed_site_embeds_the_portal(own_portal, browse, foreign, script, way):  # noqa: F811
    own_portal.change({"embed_hosts": [f"127.0.0.1:{foreign.port}"]})
    page = browse(others=(foreign.url,), script=script)
    base = own_portal.console.url
    if way == "link":
        frame = framed(page, foreign.url, foreign, own_portal.link("member").replace("&", "&amp;"))
        if not script:
            frame.get_by_role("button", name="Continue").click()
    else:
        frame = framed(page, foreign.url, foreign, f"{base}{own_portal.home}")
        frame.locator("[name=email]").fill(own_portal.addresses["member"])
        frame.get_by_role("button", name="Send me a code").click()
        frame.locator("[name=code]").fill(own_portal.code(own_portal.addresses["member"]))
        frame.get_by_role("button", name="Sign in").click()
    frame.get_by_role("heading", level=1, name="Hello Kim Berg").wait_for()
    frame.get_by_role("link", name="Sessions").click()
    frame.get_by_role("heading", level=1, name="Sessions").wait_for()
    session = [one for one in page.context.cookies() if "_portal_framed_" in one["name"]]
    assert len(session) == 1 and session[0]["sameSite"] == "None" and session[0]["httpOnly"]
    # The session is that of the frames in this site: a window of its own has none.
    window = page.context.new_page()
    window.goto(f"{base}{own_portal.home}")
    titled(window, "Sign in")
    frame.get_by_role("button", name="Sign out").first.click()
    frame.get_by_role("heading", level=1, name="Sign in").wait_for()


def test_an_unlisted_site_embeds_nothing(own_portal, browse, foreign):  # noqa: F811
    page = own_portal.open(browse, "owner", others=(foreign.url, foreign.same_host),
                           expected="frame-ancestors|ERR_BLOCKED_BY_RESPONSE")
    for hosts in ([], ["app.example.com", f"127.0.0.1:{foreign.port + 1}"]):
        own_portal.change({"embed_hosts": hosts})
        for path in ("", "/sign-in", "/team", "/session"):
            with page.expect_event("requestfailed") as failed:
                framed(page, foreign.url, foreign, f"{own_portal.console.url}{own_portal.home}{path}")
            assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE", path


def test_the_portal_is_set_up_in_the_console(console, own_portal, browse, script):
    organization = own_portal.organization
    page = browse(organization.owner, f"{organization.path}/settings", script=script)
    page.locator(f"a[href='{organization.path}/portal']").click()
    titled(page, "Customer portal")
    fill(page, color="blue", embed_hosts="https://app.example.com")
    press(page, "Save")
    says(page, "Enter a colour such as #0a7c4a.")
    says(page, "without https:// and path")
    fill(page, color="#7a1fa2", embed_hosts="app.example.com")
    press(page, "Preview")
    says(page, "Nothing is saved yet.")
    fills = page.locator(".preview .btn").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
    assert fills[0] == "rgb(122, 31, 162)" and fills[1] != fills[0]
    page.get_by_label("Billing details").uncheck()
    press(page, "Save")
    says(page, "Saved.")
    if script:
        assert barriers(page) == []
    theirs = own_portal.open(browse, "owner", script=script)
    assert theirs.locator("header nav a", has_text="Billing details").count() == 0
    button = theirs.locator(".mark").first
    assert button.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(122, 31, 162)"


def test_names_are_text_on_every_page(console, browse):
    evil = "<x-probe onfocus=alert(1) autofocus tabindex=1>\"'&{{7*7}}"
    portal = Portal(console)
    portal.change({"name": evil})
    portal.organization.call("PATCH", f"/v1/customers/{portal.team}", {"name": evil})
    portal.organization.call("PATCH", f"/v1/members/{portal.members['owner']}", {"name": evil})
    page = portal.open(browse, "owner")
    for path in [*PAGES["owner"], *SIGNED_OUT]:
        page.goto(portal.path(path))
        assert page.locator("x-probe").count() == 0, path
    page.goto(portal.home)
    assert page.get_by_text(evil).count() >= 3


def test_browsers_that_keep_no_cookie_are_told(portal, chromium, console):
    """A browser that takes no cookie in frames or at all is led to a window of its own."""
    with Browsers(chromium, console) as browse:
        page = browse()
        page.goto(f"{portal.home}?began=1")
        says(page, "did not keep the cookie")
        assert page.get_by_role("link", name="Open in a window of its own").get_attribute("target") == "_blank"
