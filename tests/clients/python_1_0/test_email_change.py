"""Customers that change their e-mail address in the portal.

The SDK sends a token with every call. The calls with a mailed token need none, so an invalid one must not matter there.
"""
import email
import re
from email.policy import default

import pytest
from harness import eventually
from polar import PolarClientError

SETTINGS = {"usage": {"show": True}, "subscription": {"update_seats": True, "update_plan": True}}


@pytest.fixture(scope="module", autouse=True)
def allow_email_change(polar, organization):
    """Sets whether customers may change their e-mail address. It is allowed during the tests of this file."""
    def allow(value):
        settings = {**SETTINGS, "customer": {"allow_email_change": value}}
        polar.organizations.update(organization["id"], customer_portal_settings=settings)
    allow(True)
    yield allow
    allow(False)


@pytest.fixture
def enter(polar, connect):
    """Creates a session for a customer and returns the portal."""
    return lambda customer: connect(polar.customer_sessions.create(customer_id=customer.id).token).customer_portal


@pytest.fixture
def mailed(server):
    """Waits for a mail to an address and returns the token in it."""
    def token(address):
        def find():
            for path in server.mail.glob("*.eml"):
                message = email.message_from_bytes(path.read_bytes(), policy=default)
                if address in message["To"]:
                    found = re.search(r"token=([\w-]+)", message.get_body(("plain",)).get_content())
                    return found and found.group(1)
            return None
        return eventually(find, 15, f"a mail to {address}")
    return token


def test_request_check_and_verify(api, connect, polar, enter, mailed, individual, address, members_of):
    portal, new = enter(individual), address("new")
    assert portal.customers.request_email_update(email=new) is None
    token = mailed(new)
    anonymous = connect("invalid").customer_portal.customers
    assert anonymous.check_email_update(token=token) is None
    assert polar.customers.get(individual.id).email == individual.email
    verified = anonymous.verify_email_update(token=token)
    assert isinstance(verified, api.outputs.CustomerEmailUpdateVerifyResponse)
    changed = polar.customers.get(individual.id)
    assert (changed.email, changed.email_verified) == (new, True)
    assert members_of(individual)["owner"].email == new
    assert connect(verified.token).customer_portal.customers.get().email == new
    with pytest.raises(PolarClientError) as caught:
        portal.customers.get()
    assert caught.value.status_code == 401


def test_a_token_works_once(api, connect, enter, mailed, individual, address):
    new = address("once")
    enter(individual).customers.request_email_update(email=new)
    token, anonymous = mailed(new), connect("invalid").customer_portal.customers
    anonymous.verify_email_update(token=token)
    with pytest.raises(api.errors.CustomerPortalCustomersVerifyEmailUpdate401Error):
        anonymous.verify_email_update(token=token)
    with pytest.raises(api.errors.CustomerPortalCustomersCheckEmailUpdate401Error):
        anonymous.check_email_update(token=token)


def test_a_failed_change_uses_up_the_token(api, connect, polar, enter, mailed, individual, address):
    new = address("taken")
    enter(individual).customers.request_email_update(email=new)
    token, anonymous = mailed(new), connect("invalid").customer_portal.customers
    polar.customers.create(email=new)
    with pytest.raises(PolarClientError) as caught:
        anonymous.verify_email_update(token=token)
    assert caught.value.status_code == 422
    with pytest.raises(api.errors.CustomerPortalCustomersVerifyEmailUpdate401Error):
        anonymous.verify_email_update(token=token)


@pytest.mark.parametrize("token", ["polar_cev_" + "x" * 43, "unknown"])
def test_an_unknown_token_is_refused(api, connect, token):
    anonymous = connect("invalid").customer_portal.customers
    with pytest.raises(api.errors.CustomerPortalCustomersCheckEmailUpdate401Error):
        anonymous.check_email_update(token=token)
    with pytest.raises(api.errors.CustomerPortalCustomersVerifyEmailUpdate401Error):
        anonymous.verify_email_update(token=token)


def test_request_refuses_an_invalid_or_unchanged_address(api, enter, individual, violations):
    customers = enter(individual).customers
    for email_, violation in ((individual.email.upper(), ("value_error", "body", "email")),
                          ("nope", ("value_error", "body", "email"))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            customers.request_email_update(email=email_)
        assert violations(caught) == [violation]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        customers.request_email_update()
    assert violations(caught) == [("missing", "body", "email")]


def test_request_refuses_a_team(api, polar, connect, team, address, violations, members_of):
    session = polar.customer_sessions.create(customer_id=team.id, member_id=members_of(team)["owner"].id)
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        connect(session.token).customer_portal.customers.request_email_update(email=address())
    assert violations(caught) == [("value_error", "body", "email")]


def test_request_is_refused_when_the_organization_does_not_allow_it(allow_email_change, enter, individual, address):
    allow_email_change(False)
    try:
        with pytest.raises(PolarClientError) as caught:
            enter(individual).customers.request_email_update(email=address())
        assert caught.value.status_code == 403
    finally:
        allow_email_change(True)
