"""Webhook endpoints. Their host name does not exist, so every delivery fails."""
import json
from datetime import datetime, timezone
from uuid import uuid4

import pytest
from harness import eventually
from polar import PolarClientError
from standardwebhooks import Webhook

UNREACHABLE = "https://hooks.invalid/in"


@pytest.fixture
def hooks(polar):
    return polar.webhooks


@pytest.fixture
def endpoint(hooks):
    created = hooks.create_webhook_endpoint(url=UNREACHABLE, format="raw", events=["member.created"], name="Hook")
    yield created
    try:
        hooks.delete_webhook_endpoint(created.id)
    except PolarClientError:
        pass  # the test has deleted it


def test_create(api, hooks, endpoint, organization):
    assert isinstance(endpoint, api.outputs.WebhookEndpoint)
    assert (endpoint.url, endpoint.format, endpoint.name) == (UNREACHABLE, "raw", "Hook")
    assert (endpoint.events, endpoint.enabled) == (["member.created"], True)
    assert endpoint.organization_id == organization["id"]
    assert endpoint.secret.startswith("whsec_")


@pytest.mark.parametrize("format_", ["raw", "discord", "slack"])
def test_create_with_every_format(hooks, format_):
    created = hooks.create_webhook_endpoint(url=UNREACHABLE, format=format_, events=["organization.updated"])
    assert (created.format, created.name) == (format_, None)
    hooks.delete_webhook_endpoint(created.id)


@pytest.mark.parametrize("url", ["http://example.com/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
                                 "https://10.0.0.1/", "https://169.254.1.1/", "https://", "not-a-url"])
def test_create_refuses_an_invalid_url(api, hooks, url, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint(url=url, format="raw", events=[])
    assert [violation[1:3] for violation in violations(caught)] == [("body", "url")]


def test_create_refuses_unknown_formats_and_events(api, hooks, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint(url=UNREACHABLE, format="xml", events=["member.unknown"])
    assert violations(caught) == [("enum", "body", "events", 0), ("enum", "body", "format")]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint()
    assert violations(caught) == [("missing", "body", name) for name in ("events", "format", "url")]


def test_get(hooks, endpoint):
    found = hooks.get_webhook_endpoint(endpoint.id)
    assert (found.id, found.url, found.events) == (endpoint.id, endpoint.url, endpoint.events)


def test_list(hooks, organization, other_organization):
    created = [hooks.create_webhook_endpoint(url=UNREACHABLE, format="raw", events=[]) for _ in range(3)]
    page = hooks.list_webhook_endpoints(limit=2)
    assert [found.id for found in page.items] == [created[2].id, created[1].id]
    assert page.pagination.total_count >= 3
    found = hooks.iter_list_webhook_endpoints(organization_id=[organization["id"]], limit=2)
    assert {one.id for one in created} <= {one.id for one in found}
    assert hooks.list_webhook_endpoints(organization_id=other_organization["id"]).items == []
    for one in created:
        hooks.delete_webhook_endpoint(one.id)


def test_list_refuses_invalid_parameters(api, hooks, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.list_webhook_endpoints(page=0)
    assert violations(caught) == [("greater_than", "query", "page")]
    with pytest.raises(api.errors.HTTPValidationError):
        hooks.list_webhook_endpoints(organization_id="malformed")


def test_update(hooks, endpoint):
    changes = {"url": "https://hooks.invalid/other", "name": "Renamed", "format": "slack",
               "events": ["customer.created", "customer.deleted"], "enabled": False}
    updated = hooks.update_webhook_endpoint(endpoint.id, **changes)
    assert {name: getattr(updated, name) for name in changes} == changes
    assert hooks.update_webhook_endpoint(endpoint.id, url=None, format=None, events=None, enabled=None).url \
        == updated.url
    assert hooks.update_webhook_endpoint(endpoint.id, enabled=True).enabled is True


def test_update_refuses_invalid_fields(api, hooks, endpoint, violations):
    for changes, location in (({"url": "http://example.com/"}, ("body", "url")), ({"format": "xml"}, ("body", "format"))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            hooks.update_webhook_endpoint(endpoint.id, **changes)
        assert violations(caught)[0][1:] == location


def test_reset_secret(hooks, endpoint):
    reset = hooks.reset_webhook_endpoint_secret(endpoint.id)
    assert reset.id == endpoint.id and reset.secret.startswith("whsec_") and reset.secret != endpoint.secret


def test_delete(api, hooks, endpoint):
    assert hooks.delete_webhook_endpoint(endpoint.id) is None
    for call in (hooks.get_webhook_endpoint, hooks.update_webhook_endpoint, hooks.delete_webhook_endpoint,
                 hooks.reset_webhook_endpoint_secret):
        with pytest.raises(api.errors.ResourceNotFound) as caught:
            call(endpoint.id)
        assert caught.value.error.detail == "Not found"


def test_endpoints_of_another_organization_are_not_found(api, other_polar, endpoint):
    other_hooks = other_polar.webhooks
    for call in (other_hooks.get_webhook_endpoint, other_hooks.update_webhook_endpoint, other_hooks.delete_webhook_endpoint,
                 other_hooks.reset_webhook_endpoint_secret):
        with pytest.raises(api.errors.ResourceNotFound):
            call(endpoint.id)


def test_a_malformed_id_is_refused(api, hooks, violations):
    for call in (hooks.get_webhook_endpoint, hooks.update_webhook_endpoint, hooks.delete_webhook_endpoint,
                 hooks.reset_webhook_endpoint_secret, hooks.redeliver_webhook_event):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            call("malformed")
        assert violations(caught) == [("uuid_parsing", "path", "id")]


def test_a_missing_scope_is_forbidden(client_with, endpoint):
    reader = client_with("webhooks:read").webhooks
    assert reader.get_webhook_endpoint(endpoint.id).id == endpoint.id
    for call in (lambda: reader.delete_webhook_endpoint(endpoint.id),
                 lambda: reader.create_webhook_endpoint(url=UNREACHABLE, format="raw", events=[]),
                 lambda: reader.reset_webhook_endpoint_secret(endpoint.id),
                 lambda: reader.redeliver_webhook_event(str(uuid4()))):
        with pytest.raises(PolarClientError) as caught:
            call()
        assert caught.value.status_code == 403


def test_deliveries_and_redelivery(hooks, polar, endpoint, team, address):
    member = polar.customers.members.create(team.id, email=address("hooked"))

    def member_of(delivery):
        return json.loads(delivery.webhook_event.payload)["data"]["id"]

    def delivery_ids(**filters):
        return [one.id for one in hooks.iter_list_webhook_deliveries(endpoint_id=[endpoint.id], **filters)]

    found = eventually(lambda: [one for one in hooks.list_webhook_deliveries(endpoint_id=endpoint.id).items
                                if member_of(one) == member.id], 30, "a delivery")
    delivery = found[-1]
    assert (delivery.succeeded, delivery.http_code) == (False, None)
    event = delivery.webhook_event
    assert (event.type, event.is_archived, event.skipped) == ("member.created", False, False)
    payload = json.loads(event.payload)
    assert (payload["type"], payload["data"]["id"]) == ("member.created", member.id)
    assert payload["api_version"] == endpoint.api_version
    assert delivery.id in delivery_ids(succeeded=False, event_type=["member.created", "member.deleted"], query=event.id)
    assert delivery_ids(succeeded=True) == delivery_ids(http_code_class="2xx") == delivery_ids(event_type="member.deleted") == []
    assert delivery_ids(start_timestamp=datetime.now(timezone.utc).isoformat()) == []
    before = len(delivery_ids())
    assert hooks.redeliver_webhook_event(event.id) is None
    eventually(lambda: len(delivery_ids()) > before, 30, "a second delivery")


def test_deliveries_refuse_invalid_filters(api, hooks):
    for filters in ({"page": 0}, {"http_code_class": "6xx"}, {"event_type": "member.unknown"},
                     {"endpoint_id": "malformed"}, {"start_timestamp": "2026-01-01T00:00:00"}):
        with pytest.raises(api.errors.HTTPValidationError):
            hooks.list_webhook_deliveries(**filters)


def test_redelivery_of_an_unknown_event_is_not_found(api, hooks):
    with pytest.raises(api.errors.ResourceNotFound):
        hooks.redeliver_webhook_event(str(uuid4()))


def test_the_secret_works_with_the_standard_library_and_the_sdk(api, hooks, endpoint, polar, team, address):
    member = polar.customers.members.create(team.id, email=address())
    data = {name: getattr(member, name) for name in member.__slots__}
    now = datetime.now(timezone.utc)
    # SDK 1.0 refuses an event without `api_version`.
    body = json.dumps({"type": "member.created", "timestamp": now.isoformat(), "api_version": api.version,
                       "data": data})
    for secret in (endpoint.secret, hooks.reset_webhook_endpoint_secret(endpoint.id).secret):
        headers = {"webhook-id": "evt", "webhook-timestamp": str(int(now.timestamp())),
                   "webhook-signature": Webhook(secret).sign("evt", now, body)}
        assert Webhook(secret).verify(body, headers) == json.loads(body)
        event = api.webhooks.validate_event(body, headers, secret)
        assert event.data == member
    with pytest.raises(api.webhooks.PolarWebhookVerificationError):
        api.webhooks.validate_event(body, headers, endpoint.secret)
