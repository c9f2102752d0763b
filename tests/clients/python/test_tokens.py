"""Organization access tokens, created by a user of the organization."""
from uuid import uuid4

import pytest
from polar_sdk import models

READ, WRITE = models.AvailableScope.CUSTOMERS_READ, models.AvailableScope.CUSTOMERS_WRITE


@pytest.fixture
def create(user_polar, organization):
    return lambda **fields: user_polar.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
        **{"comment": "Made", "scopes": [READ], "organization_id": organization["id"], **fields}))


def test_create_and_use(create, connect, organization, individual):
    made = create(expires_in="P30D")
    shown = made.organization_access_token
    assert (shown.comment, shown.scopes, shown.organization_id) == ("Made", [READ], organization["id"])
    assert shown.expires_at > shown.created_at and shown.last_used_at is None
    client = connect(made.token)
    assert client.customers.get(id=individual.id) == individual
    with pytest.raises(models.SDKError) as caught:
        client.customers.create(request=models.CustomerIndividualCreate(email="no@example.com"))
    assert caught.value.status_code == 403


@pytest.mark.parametrize("expires_in", ["PT0S", "-P1D"])
def test_create_refuses_a_lifetime_that_is_not_positive(create, expires_in):
    with pytest.raises(models.HTTPValidationError):
        create(expires_in=expires_in)


def test_create_refuses_another_organization(create):
    with pytest.raises(models.HTTPValidationError):
        create(organization_id=str(uuid4()))


def test_list(create, user_polar, organization):
    made = [create(comment=f"Listed {number}").organization_access_token for number in range(2)]
    page = user_polar.organization_access_tokens.list(organization_id=organization["id"], limit=100)
    assert {token.id for token in made} <= {token.id for token in page.result.items}
    with pytest.raises(models.HTTPValidationError):
        user_polar.organization_access_tokens.list(page=0)


def test_update(create, user_polar):
    made = create().organization_access_token
    updated = user_polar.organization_access_tokens.update(
        id=made.id, organization_access_token_update=models.OrganizationAccessTokenUpdate(
            comment="Changed", scopes=[READ, WRITE]))
    assert (updated.id, updated.comment, set(updated.scopes)) == (made.id, "Changed", {READ, WRITE})
    same = user_polar.organization_access_tokens.update(
        id=made.id, organization_access_token_update=models.OrganizationAccessTokenUpdate(comment=None))
    assert same.comment == "Changed"


def test_a_deleted_token_is_refused_at_once(create, user_polar, connect):
    made = create()
    client = connect(made.token)
    client.customers.list()
    assert user_polar.organization_access_tokens.delete(id=made.organization_access_token.id) is None
    with pytest.raises(models.SDKError) as caught:
        client.customers.list()
    assert caught.value.status_code == 401
    with pytest.raises(models.PolarError) as caught:
        user_polar.organization_access_tokens.delete(id=made.organization_access_token.id)
    assert caught.value.status_code == 404


def test_a_missing_scope_is_forbidden(server, organization, connect):
    limited = connect(server.cli.create_token(organization["id"], scopes=["customers:read"])["token"])
    for call in (limited.organization_access_tokens.list,
                 lambda: limited.organization_access_tokens.delete(id=str(uuid4()))):
        with pytest.raises(models.PolarError) as caught:
            call()
        assert caught.value.status_code == 403
