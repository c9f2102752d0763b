"""Webhook endpoints. Deliveries go to a name that never exists, so each attempt fails."""
import json
from datetime import datetime, timezone
from uuid import uuid4

import pytest
from harness import eventually
from polar import PolarClientError
from standardwebhooks import Webhook

NOWHERE = "https://hooks.invalid/in"


@pytest.fixture
def hooks(polar):
    return polar.webhooks


@pytest.fixture
def endpoint(hooks):
    made = hooks.create_webhook_endpoint(url=NOWHERE, format="raw", events=["member.created"], name="Hook")
    yield made
    try:
        hooks.delete_webhook_endpoint(made.id)
    except PolarClientError:
        pass  # The test did.


def test_create(api, hooks, endpoint, organization):
    assert isinstance(endpoint, api.outputs.WebhookEndpoint)
    assert (endpoint.url, endpoint.format, endpoint.name) == (NOWHERE, "raw", "Hook")
    assert (endpoint.events, endpoint.enabled) == (["member.created"], True)
    assert endpoint.organization_id == organization["id"]
    assert endpoint.secret.startswith("whsec_")


@pytest.mark.parametrize("format_", ["raw", "discord", "slack"])
def test_create_with_every_format(hooks, format_):
    made = hooks.create_webhook_endpoint(url=NOWHERE, format=format_, events=["organization.updated"])
    assert (made.format, made.name) == (format_, None)
    hooks.delete_webhook_endpoint(made.id)


@pytest.mark.parametrize("url", ["http://example.com/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
                                 "https://10.0.0.1/", "https://169.254.1.1/", "https://", "nowhere"])
def test_create_refuses_a_bad_url(api, hooks, url, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint(url=url, format="raw", events=[])
    assert [place[1:3] for place in violations(caught)] == [("body", "url")]


def test_create_refuses_what_is_no_choice(api, hooks, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint(url=NOWHERE, format="xml", events=["member.forgotten"])
    assert violations(caught) == [("enum", "body", "events", 0), ("enum", "body", "format")]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.create_webhook_endpoint()
    assert violations(caught) == [("missing", "body", name) for name in ("events", "format", "url")]


def test_get(hooks, endpoint):
    found = hooks.get_webhook_endpoint(endpoint.id)
    assert (found.id, found.url, found.events) == (endpoint.id, endpoint.url, endpoint.events)


def test_list(hooks, organization, other_organization):
    made = [hooks.create_webhook_endpoint(url=NOWHERE, format="raw", events=[]) for _ in range(3)]
    page = hooks.list_webhook_endpoints(limit=2)
    assert [found.id for found in page.items] == [made[2].id, made[1].id]
    assert page.pagination.total_count >= 3
    found = hooks.iter_list_webhook_endpoints(organization_id=[organization["id"]], limit=2)
    assert {one.id for one in made} <= {one.id for one in found}
    assert hooks.list_webhook_endpoints(organization_id=other_organization["id"]).items == []
    for one in made:
        hooks.delete_webhook_endpoint(one.id)


def test_list_refuses_a_bad_question(api, hooks, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        hooks.list_webhook_endpoints(page=0)
    assert violations(caught) == [("greater_than", "query", "page")]
    with pytest.raises(api.errors.HTTPValidationError):
        hooks.list_webhook_endpoints(organization_id="nobody")


def test_update(hooks, endpoint):
    changes = {"url": "https://hooks.invalid/other", "name": "Renamed", "format": "slack",
               "events": ["customer.created", "customer.deleted"], "enabled": False}
    updated = hooks.update_webhook_endpoint(endpoint.id, **changes)
    assert {name: getattr(updated, name) for name in changes} == changes
    assert hooks.update_webhook_endpoint(endpoint.id, url=None, format=None, events=None, enabled=None).url \
        == updated.url
    assert hooks.update_webhook_endpoint(endpoint.id, enabled=True).enabled is True


def test_update_refuses_bad_fields(api, hooks, endpoint, violations):
    for changes, wrong in (({"url": "http://example.com/"}, ("body", "url")), ({"format": "xml"}, ("body", "format"))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            hooks.update_webhook_endpoint(endpoint.id, **changes)
        assert violations(caught)[0][1:] == wrong


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
    theirs = other_polar.webhooks
    for call in (theirs.get_webhook_endpoint, theirs.update_webhook_endpoint, theirs.delete_webhook_endpoint,
                 theirs.reset_webhook_endpoint_secret):
        with pytest.raises(api.errors.ResourceNotFound):
            call(endpoint.id)


def test_an_id_that_is_none_is_refused(api, hooks, violations):
    for call in (hooks.get_webhook_endpoint, hooks.update_webhook_endpoint, hooks.delete_webhook_endpoint,
                 hooks.reset_webhook_endpoint_secret, hooks.redeliver_webhook_event):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            call("nobody")
        assert violations(caught) == [("uuid_parsing", "path", "id")]


def test_a_missing_scope_is_forbidden(client_with, endpoint):
    reader = client_with("webhooks:read").webhooks
    assert reader.get_webhook_endpoint(endpoint.id).id == endpoint.id
    for call in (lambda: reader.delete_webhook_endpoint(endpoint.id),
                 lambda: reader.create_webhook_endpoint(url=NOWHERE, format="raw", events=[]),
                 lambda: reader.reset_webhook_endpoint_secret(endpoint.id),
                 lambda: reader.redeliver_webhook_event(str(uuid4()))):
        with pytest.raises(PolarClientError) as caught:
            call()
        assert caught.value.status_code == 403


def test_deliveries_and_redelivery(hooks, polar, endpoint, team, address):
    member = polar.customers.members.create(team.id, email=address("hooked"))
    found = eventually(lambda: hooks.list_webhook_deliveries(endpoint_id=endpoint.id).items, 30, "a delivery")
    delivery = found[-1]
    assert (delivery.succeeded, delivery.http_code) == (False, None)
    event = delivery.webhook_event
    assert (event.type, event.is_archived, event.skipped) == ("member.created", False, False)
    payload = json.loads(event.payload)
    assert (payload["type"], payload["data"]["id"]) == ("member.created", member.id)
    assert payload["api_version"] == endpoint.api_version
    mine = lambda **question: [one.id for one in hooks.iter_list_webhook_deliveries(
        endpoint_id=[endpoint.id], **question)]
    assert delivery.id in mine(succeeded=False, event_type=["member.created", "member.deleted"], query=event.id)
    assert mine(succeeded=True) == mine(http_code_class="2xx") == mine(event_type="member.deleted") == []
    assert mine(start_timestamp=datetime.now(timezone.utc).isoformat()) == []
    before = len(mine())
    assert hooks.redeliver_webhook_event(event.id) is None
    eventually(lambda: len(mine()) > before, 30, "a second delivery")


def test_deliveries_refuse_a_bad_question(api, hooks):
    for question in ({"page": 0}, {"http_code_class": "6xx"}, {"event_type": "member.forgotten"},
                     {"endpoint_id": "nobody"}, {"start_timestamp": "2026-01-01T00:00:00"}):
        with pytest.raises(api.errors.HTTPValidationError):
            hooks.list_webhook_deliveries(**question)


def test_redelivery_of_what_is_unknown_is_not_found(api, hooks):
    with pytest.raises(api.errors.ResourceNotFound):
        hooks.redeliver_webhook_event(str(uuid4()))


def test_stock_verifiers_can_use_the_secret(api, hooks, endpoint, polar, team, address):
    member = polar.customers.members.create(team.id, email=address())
    data = {name: getattr(member, name) for name in member.__slots__}
    now = datetime.now(timezone.utc)
    # SDK 1.0 reads no event without `api_version`.
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
