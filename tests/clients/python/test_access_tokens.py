"""Organization access tokens, created by an organization's own token."""
import pytest
from polar_sdk import models


@pytest.fixture
def created(polar):
    return polar.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
        comment="by the SDK", scopes=[models.AvailableScope.MEMBERS_WRITE, models.AvailableScope.CUSTOMERS_READ]))


def listed(client, **filters):
    return client.organization_access_tokens.list(limit=100, **filters).result.items


def test_create_shows_the_secret_once(polar, organization, connect, created, individual):
    token = created.organization_access_token
    assert created.token.startswith("tenantry_oat_")
    assert (token.comment, token.organization_id, token.expires_at) == ("by the SDK", organization["id"], None)
    assert [scope.value for scope in token.scopes] == ["customers:read", "members:write"]
    assert token in listed(polar)
    holder = connect(created.token)
    assert holder.customers.get(id=individual.id) == individual
    with pytest.raises(models.SDKError) as caught:
        holder.organizations.list_organizations()
    assert caught.value.status_code == 403


def test_expires_in_is_a_duration(polar):
    token = polar.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
        comment="a month", scopes=[], expires_in="P30D")).organization_access_token
    assert (token.expires_at - token.created_at).days == 30
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
            comment="never", scopes=[], expires_in="P0D"))
    assert [item.loc for item in caught.value.data.detail] == [["body", "expires_in"]]


def test_update_and_delete(polar, connect, created):
    token = created.organization_access_token
    updated = polar.organization_access_tokens.update(
        id=token.id, organization_access_token_update=models.OrganizationAccessTokenUpdate(comment="renamed"))
    assert (updated.comment, updated.scopes) == ("renamed", token.scopes)
    polar.organization_access_tokens.delete(id=token.id)
    assert token.id not in [found.id for found in listed(polar)]
    with pytest.raises(models.SDKError) as caught:
        connect(created.token).customers.list()
    assert caught.value.status_code == 401
    with pytest.raises(models.SDKError) as caught:
        polar.organization_access_tokens.delete(id=token.id)
    assert caught.value.status_code == 404


def test_list_shows_tokens_of_all_scopes_and_of_the_other_dialect(server, organization, polar):
    mixed = server.cli.create_token(organization["id"], ["accounts:read", "customers:read"])
    tokens = {token.id: token for token in listed(polar, sorting=[models.OrganizationAccessTokenSortProperty.MINUS_CREATED_AT])}
    assert [scope.value for scope in tokens[mixed["id"]].scopes] == ["customers:read"]
    everything = max(tokens.values(), key=lambda token: len(token.scopes))
    assert {"customers:write", "organization_access_tokens:write"} <= {scope.value for scope in everything.scopes}


def test_a_token_cannot_grant_scopes_that_it_does_not_have(client_with):
    narrow = client_with("organization_access_tokens:write", "customers:read")
    with pytest.raises(models.HTTPValidationError) as caught:
        narrow.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
            comment="more scopes", scopes=[models.AvailableScope.MEMBERS_WRITE]))
    assert [item.loc for item in caught.value.data.detail] == [["body", "scopes"]]


def test_other_organizations_tokens_are_not_found(other_polar, created):
    with pytest.raises(models.SDKError) as caught:
        other_polar.organization_access_tokens.delete(id=created.organization_access_token.id)
    assert caught.value.status_code == 404
