"""Passkeys in a real browser, with an authenticator that its developer tools make."""
import re

import pytest

from authenticator import add_authenticator
from console import barriers, fill, follow, press, says, titled


@pytest.fixture
def keys(organization, browse):
    """A page of an owner with one passkey; its browser holds it. Gives page, authenticator and recovery codes."""
    page = browse(organization.owner, "/console/passkeys")
    authenticator = add_authenticator(page)
    press(page, "Add a passkey")
    titled(page, "Your recovery codes")
    codes = page.locator("ol.codes code").all_inner_texts()
    follow(page, "I have stored them")
    return page, authenticator, codes


def test_a_passkey_is_added_and_signs_in(organization, keys):
    page, authenticator, codes = keys
    assert len(codes) == len(set(codes)) == 10
    says(page, "10 of 10 are left")
    says(page, "Not used yet")
    assert len(authenticator.passkeys()) == 1
    page.context.clear_cookies()
    page.goto("/console/passkeys")
    press(page, "Continue with a passkey")
    page.wait_for_url("**/console/passkeys")
    page.locator("ul.rows li").first.wait_for()
    assert page.get_by_text("Not used yet").count() == 0


def test_a_passkey_is_renamed_and_removed(organization, keys, browse):
    page, authenticator, codes = keys
    page.locator("ul.rows summary").click()
    follow(page, "Rename")
    fill(page, name="Blue laptop")
    press(page, "Save")
    says(page, "Blue laptop")
    page.locator("ul.rows summary").click()
    follow(page, "Remove")
    says(page, "your recovery codes go with it")
    press(page, "Remove")
    says(page, "Add your first passkey")
    # The device still has it, and it signs nobody in.
    page.context.clear_cookies()
    page.goto("/console/sign-in")
    press(page, "Continue with a passkey")
    says(page, "This passkey does not work here")
    page.goto("/console/sign-in/recovery-code")
    fill(page, code=codes[0])
    press(page, "Sign in")
    says(page, "This code is not right, or it was used.")


def test_a_recovery_code_signs_in_once(organization, keys, browse, script):
    _, _, codes = keys
    page = browse(to="/console/sign-in/recovery-code", script=script)
    fill(page, code=codes[3])
    press(page, "Sign in")
    titled(page, organization.name)
    page.goto("/console/passkeys")
    says(page, "9 of 10 are left")
    other = browse(to="/console/sign-in/recovery-code", script=script)
    fill(other, code=codes[3])
    press(other, "Sign in")
    says(other, "This code is not right, or it was used.")


def test_a_passkey_without_its_person_is_refused(keys):
    """The authenticator does not recognize the person: the browser refuses before the server is asked."""
    page, authenticator, _ = keys
    authenticator.verify(False)
    page.context.clear_cookies()
    page.goto("/console/sign-in")
    press(page, "Continue with a passkey")
    says(page, "That did not work, or was cancelled.")
    assert page.get_by_role("button", name="Continue with a passkey").is_enabled()


def test_a_device_has_one_passkey_of_a_person(keys):
    page, authenticator, _ = keys
    press(page, "Add a passkey")
    says(page, "That did not work, or was cancelled.")
    assert len(authenticator.passkeys()) == 1


def test_an_organization_that_requires_a_passkey_is_hidden_from_codes(console, organization, keys, browse):
    page, _, _ = keys
    page.context.clear_cookies()
    page.goto("/console/sign-in")
    press(page, "Continue with a passkey")
    titled(page, organization.name)
    page.goto(f"{organization.path}/sign-in")
    press(page, "Require a passkey")
    says(page, "A passkey is required.")
    analyst = organization.add("Analyst")
    theirs = browse(to="/console/sign-in")
    fill(theirs, email=analyst)
    press(theirs, "Send me a code")
    fill(theirs, code=console.mails.code(analyst))
    press(theirs, "Sign in")
    says(theirs, "1 more: confirm with a passkey to see them.")
    theirs.goto(organization.path)
    titled(theirs, "Page not found")


def test_a_step_asks_for_a_fresh_proof_by_the_passkey(old_proof, browse):
    organization = old_proof.organization()
    page = browse(organization.owner, "/console/passkeys", at=old_proof)
    add_authenticator(page)
    press(page, "Add a passkey")
    titled(page, "Your recovery codes")
    def secret():
        return [one["value"] for one in page.context.cookies() if one["name"] == "__Host-tenantry_session"]

    before = secret()
    old_proof.age()
    page.goto(f"{organization.path}/tokens")
    follow(page, "Create token")
    titled(page, "Please confirm that it is you")
    assert barriers(page) == []
    # A person with a passkey is not asked for a mail.
    assert page.get_by_role("button", name="Send me a code").count() == 0
    press(page, "Confirm with a passkey")
    titled(page, "Create token")
    assert len(before) == 1 and secret() != before
    fill(page, label="billing")
    page.get_by_label("Read customers").check()
    press(page, "Create token")
    titled(page, "The secret of billing")


def test_a_step_asks_a_person_without_a_passkey_for_a_code(old_proof, browse, script):
    organization = old_proof.organization()
    page = browse(organization.owner, at=old_proof, script=script)
    old_proof.age()
    for path in ("tokens/new", "team/transfer", "delete"):
        page.goto(f"{organization.path}/{path}")
        titled(page, "Please confirm that it is you")
    assert not script or barriers(page) == []
    press(page, "Send me a code")
    assert not script or barriers(page) == []
    fill(page, code=old_proof.mails.code(organization.owner))
    press(page, "Confirm")
    page.wait_for_url(re.compile(r"/delete$"))
    titled(page, "Delete the organization")
