"""The account of a person: which mails it gets, and proofs of the person without a passkey at hand."""
import re

from authenticator import add_authenticator
from console import fill, press, says, titled


def test_a_notice_is_switched_off_by_keyboard(organization, browse, script):
    page = browse(organization.owner, "/console/notices", script=script)
    says(page, "cannot be switched off")
    boxes = page.get_by_role("checkbox")
    assert [box.is_checked() for box in boxes.all()] == [True, True]
    boxes.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    says(page, "Saved.")
    assert [box.is_checked() for box in boxes.all()] == [False, True]


def test_a_form_goes_on_after_a_proof_by_a_recovery_code(old_proof, browse, script):
    organization = old_proof.organization()
    # A passkey needs script, the recovery codes that come with it do not.
    first = browse(organization.owner, "/console/passkeys", at=old_proof)
    add_authenticator(first)
    press(first, "Add a passkey")
    titled(first, "Your recovery codes")
    codes = first.locator("ol.codes code").all_inner_texts()
    page = browse(organization.owner, at=old_proof, script=script)
    old_proof.age()
    page.goto(f"{organization.path}/team/invite")
    fill(page, addresses="jordan@example.com")
    page.get_by_label("Administrator").check()
    press(page, "Send invitations")
    says(page, "What you entered is kept")
    press(page, "No passkey at hand? Use a recovery code")
    titled(page, "Use a recovery code")
    fill(page, code="0000-0000-0000-0000")
    press(page, "Confirm")
    says(page, "This code is not right")
    fill(page, code=codes[0])
    press(page, "Confirm")
    says(page, "1 person is invited")
    assert re.search(r"/team/invite$", page.url)
