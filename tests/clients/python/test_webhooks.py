"""Webhooks that a real server sends, verified by the Standard Webhooks library and by the SDK."""
import pytest
from polar_sdk import Polar, models
from polar_sdk.webhooks import WebhookVerificationError, validate_event
from standardwebhooks.webhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError as StandardVerificationError

from harness import TemporaryServer, eventually
from receiver import Receiver

SECONDS = 20
EVENTS = [models.WebhookEventType(name) for name in (
    "customer.created", "customer.updated", "customer.deleted", "customer.state_changed",
    "member.created", "member.updated", "member.deleted", "organization.updated")]


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def webhook_server(receiver):
    """A server that may send webhooks to the receiver, which has no TLS."""
    with TemporaryServer("--webhook-http-host", receiver.host) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(webhook_server):
    """An SDK client of that server, with every scope."""
    organization = webhook_server.cli.create_organization("hooked", "Hooked", "founder@example.com")
    token = webhook_server.cli.create_token(organization["id"])["token"]
    with Polar(access_token=token, server_url=webhook_server.base) as polar:
        yield polar


@pytest.fixture(scope="module")
def endpoint(sdk, receiver):
    return sdk.webhooks.create_webhook_endpoint(request=models.WebhookEndpointCreate(
        url=f"http://{receiver.host}/hook", format_=models.WebhookFormat.RAW, events=EVENTS))


def verified(endpoint, request):
    """Verifies a request with both libraries, which must also refuse a changed body. Returns the event of the SDK."""
    body, headers = request.body, request.headers
    Webhook(endpoint.secret).verify(body, headers)
    event = validate_event(body, headers, endpoint.secret)
    with pytest.raises(WebhookVerificationError):
        validate_event(body + b" ", headers, endpoint.secret)
    with pytest.raises(StandardVerificationError):
        Webhook(endpoint.secret).verify(body + b" ", headers)
    return event


def test_every_event_is_verified_by_both_libraries(sdk, endpoint, receiver):
    team = sdk.customers.create(request=models.CustomerTeamCreate(name="A team", email="team@example.com"))
    member = sdk.members.create_member(request=models.MemberCreate(
        customer_id=team.id, email="member@example.com"))
    sdk.members.update_member(id=member.id, member_update=models.MemberUpdate(name="New name"))
    sdk.customers.update(id=team.id, customer_update=models.CustomerUpdate(name="New name"))
    organization = endpoint.organization_id
    sdk.organizations.update(
        id=organization, organization_update=models.OrganizationUpdate(name="Hooked renamed"))
    sdk.customers.delete(id=team.id)
    events = [verified(endpoint, receiver.next()) for _ in range(12)]
    assert [event.TYPE for event in events] == [
        "customer.created", "member.created", "customer.state_changed",
        "member.created", "member.updated",
        "customer.updated", "customer.state_changed",
        "organization.updated",
        "member.deleted", "member.deleted", "customer.deleted", "customer.state_changed",
    ]
    assert isinstance(events[0], models.WebhookCustomerCreatedPayload)
    assert isinstance(events[1], models.WebhookMemberCreatedPayload)
    assert isinstance(events[2], models.WebhookCustomerStateChangedPayload)
    assert events[0].data.id == team.id and events[4].data.name == "New name"
    assert events[7].data.name == "Hooked renamed"
    assert events[10].data.deleted_at is not None
    assert events[2].data.active_subscriptions == []


def test_deliveries_are_listed_and_redelivered(sdk, endpoint, receiver):
    sdk.customers.create(request=models.CustomerIndividualCreate(email="listed@example.com"))
    requests = [receiver.next() for _ in range(3)]
    first = requests[0].id
    deliveries = eventually(lambda: [item for item in sdk.webhooks.list_webhook_deliveries(
        endpoint_id=endpoint.id, limit=100).result.items if item.webhook_event.id == first], SECONDS, "the delivery is listed")
    assert (deliveries[0].succeeded, deliveries[0].http_code) == (True, 200)
    assert deliveries[0].webhook_event.payload == requests[0].body.decode()
    assert sdk.webhooks.redeliver_webhook_event(id=first) is None
    redelivered = receiver.next()
    assert (redelivered.body, redelivered.id) == (requests[0].body, first)


def test_a_reset_secret_signs_later_events(sdk, receiver, endpoint):
    fresh = sdk.webhooks.reset_webhook_endpoint_secret(id=endpoint.id)
    assert fresh.secret != endpoint.secret
    sdk.customers.create(request=models.CustomerIndividualCreate(email="reset@example.com"))
    request = receiver.next()
    assert verified(fresh, request).TYPE == "customer.created"
    with pytest.raises(WebhookVerificationError):
        validate_event(request.body, request.headers, endpoint.secret)
    receiver.next(), receiver.next()  # the other two events of the customer


def test_after_a_rotation_the_libraries_accept_both_secrets(webhook_server, sdk, receiver, endpoint):
    before = sdk.webhooks.get_webhook_endpoint(id=endpoint.id)
    rotate = f"/v1/webhooks/endpoints/{endpoint.id}/rotate"
    organization = endpoint.organization_id
    token = webhook_server.cli.create_token(organization)["token"]
    with_token = webhook_server.connect(token)
    answer = with_token.call("POST", rotate, {"overlap_seconds": 3600})
    assert answer.status == 200 and answer.json()["secret"] != before.secret
    after = sdk.webhooks.get_webhook_endpoint(id=endpoint.id)
    sdk.organizations.update(id=organization, organization_update=models.OrganizationUpdate(name="Rotated"))
    request = receiver.next()
    for secret in (before, after):
        assert verified(secret, request).data.name == "Rotated"
    assert len(request.headers["webhook-signature"].split(" ")) == 4
    # A test event reaches the endpoint, whose list of deliveries the SDK still reads.
    assert with_token.call("POST", f"/v1/webhooks/endpoints/{endpoint.id}/test", {}).status == 202
    test = receiver.next()
    assert Webhook(after.secret).verify(test.body, test.headers)["type"] == "webhook_endpoint.test"
    eventually(lambda: with_token.call(
        "GET", "/v1/webhooks/deliveries?event_type=webhook_endpoint.test").json()["items"], SECONDS, "the test is recorded")
    assert sdk.webhooks.list_webhook_deliveries(endpoint_id=endpoint.id, limit=100).result.items
    with_token.close()


def test_endpoints_are_listed_updated_and_deleted(sdk, receiver, endpoint):
    listed = sdk.webhooks.list_webhook_endpoints().result.items
    assert [item.id for item in listed] == [endpoint.id]
    renamed = sdk.webhooks.update_webhook_endpoint(
        id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(name="Renamed"))
    assert renamed.name == "Renamed"
    assert sdk.webhooks.get_webhook_endpoint(id=endpoint.id).name == "Renamed"
    with pytest.raises(models.HTTPValidationError):
        sdk.webhooks.update_webhook_endpoint(
            id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(url="https://10.0.0.1/"))
    sdk.webhooks.delete_webhook_endpoint(id=endpoint.id)
    with pytest.raises(models.ResourceNotFound):
        sdk.webhooks.get_webhook_endpoint(id=endpoint.id)


def test_the_database_does_not_contain_the_secret(webhook_server, sdk, receiver):
    endpoint = sdk.webhooks.create_webhook_endpoint(request=models.WebhookEndpointCreate(
        url=f"http://{receiver.host}/secret", format_=models.WebhookFormat.RAW, events=[]))
    stored = webhook_server.own_database.contents()
    assert endpoint.url.encode() in stored, "the URL is stored as text and must be found"
    assert endpoint.secret.encode() not in stored
    assert endpoint.secret.encode().hex().encode() not in stored
