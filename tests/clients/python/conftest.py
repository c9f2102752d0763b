"""A real server, an organization on it, and the published SDK pointed at both."""
import itertools
import sys
from pathlib import Path

import pytest
from polar_sdk import Polar, models

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from harness import TemporaryServer  # noqa: E402

FEATURES = ("member_model_enabled", "seat_based_pricing_enabled")


@pytest.fixture(scope="session")
def server():
    with TemporaryServer() as running:
        yield running


@pytest.fixture(scope="session")
def organization(server):
    return server.cli.create_organization("python-sdk", "Python SDK", "founder@example.com", FEATURES)


@pytest.fixture(scope="session")
def other_organization(server):
    return server.cli.create_organization("python-other", "Python Other", "other@example.com", FEATURES)


@pytest.fixture(scope="session")
def connect(server):
    """Makes an SDK client for a token."""
    clients = []

    def make(token):
        clients.append(Polar(access_token=token, server_url=server.base).__enter__())
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client_with(server, organization, connect):
    """Makes an SDK client that holds just these scopes."""
    return lambda *scopes: connect(server.cli.create_token(organization["id"], list(scopes))["token"])


@pytest.fixture(scope="session")
def polar(server, organization, connect):
    return connect(server.cli.create_token(organization["id"])["token"])


@pytest.fixture(scope="session")
def other_polar(server, other_organization, connect):
    return connect(server.cli.create_token(other_organization["id"])["token"])


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def unique():
    """Makes an e-mail address nobody used yet."""
    return lambda word="person": f"{word}.{next(_numbers)}@example.com"


@pytest.fixture
def team(polar, unique):
    """A team customer; its owner is its only member."""
    return polar.customers.create(request=models.CustomerTeamCreate(name="A team", email=unique("team")))


@pytest.fixture
def individual(polar, unique):
    return polar.customers.create(request=models.CustomerIndividualCreate(name="Someone", email=unique("single")))


@pytest.fixture
def members_of(polar):
    """Lists the members of a customer."""
    return lambda customer, **filters: polar.members.list_members(
        customer_id=customer.id, limit=100, **filters).result.items


@pytest.fixture
def owner_of(members_of):
    """The one owner of a customer."""
    def find(customer):
        owner, = members_of(customer, role=models.MemberRole.OWNER)
        return owner
    return find
