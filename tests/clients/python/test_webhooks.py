"""Webhooks that a real server sends, read by a stock verifier and by the SDK's own helper."""
import pytest
from polar_sdk import Polar, models
from polar_sdk.webhooks import WebhookVerificationError, validate_event
from standardwebhooks.webhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError as StockVerificationError

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
def server_of_hooks(receiver):
    """A server that may reach the receiver."""
    with TemporaryServer("--webhook-http-host", receiver.host) as server:
        yield server


@pytest.fixture(scope="module")
def hooked(server_of_hooks):
    """The SDK pointed at that server."""
    organization = server_of_hooks.cli.create_organization("hooked", "Hooked", "founder@example.com")
    token = server_of_hooks.cli.create_token(organization["id"])["token"]
    with Polar(access_token=token, server_url=server_of_hooks.base) as polar:
        yield polar


@pytest.fixture(scope="module")
def endpoint(hooked, receiver):
    return hooked.webhooks.create_webhook_endpoint(request=models.WebhookEndpointCreate(
        url=f"http://{receiver.host}/hook", format_=models.WebhookFormat.RAW, events=EVENTS))


def verified(endpoint, request):
    """What the SDK makes of a request, once both readers of the secret believe it."""
    body, headers = request.body, request.headers
    Webhook(endpoint.secret).verify(body, headers)
    event = validate_event(body, headers, endpoint.secret)
    with pytest.raises(WebhookVerificationError):
        validate_event(body + b" ", headers, endpoint.secret)
    with pytest.raises(StockVerificationError):
        Webhook(endpoint.secret).verify(body + b" ", headers)
    return event


def test_every_event_is_believed_by_both_readers(hooked, endpoint, receiver):
    team = hooked.customers.create(request=models.CustomerTeamCreate(name="A team", email="team@example.com"))
    member = hooked.members.create_member(request=models.MemberCreate(
        customer_id=team.id, email="member@example.com"))
    hooked.members.update_member(id=member.id, member_update=models.MemberUpdate(name="New name"))
    hooked.customers.update(id=team.id, customer_update=models.CustomerUpdate(name="New name"))
    organization = endpoint.organization_id
    hooked.organizations.update(
        id=organization, organization_update=models.OrganizationUpdate(name="Hooked anew"))
    hooked.customers.delete(id=team.id)
    told = [verified(endpoint, receiver.next()) for _ in range(12)]
    assert [event.TYPE for event in told] == [
        "customer.created", "member.created", "customer.state_changed",
        "member.created", "member.updated",
        "customer.updated", "customer.state_changed",
        "organization.updated",
        "member.deleted", "member.deleted", "customer.deleted", "customer.state_changed",
    ]
    assert isinstance(told[0], models.WebhookCustomerCreatedPayload)
    assert isinstance(told[1], models.WebhookMemberCreatedPayload)
    assert isinstance(told[2], models.WebhookCustomerStateChangedPayload)
    assert told[0].data.id == team.id and told[4].data.name == "New name"
    assert told[7].data.name == "Hooked anew"
    assert told[10].data.deleted_at is not None
    assert told[2].data.active_subscriptions == []


def test_deliveries_are_listed_and_repeated(hooked, endpoint, receiver):
    hooked.customers.create(request=models.CustomerIndividualCreate(email="listed@example.com"))
    requests = [receiver.next() for _ in range(3)]
    first = requests[0].id
    deliveries = eventually(lambda: [item for item in hooked.webhooks.list_webhook_deliveries(
        endpoint_id=endpoint.id, limit=100).result.items if item.webhook_event.id == first], SECONDS, "listed")
    assert (deliveries[0].succeeded, deliveries[0].http_code) == (True, 200)
    assert deliveries[0].webhook_event.payload == requests[0].body.decode()
    assert hooked.webhooks.redeliver_webhook_event(id=first) is None
    again = receiver.next()
    assert (again.body, again.id) == (requests[0].body, first)


def test_a_reset_secret_signs_what_follows(hooked, receiver, endpoint):
    fresh = hooked.webhooks.reset_webhook_endpoint_secret(id=endpoint.id)
    assert fresh.secret != endpoint.secret
    hooked.customers.create(request=models.CustomerIndividualCreate(email="reset@example.com"))
    request = receiver.next()
    assert verified(fresh, request).TYPE == "customer.created"
    with pytest.raises(WebhookVerificationError):
        validate_event(request.body, request.headers, endpoint.secret)
    receiver.next(), receiver.next()


def test_endpoints_through_the_sdk(hooked, receiver, endpoint):
    listed = hooked.webhooks.list_webhook_endpoints().result.items
    assert [item.id for item in listed] == [endpoint.id]
    renamed = hooked.webhooks.update_webhook_endpoint(
        id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(name="Renamed"))
    assert renamed.name == "Renamed"
    assert hooked.webhooks.get_webhook_endpoint(id=endpoint.id).name == "Renamed"
    with pytest.raises(models.HTTPValidationError):
        hooked.webhooks.update_webhook_endpoint(
            id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(url="https://10.0.0.1/"))
    hooked.webhooks.delete_webhook_endpoint(id=endpoint.id)
    with pytest.raises(models.ResourceNotFound):
        hooked.webhooks.get_webhook_endpoint(id=endpoint.id)


def test_a_secret_cannot_be_read_from_the_files(server_of_hooks, endpoint):
    files = [file for file in server_of_hooks.directory.iterdir() if file.is_file()]
    assert files and not [file.name for file in files if endpoint.secret.encode() in file.read_bytes()]
