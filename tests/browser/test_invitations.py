"""Invitations, from sending to joining in another browser, and everything that can go wrong on the way."""
import re
import uuid

import pytest
from harness import eventually

from console import WAIT_SECONDS, enter, fill, follow, press, says, titled


@pytest.fixture
def newcomer():
    return f"jordan-{uuid.uuid4().hex[:8]}@example.com"


def open_link(page, token, script):
    """Opens an invitation by its link, as the mail has it."""
    page.goto("/console/invitation")  # so that the fragment alone does not count as the same page
    page.goto(f"/console/invitation?lang=en#{token}")
    if script:
        assert not page.locator("[name=token]").is_visible()
    else:
        fill(page, token=token)
    press(page, "Show the invitation")


def console_link(mail):
    """Returns the match of the link in the text of a mail. Its group is the secret."""
    return re.search(r"http://\S+/console/invitation#(\S+)", mail)


def sign_in(page, console, address):
    fill(page, email=address)
    press(page, "Send me a code")
    fill(page, code=console.mails.code(address))
    press(page, "Sign in")


def test_a_colleague_is_invited_and_joins(console, organization, browse, newcomer, script):
    page = browse(organization.owner, f"{organization.path}/team", script=script)
    follow(page, "Invite people")
    fill(page, addresses=f"{newcomer}, not an address")
    page.get_by_label("Analyst").check()
    press(page, "Send invitations")
    titled(page, "1 person is invited")
    says(page, "Not invited")
    link = console_link(console.mails.next(newcomer))

    theirs = browse(script=script)
    open_link(theirs, link.group(1), script)
    titled(theirs, f"Join {organization.name}")
    follow(theirs, "Sign in to accept")
    sign_in(theirs, console, newcomer)
    titled(theirs, "Invitations")
    press(theirs, "Accept")
    says(theirs, "Accepted.")
    follow(theirs, organization.name)
    titled(theirs, organization.name)

    page.goto(f"{organization.path}/team")
    says(page, newcomer)
    page.goto(f"{organization.path}/team/invitations")
    says(page, "Accepted")


def test_a_person_who_is_signed_in_accepts_by_the_link_once(console, organization, browse, newcomer, script):
    home = console.organization("Home", owner=newcomer)
    _, token = organization.invite(newcomer)
    page = browse(newcomer, script=script)
    open_link(page, token, script)
    press(page, "Accept")
    says(page, "Accepted.")
    says(page, home.name)
    # Again, it says what happened, and offers nothing.
    open_link(page, token, script)
    titled(page, "This invitation is accepted")
    assert page.get_by_role("button", name="Accept").count() == 0
    people = organization.call("GET", f"/v1/organizations/{organization.id}/members")
    assert sum(person["email"] == newcomer for person in people["items"]) == 1


def test_the_wrong_person_is_told_whom_the_invitation_is_for(console, organization, browse, newcomer, script):
    other = console.organization("Other")
    _, token = organization.invite(newcomer)
    page = browse(other.owner, script=script)
    open_link(page, token, script)
    says(page, "This invitation is for another address")
    says(page, other.owner)
    assert newcomer not in page.content()
    assert page.get_by_role("button", name="Accept").count() == 0
    press(page, "Sign out")
    says(page, "You are signed out.")
    page.goto(organization.path)
    titled(page, "Sign in")


def test_an_invitation_that_was_sent_again_has_one_link(organization, browse, newcomer, script):
    made, token = organization.invite(newcomer)
    path = f"/v1/organizations/{organization.id}/invitations/{made}"
    page = browse(script=script)
    open_link(page, token, script)
    titled(page, f"Join {organization.name}")
    organization.call("DELETE", path)
    open_link(page, token, script)
    titled(page, "This invitation was revoked")
    assert page.get_by_role("button", name="Decline").count() == 0
    _, newer = organization.invite(newcomer)
    assert newer != token
    open_link(page, newer, script)
    titled(page, f"Join {organization.name}")


def test_an_expired_invitation_says_whom_to_ask(organization, browse, newcomer, script):
    _, token = organization.invite(newcomer, expires_in="PT1S")
    lookup = {"token": token}
    eventually(lambda: organization.call("POST", "/v1/invitations/lookup", lookup)["status"] == "expired", WAIT_SECONDS,
               "the invitation expires")
    page = browse(script=script)
    open_link(page, token, script)
    titled(page, "This invitation has expired")
    says(page, "to send another one")


def test_an_invitation_of_an_administrator_goes_on_after_a_proof(old_proof, browse, newcomer, script):
    """Nothing that was entered is lost, and nothing is entered twice."""
    organization = old_proof.organization()
    page = browse(organization.owner, at=old_proof, script=script)
    old_proof.age()
    page.goto(f"{organization.path}/team/invite")
    fill(page, addresses=newcomer)
    page.get_by_label("Administrator").check()
    press(page, "Send invitations")
    titled(page, "Please confirm that it is you")
    says(page, "What you entered is kept")
    press(page, "Send me a code")
    fill(page, code="1")
    press(page, "Confirm")
    says(page, "This code is not right")
    fill(page, code=old_proof.mails.code(organization.owner))
    press(page, "Confirm")
    titled(page, "1 person is invited")
    assert console_link(old_proof.mails.next(newcomer))


def test_an_invitation_is_revoked_in_the_list(organization, browse, newcomer, script):
    _, token = organization.invite(newcomer)
    page = browse(organization.owner, f"{organization.path}/team/invitations", script=script)
    row = page.locator("tr", has_text=newcomer)
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke").click()
    says(page, "Revoked.")
    theirs = browse(script=script)
    open_link(theirs, token, script)
    titled(theirs, "This invitation was revoked")


def test_an_invitation_is_declined_without_a_session(organization, browse, newcomer, script):
    _, token = organization.invite(newcomer)
    page = browse(script=script)
    open_link(page, token, script)
    press(page, "Decline")
    titled(page, "This invitation is declined")
    enter(page, organization.console, organization.owner)
    page.goto(f"{organization.path}/team/invitations")
    says(page, "Declined")


def test_looking_at_a_link_uses_nothing_up(organization, browse, newcomer):
    """Programs open the links of mails, and some even press buttons."""
    _, token = organization.invite(newcomer)
    page = browse()
    for _ in range(3):
        open_link(page, token, True)
        titled(page, f"Join {organization.name}")
    assert organization.call("POST", "/v1/invitations/lookup", {"token": token})["status"] == "pending"


def test_an_unknown_link_says_what_may_have_happened(browse, script):
    page = browse(script=script)
    open_link(page, "tenantry_inv_nothing", script)
    says(page, "There is no such invitation")
