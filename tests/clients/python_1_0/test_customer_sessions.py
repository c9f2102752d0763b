"""Customer sessions, which open the customer portal."""
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from polar import PolarClientError


def test_create_for_an_individual(api, polar, individual):
    session = polar.customer_sessions.create(customer_id=individual.id, return_url="https://example.com/back")
    assert isinstance(session, api.outputs.CustomerSession)
    assert (session.customer_id, session.customer) == (individual.id, individual)
    assert session.return_url == "https://example.com/back"
    remaining = datetime.fromisoformat(session.expires_at) - datetime.now(timezone.utc)
    assert timedelta(minutes=55) < remaining <= timedelta(hours=1)
    assert parse_qs(urlsplit(session.customer_portal_url).query)["customer_session_token"] == [session.token]


def test_create_by_external_id(polar, individual):
    session = polar.customer_sessions.create(external_customer_id=individual.external_id)
    assert (session.customer_id, session.return_url) == (individual.id, None)
    assert session.token != polar.customer_sessions.create(external_customer_id=individual.external_id).token


def test_create_for_a_member_of_a_team(connect, polar, team, address):
    member = polar.customers.members.create(team.id, email=address(), external_id="seat")
    for member_parameter in ({"member_id": member.id}, {"external_member_id": "seat"}):
        session = polar.customer_sessions.create(customer_id=team.id, **member_parameter)
        user = connect(session.token).customer_portal.customer_session.get_authenticated_user()
        assert (user.type, user.member_id, user.email) == ("member", member.id, member.email)


def test_create_refuses_unknown_customers_and_members(api, polar, team, violations):
    for body, violation in (
        ({"customer_id": str(uuid4())}, ("value_error", "body", "customer_id")),
        ({"external_customer_id": "unknown"}, ("value_error", "body", "external_customer_id")),
        ({"customer_id": team.id, "member_id": str(uuid4())}, ("value_error", "body", "member_id")),
        ({"customer_id": team.id, "external_member_id": "unknown"}, ("value_error", "body", "external_member_id")),
        ({"customer_id": team.id}, ("value_error", "body", "member_id")),
    ):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            polar.customer_sessions.create(**body)
        assert violations(caught) == [violation]


@pytest.mark.parametrize("body", [{}, {"customer_id": "malformed"}, {"member_id": str(uuid4())}])
def test_create_needs_one_valid_customer(api, polar, body):
    with pytest.raises(api.errors.HTTPValidationError):
        polar.customer_sessions.create(**body)


def test_create_refuses_an_invalid_return_url(api, polar, individual):
    with pytest.raises(api.errors.HTTPValidationError):
        polar.customer_sessions.create(customer_id=individual.id, return_url="javascript:alert(1)")


def test_create_refuses_customers_of_another_organization(api, other_polar, individual, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        other_polar.customer_sessions.create(customer_id=individual.id)
    assert violations(caught) == [("value_error", "body", "customer_id")]


def test_a_missing_scope_is_forbidden(client_with, individual):
    with pytest.raises(PolarClientError) as caught:
        client_with("customers:write").customer_sessions.create(customer_id=individual.id)
    assert caught.value.status_code == 403
