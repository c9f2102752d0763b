"""Signing in by a mailed code, and the sessions that come of it."""
import re

import pytest
from playwright.sync_api import expect

from console import fill, follow, press, says, titled


def ask_for_code(page, address, script, path="/console/sign-in"):
    page.goto(path)
    fill(page, email=address)
    press(page, "Send me a code")
    titled(page, "Enter the code")
    if script:
        # The field is ready for the code.
        assert page.evaluate("document.activeElement.name") == "code"


def test_a_mailed_code_signs_in(console, organization, browse, script):
    page = browse(script=script)
    ask_for_code(page, organization.owner, script)
    fill(page, code=console.mails.code(organization.owner))
    press(page, "Sign in")
    titled(page, organization.name)


def test_a_code_works_in_its_browser_alone(console, organization, browse):
    page, other = browse(), browse()
    ask_for_code(page, organization.owner, True)
    code = console.mails.code(organization.owner)
    ask_for_code(other, f"nobody@{organization.slug}.example", True)
    fill(other, code=code)
    press(other, "Sign in")
    says(other, "This code is not right")
    fill(page, code=code)
    press(page, "Sign in")
    titled(page, organization.name)


def test_the_fifth_wrong_code_ends_the_right_one(console, organization, browse):
    page = browse()
    ask_for_code(page, organization.owner, True)
    code = console.mails.code(organization.owner)
    wrong = str((int(code) + 1) % 10**8).zfill(8)
    for _ in range(5):
        fill(page, code=wrong)
        press(page, "Sign in")
        page.get_by_text(re.compile("This code (is not right|no longer works)")).wait_for()
    fill(page, code=code)
    press(page, "Sign in")
    says(page, "This code no longer works")


def test_an_unknown_address_sees_the_same_pages(console, organization, browse):
    page, known = browse(), browse()
    ask_for_code(known, organization.owner, True)
    stranger = f"stranger@{organization.slug}.example"
    ask_for_code(page, stranger, True)
    shown = [re.sub(r"[0-9a-f]{16}", "", one.locator("main").inner_html()) for one in (page, known)]
    assert shown[0] == shown[1]
    console.mails.code(organization.owner)
    assert console.mails.count(stranger) == 0


def test_signing_out_ends_the_session(console, organization, browse, script):
    page = browse(organization.owner, script=script)
    cookie, = [one for one in page.context.cookies() if one["name"] == "__Host-tenantry_session"]
    page.locator("summary", has_text=organization.owner).click()
    press(page, "Sign out")
    says(page, "You are signed out.")
    page.go_back()
    page.goto(organization.path)
    titled(page, "Sign in")
    # The secret itself works no more.
    page.context.add_cookies([cookie])
    page.goto(organization.path)
    titled(page, "Sign in")


def test_a_session_is_ended_from_another_browser(organization, browse, script):
    here, there = browse(organization.owner, script=script), browse(organization.owner, script=script)
    here.goto("/console/sessions")
    assert here.locator("ul.rows li").count() == 2
    press(here, "End all others")
    expect(here.locator("ul.rows li")).to_have_count(1)
    there.goto(organization.path)
    titled(there, "Sign in")


@pytest.mark.parametrize("page_of", ["team", "customers/new", "settings"])
def test_a_sign_in_leads_to_the_page_that_was_asked_for(console, organization, browse, page_of):
    page = browse()
    page.goto(f"{organization.path}/{page_of}")
    titled(page, "Sign in")
    fill(page, email=organization.owner)
    press(page, "Send me a code")
    fill(page, code=console.mails.code(organization.owner))
    press(page, "Sign in")
    page.wait_for_url(f"**{organization.path}/{page_of}")


def test_a_language_is_chosen_and_kept(organization, browse, script):
    page = browse(script=script, to="/console/sign-in")
    follow(page, "Deutsch")
    titled(page, "Anmelden")
    page.goto("/console/recover")
    assert page.locator("html").get_attribute("lang") == "de"
    german = browse(script=script, language="de-AT", to="/console/sign-in")
    titled(german, "Anmelden")
