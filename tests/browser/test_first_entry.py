"""The first hour of an operator: the printed address, a passkey, a colleague and a token, without a document."""
import re
from pathlib import Path

import pytest
from harness import TemporaryServer

import clients
from authenticator import add_authenticator
from console import Console, enter, fill, follow, press, says, titled


@pytest.fixture
def first_start(tmp_path):
    """A server on an empty database, and the address that its first start prints."""
    mails = tmp_path / "mails"
    with TemporaryServer("--bootstrap", "true", "--mail", f"dir:{mails}") as server:
        printed = Path(server.key).with_suffix(".first-entry").read_text("utf-8")
        yield Console(server, mails), printed.strip()


def take_over(page, address, script):
    page.goto(address)
    titled(page, "Welcome to Tenantry")
    if script:
        # The secret is taken out of the address, and its field needs no eyes.
        assert not page.locator("[name=token]").is_visible()
        assert "#" not in page.url
    else:
        fill(page, token=address.partition("#")[2])
    fill(page, organization="Juniper Works", email="jane@juniper.example")
    page.locator("[name=name]").fill("Jane Doe")
    press(page, "Take over")
    titled(page, "Juniper Works")


def test_the_printed_address_makes_an_owner_once(first_start, browse, script):
    console, address = first_start
    page = browse(at=console, script=script)
    take_over(page, address, script)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Team").click()
    says(page, "jane@juniper.example")
    assert page.locator("tbody tr").count() == 1
    late = browse(at=console, script=script)
    late.goto(address)
    if not script:
        fill(late, token=address.partition("#")[2])
    fill(late, organization="Other Works", email="other@juniper.example")
    late.locator("[name=name]").fill("Other")
    press(late, "Take over")
    says(late, "used up or too old")


def test_a_form_with_faults_keeps_what_was_entered(first_start, browse, script):
    console, address = first_start
    page = browse(at=console, script=script)
    page.goto(address)
    if not script:
        fill(page, token=address.partition("#")[2])
    fill(page, organization="Juniper Works", email="nobody")
    press(page, "Take over")
    says(page, "Please check these fields")
    assert page.locator("[name=organization]").input_value() == "Juniper Works"
    # A link of the summary leads to its field.
    page.locator(".note-box a[href='#name']").click()
    page.locator("[name=name]").fill("Jane Doe")
    fill(page, email="jane@juniper.example")
    press(page, "Take over")
    titled(page, "Juniper Works")


def test_a_newcomer_gets_a_passkey_a_colleague_and_a_token(first_start, browse):
    console, address = first_start
    page = browse(at=console)
    add_authenticator(page)
    take_over(page, address, True)

    # Each step is offered on the way.
    follow(page, "Add a passkey")
    press(page, "Add a passkey")
    titled(page, "Your recovery codes")
    follow(page, "I have stored them")

    page.goto("/console")
    titled(page, "Juniper Works")
    follow(page, "Invite people")
    fill(page, addresses="jordan@juniper.example")
    press(page, "Send invitations")
    says(page, "1 person is invited")
    mail = console.mails.next("jordan@juniper.example")
    link = re.search(r"http://\S+/console/invitation#\S+", mail).group()
    jordan = browse(at=console)
    jordan.goto(link)
    press(jordan, "Show the invitation")
    says(jordan, "Join Juniper Works")

    page.goto("/console")
    titled(page, "Juniper Works")
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="API tokens").click()
    follow(page, "Create token")
    fill(page, label="billing")
    page.get_by_label("Everything").check()
    press(page, "Create token")
    token = page.locator(".secret code").inner_text()
    assert clients.customers_by_sdk(console.server, token) >= 0
    enter(browse(at=console), console, "jane@juniper.example")
