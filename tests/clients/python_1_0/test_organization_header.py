"""SDK 1.0 can name one organization for all calls of a person: header `Polar-Organization`."""
from uuid import uuid4

import pytest
from polar import PolarClientError


@pytest.fixture
def second(user_polar, unique):
    return user_polar.organizations.create(name="Second", slug=unique("second"))


@pytest.fixture
def person(server, connect):
    token = server.cli.create_user_token("founder@example.com")["token"]
    return lambda organization_id: connect(token, organization_id=organization_id)


def test_calls_reach_the_named_organization_alone(api, person, organization, second, individual, address):
    client = person(second.id)
    made = client.customers.create(email=address())
    assert made.organization_id == second.id
    assert [customer.id for customer in client.customers.iter_list()] == [made.id]
    with pytest.raises(api.errors.ResourceNotFound):
        client.customers.get(individual.id)
    assert person(organization["id"]).customers.get(individual.id) == individual


@pytest.mark.parametrize("target", ["unknown", "other"])
def test_an_organization_that_is_not_ones_own_shows_nothing(person, other_organization, target):
    client = person(str(uuid4()) if target == "unknown" else other_organization["id"])
    try:
        assert client.customers.list().items == []
    except PolarClientError as error:
        assert error.status_code in (403, 404)
