"""The published SDK 0.31 as a client of a real server."""
import sys
from pathlib import Path

import pytest
from polar_sdk import Polar, models

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from sdk_fixtures import (address, client_with, organization, other_organization, other_polar, polar,  # noqa: E402, F401
                          server, unique, user_polar)


@pytest.fixture(scope="session")
def connect(server):  # noqa: F811
    """Makes an SDK client for a token."""
    clients = []

    def make(token):
        clients.append(Polar(access_token=token, server_url=server.base).__enter__())
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def team(polar, unique, address):  # noqa: F811
    """A team customer, whose owner is its only member."""
    return polar.customers.create(request=models.CustomerTeamCreate(
        name="A team", email=address("team"), external_id=unique("team")))


@pytest.fixture
def individual(polar, unique, address):  # noqa: F811
    return polar.customers.create(request=models.CustomerIndividualCreate(
        name="Someone", email=address("single"), external_id=unique("single")))


@pytest.fixture
def members_of(polar):  # noqa: F811
    """Lists the members of a customer."""
    return lambda customer, **filters: polar.members.list_members(
        customer_id=customer.id, limit=100, **filters).result.items


@pytest.fixture
def owner_of(members_of):
    """Returns the owner of a customer."""
    def find(customer):
        owner, = members_of(customer, role=models.MemberRole.OWNER)
        return owner
    return find


@pytest.fixture
def violations():
    """Returns the (type, *location) of each item of a caught validation error, sorted."""
    return lambda caught: sorted((item.type, *item.loc) for item in caught.value.data.detail)


@pytest.fixture
def allow_email_change(polar, organization):  # noqa: F811
    """Sets whether customers may change their e-mail address in the portal. It is not allowed after the test."""
    def allow(value):
        polar.organizations.update(id=organization["id"], organization_update=models.OrganizationUpdate(
            customer_portal_settings=models.OrganizationCustomerPortalSettings(
                usage=models.CustomerPortalUsageSettings(show=True),
                subscription=models.CustomerPortalSubscriptionSettings(update_seats=True, update_plan=True),
                customer=models.CustomerPortalCustomerSettings(allow_email_change=value))))
    yield allow
    allow(False)
