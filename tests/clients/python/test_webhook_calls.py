"""Webhook endpoints. Their host name does not exist, so every delivery fails."""
import base64
import json
from datetime import datetime, timezone
from uuid import uuid4

import pytest
from harness import eventually
from polar_sdk import models
from polar_sdk.webhooks import WebhookVerificationError, validate_event
from standardwebhooks import Webhook

UNREACHABLE = "https://hooks.invalid/in"
RAW, CREATED = models.WebhookFormat.RAW, models.WebhookEventType.MEMBER_CREATED


def create(polar, **fields):
    return polar.webhooks.create_webhook_endpoint(request=models.WebhookEndpointCreate(
        **{"url": UNREACHABLE, "format_": RAW, "events": [CREATED], **fields}))


@pytest.fixture
def endpoint(polar):
    created = create(polar, name="Hook")
    yield created
    try:
        polar.webhooks.delete_webhook_endpoint(id=created.id)
    except models.ResourceNotFound:
        pass  # the test has deleted it


def update(polar, endpoint, **fields):
    return polar.webhooks.update_webhook_endpoint(
        id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(**fields))


def test_create_and_get(polar, endpoint, organization):
    assert (endpoint.url, endpoint.format_, endpoint.name) == (UNREACHABLE, RAW, "Hook")
    assert (endpoint.events, endpoint.enabled) == ([CREATED], True)
    assert endpoint.organization_id == organization["id"] and endpoint.secret.startswith("whsec_")
    found = polar.webhooks.get_webhook_endpoint(id=endpoint.id)
    assert (found.id, found.url) == (endpoint.id, UNREACHABLE)


@pytest.mark.parametrize("url", ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"])
def test_create_and_update_refuse_an_invalid_url(polar, endpoint, url):
    for call in (lambda: create(polar, url=url), lambda: update(polar, endpoint, url=url)):
        with pytest.raises(models.HTTPValidationError) as caught:
            call()
        assert [item.loc[:2] for item in caught.value.data.detail] == [["body", "url"]]


def test_list(polar, organization, other_organization):
    created = [create(polar) for _ in range(3)]
    page = polar.webhooks.list_webhook_endpoints(organization_id=[organization["id"]], limit=2)
    assert [one.id for one in page.result.items] == [created[2].id, created[1].id]
    assert created[0].id in [one.id for one in page.next().result.items]
    assert polar.webhooks.list_webhook_endpoints(organization_id=other_organization["id"]).result.items == []
    for one in created:
        polar.webhooks.delete_webhook_endpoint(id=one.id)
    with pytest.raises(models.HTTPValidationError):
        polar.webhooks.list_webhook_endpoints(page=0)


def test_update(polar, endpoint):
    updated = update(polar, endpoint, url="https://hooks.invalid/other", name="Renamed", enabled=False,
                     format_=models.WebhookFormat.SLACK, events=[models.WebhookEventType.CUSTOMER_CREATED])
    assert (updated.url, updated.name, updated.enabled) == ("https://hooks.invalid/other", "Renamed", False)
    assert (updated.format_, updated.events) == (
        models.WebhookFormat.SLACK, [models.WebhookEventType.CUSTOMER_CREATED])
    assert update(polar, endpoint, url=None, events=None, enabled=True).url == updated.url


def test_a_reset_secret_works_with_the_standard_library_and_the_sdk(polar, endpoint, team, owner_of):
    reset = polar.webhooks.reset_webhook_endpoint_secret(id=endpoint.id)
    assert reset.id == endpoint.id and reset.secret != endpoint.secret
    now, owner = datetime.now(timezone.utc), owner_of(team)
    body = json.dumps({"type": "member.created", "timestamp": now.isoformat(), "data": owner.model_dump(mode="json")})
    standard = Webhook(reset.secret).sign("evt", now, body)
    # This SDK uses the bytes of the whole secret as the key; the standard decodes the part after the prefix.
    of_sdk = Webhook(base64.b64encode(reset.secret.encode()).decode()).sign("evt", now, body)
    headers = {"webhook-id": "evt", "webhook-timestamp": str(int(now.timestamp())),
               "webhook-signature": f"{standard} {of_sdk}"}
    assert Webhook(reset.secret).verify(body, headers) == json.loads(body)
    assert validate_event(body, headers, reset.secret).data == owner
    with pytest.raises(WebhookVerificationError):
        validate_event(body, headers, endpoint.secret)


def test_delete(polar, endpoint):
    hooks = polar.webhooks
    assert hooks.delete_webhook_endpoint(id=endpoint.id) is None
    for call in (hooks.get_webhook_endpoint, hooks.delete_webhook_endpoint, hooks.reset_webhook_endpoint_secret):
        with pytest.raises(models.ResourceNotFound):
            call(id=endpoint.id)
    with pytest.raises(models.ResourceNotFound):
        update(polar, endpoint, name="Deleted")
    with pytest.raises(models.ResourceNotFound):
        hooks.redeliver_webhook_event(id=str(uuid4()))


def test_another_organization_and_a_missing_scope(other_polar, client_with, endpoint):
    for call in (other_polar.webhooks.get_webhook_endpoint, other_polar.webhooks.delete_webhook_endpoint):
        with pytest.raises(models.ResourceNotFound):
            call(id=endpoint.id)
    reader = client_with("webhooks:read").webhooks
    assert reader.get_webhook_endpoint(id=endpoint.id).id == endpoint.id
    for call in (reader.delete_webhook_endpoint, reader.reset_webhook_endpoint_secret,
                 reader.redeliver_webhook_event):
        with pytest.raises(models.SDKError) as caught:
            call(id=endpoint.id)
        assert caught.value.status_code == 403


def test_deliveries_and_redelivery(polar, endpoint, team, address):
    member = polar.members.create_member(request=models.MemberCreate(customer_id=team.id, email=address()))

    def deliveries(**filters):
        return polar.webhooks.list_webhook_deliveries(
            endpoint_id=endpoint.id, limit=100, **filters).result.items

    def deliveries_of_the_member():
        return [one for one in deliveries() if member.id in (one.webhook_event.payload or "")]

    delivery = eventually(deliveries_of_the_member, 30, "a delivery")[-1]
    assert (delivery.succeeded, delivery.http_code, delivery.webhook_event.type) == (False, None, CREATED)
    assert deliveries(succeeded=True) == []
    assert deliveries(http_code_class=models.HTTPCodeClass.TWOXX, event_type=[CREATED]) == []
    assert deliveries(start_timestamp=datetime.now(timezone.utc)) == []
    before = len(deliveries())
    assert polar.webhooks.redeliver_webhook_event(id=delivery.webhook_event.id) is None
    eventually(lambda: len(deliveries()) > before, 30, "a second delivery")


@pytest.mark.parametrize("filters", [{"page": 0}, {"endpoint_id": "malformed"}, {"start_timestamp": datetime(2026, 1, 1)}])
def test_deliveries_refuse_invalid_filters(polar, filters):
    with pytest.raises(models.HTTPValidationError):
        polar.webhooks.list_webhook_deliveries(**filters)
