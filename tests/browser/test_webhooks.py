"""Webhook endpoints: made in the console, tried out, and their failed deliveries sent again."""
import uuid

import pytest
from harness import eventually

from console import WAIT_SECONDS, fill, follow, press, says, titled


@pytest.fixture
def hook(receiver):
    """The URL of an endpoint of the receiver, whose answers have the status that `hook.status` says."""
    class Hook:
        path = f"/{uuid.uuid4().hex}"
        url = f"http://{receiver.host}{path}"
        status = 200

        def requests(self):
            return [request for request in receiver.requests if request.path == self.path]

    hook = Hook()
    before = receiver.status_for
    receiver.status_for = lambda request, earlier: (hook.status if request.path == hook.path
                                                    else before(request, earlier))
    yield hook
    receiver.status_for = before


def reload_until(page, text):
    """Reloads a page until it shows a text."""
    def shown():
        page.reload()
        return page.get_by_text(text).count() > 0

    eventually(shown, WAIT_SECONDS, f"the page shows {text}")


def test_an_endpoint_is_made_tried_and_deleted(organization, browse, hook, script):
    page = browse(organization.owner, f"{organization.path}/webhooks", script=script)
    follow(page, "Add endpoint")
    fill(page, url="ftp://example.com")
    press(page, "Add endpoint")
    says(page, "Enter an address that begins with https://")
    fill(page, url=hook.url, name="Our server")
    press(page, "Add endpoint")
    titled(page, "The signing secret of the endpoint")
    assert len(page.locator(".secret code").inner_text()) > 20
    follow(page, "I have stored it")
    titled(page, "Our server")
    says(page, "Nothing was delivered yet")
    press(page, "Send test event")
    says(page, "On its way.")
    eventually(hook.requests, WAIT_SECONDS, "the test event arrives")
    assert b"webhook_endpoint.test" in hook.requests()[0].body
    reload_until(page, "Accepted · 200")
    follow(page, "webhook_endpoint.test")
    says(page, "Request body")

    page.goto(f"{organization.path}/webhooks")
    follow(page, hook.url)
    titled(page, "Our server")
    follow(page, "Delete…")
    fill(page, confirm="our server")
    press(page, "Delete the endpoint")
    says(page, "Deleted.")
    says(page, "No endpoints yet")


def test_a_failed_delivery_is_sent_again(organization, browse, hook, script):
    made = organization.call("POST", "/v1/webhooks/endpoints", {
        "url": hook.url, "name": "Our server", "format": "raw", "events": ["customer.created"]})
    hook.status = 500
    organization.customer("Ada")
    eventually(hook.requests, WAIT_SECONDS, "the event arrives")
    page = browse(organization.owner, f"{organization.path}/webhooks/{made['id']}", script=script)
    reload_until(page, "Failed · 500")
    hook.status = 200
    failed = len(hook.requests())
    follow(page, "customer.created")
    press(page, "Send again")
    says(page, "On its way.")
    eventually(lambda: len(hook.requests()) > failed, WAIT_SECONDS, "the event is sent again")
    assert len({request.id for request in hook.requests()}) == 1
    reload_until(page, "Accepted · 200")
    # The list of the endpoint is filtered by the result.
    page.goto(f"{organization.path}/webhooks/{made['id']}")
    page.get_by_label("Result").select_option("succeeded")
    if not script:
        press(page, "Filter")
    page.get_by_text("Failed · 500").wait_for(state="hidden")
    says(page, "Accepted · 200")


def test_an_endpoint_that_is_off_is_switched_on(organization, browse, hook, script):
    made = organization.call("POST", "/v1/webhooks/endpoints", {
        "url": hook.url, "format": "raw", "events": ["customer.created"]})
    path = f"{organization.path}/webhooks/{made['id']}"
    page = browse(organization.owner, f"{path}/edit", script=script)
    page.get_by_label("Deliveries").select_option("off")
    press(page, "Save")
    says(page, "Events are skipped until you switch it on.")
    assert page.get_by_role("button", name="Send test event").count() == 0
    organization.customer("Ada")
    press(page, "Switch on")
    says(page, "Saved.")
    press(page, "Send test event")
    eventually(hook.requests, WAIT_SECONDS, "the test event arrives")
    assert all(b"customer.created" not in request.body for request in hook.requests())
