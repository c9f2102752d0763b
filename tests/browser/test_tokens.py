"""API tokens: made in the console, used by the published client, revoked in the console."""
import re

from harness import eventually

import clients
from console import WAIT_SECONDS, fill, follow, press, says, titled


def test_a_token_is_made_used_and_revoked(console, organization, browse, script):
    organization.customer("Ada")
    page = browse(organization.owner, f"{organization.path}/tokens", script=script)
    follow(page, "Create token")
    fill(page, label="billing")
    page.get_by_label("Read customers").check()
    press(page, "Create token")
    titled(page, "The secret of billing")
    secret = page.locator(".secret code").inner_text()
    count = "/v1/customers/?limit=1"
    assert console.ask(secret, "GET", count).json()["pagination"]["total_count"] == 1
    # The example that the page shows works as it stands.
    assert f"Bearer {secret}" in page.locator("pre.code").first.inner_text()
    follow(page, "I have stored it")
    titled(page, "billing")
    assert secret not in page.content()

    page.locator("[name=overlap]").select_option("0")
    press(page, "Make a new secret")
    newer = page.locator(".secret code").inner_text()
    eventually(lambda: console.ask(secret, "GET", count).status == 401, WAIT_SECONDS, "the old secret is refused")
    assert console.ask(newer, "GET", count).status == 200

    follow(page, "I have stored it")
    follow(page, "Revoke…")
    fill(page, confirm="billing")
    press(page, "Revoke the token")
    says(page, "Revoked.")
    assert page.locator("td.main", has_text="billing").count() == 0
    eventually(lambda: console.ask(newer, "GET", count).status == 401, WAIT_SECONDS, "the token is refused")


def test_the_published_client_works_until_its_token_is_revoked(console, organization, browse):
    organization.customer("Ada")
    page = browse(organization.owner, f"{organization.path}/tokens/new")
    fill(page, label="client")
    page.get_by_label("Read customers").check()
    press(page, "Create token")
    secret = page.locator(".secret code").inner_text()
    assert clients.customers_by_sdk(console.server, secret) == 1
    follow(page, "I have stored it")
    follow(page, "Revoke…")
    fill(page, confirm="client")
    press(page, "Revoke the token")
    says(page, "Revoked.")
    eventually(lambda: console.ask(secret, "GET", "/v1/customers/").status == 401, WAIT_SECONDS, "the token is refused")
    ended = clients.run_sdk(console.server, secret)
    assert ended.returncode != 0 and "401" in ended.stderr


def test_a_token_has_the_chosen_scopes_and_networks_alone(console, organization, browse, script):
    page = browse(organization.owner, f"{organization.path}/tokens/new", script=script)
    press(page, "Create token")
    says(page, "Choose at least one scope.")
    fill(page, label="reader", networks="nowhere", more_scopes="members:read")
    press(page, "Create token")
    says(page, "Write one network a line")
    fill(page, networks="203.0.113.0/24")
    press(page, "Create token")
    secret = page.locator(".secret code").inner_text()
    # This machine is in no such network.
    assert console.ask(secret, "GET", "/v1/members/").status in (401, 403)
    follow(page, "I have stored it")
    follow(page, "Edit")
    fill(page, networks="127.0.0.0/8\n::1")
    press(page, "Save")
    says(page, "Saved.")
    eventually(lambda: console.ask(secret, "GET", "/v1/members/").status == 200, WAIT_SECONDS,
               "the token works from here")
    assert console.ask(secret, "GET", "/v1/customers/").status == 403


def test_a_call_of_a_page_is_copied(organization, browse):
    page = browse(organization.owner, f"{organization.path}/tokens")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("details.curl summary").click()
    page.locator("details.curl").get_by_role("button").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.match(r"curl .*/v1/organization-access-tokens", copied)
