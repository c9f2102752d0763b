"""What the SDK has no methods for is requested by its own HTTP client, beside calls of its methods: ownership, deletion and
restoration, rotation and revocation of tokens, ETags, imports and exports."""
import csv
import io

import pytest
from harness import eventually
from polar_sdk import models

MARK = b"\xef\xbb\xbf"


def send(sdk, method, path, **options):
    """Sends a request with the client, the address and the token of an SDK."""
    configuration = sdk.sdk_configuration
    security = configuration.security() if callable(configuration.security) else configuration.security
    headers = {"Authorization": f"Bearer {security.access_token}", **options.pop("headers", {})}
    url = configuration.get_server_details()[0] + path
    return configuration.client.send(configuration.client.build_request(method, url, headers=headers, **options))


@pytest.fixture
def own(server, connect, unique, address):
    """An organization of its own: its id, an SDK client of it and one of its owner."""
    owner = address("owner")
    organization = server.cli.create_organization(unique("own"), owner_email=owner)["id"]
    of_organization = connect(server.cli.create_token(organization)["token"])
    return organization, of_organization, connect(server.cli.create_user_token(owner)["token"])


def refused(status, call, **arguments):
    with pytest.raises(models.SDKError) as caught:
        call(**arguments)
    return caught.value.status_code == status


def test_an_offered_organization_has_another_owner_once_it_is_accepted(server, connect, own, address):
    organization, _, owner = own
    path, email = f"/v1/organizations/{organization}", address("next")
    person = server.cli.create_user_token(email)
    following = connect(person["token"])
    assert send(owner, "POST", f"{path}/members", json={"email": email}).status_code == 201
    offer = send(owner, "POST", f"{path}/transfer", json={"user_id": person["user_id"]})
    assert offer.status_code == 202, offer.text
    assert send(owner, "GET", f"{path}/transfer").json()["user_id"] == person["user_id"]
    assert send(following, "POST", f"{path}/transfer/accept", json={}).status_code == 200
    roles = {one["user_id"]: one["role"] for one in send(following, "GET", f"{path}/members").json()["items"]}
    assert sorted(roles.values()) == ["admin", "owner"] and roles[person["user_id"]] == "owner"
    # Anybody but the owner leaves the team.
    assert send(following, "DELETE", f"{path}/members/leave").status_code == 403
    assert send(owner, "DELETE", f"{path}/members/leave").status_code == 204


def test_a_deleted_organization_comes_back_with_its_tokens(own, address):
    organization, sdk, owner = own
    path = f"/v1/organizations/{organization}"
    customer = sdk.customers.create(request=models.CustomerIndividualCreate(email=address()))
    assert send(sdk, "DELETE", path).status_code == 401
    deleted = send(owner, "DELETE", path)
    assert deleted.json() == {"deleted": True, "requires_support": False, "blocked_reasons": []}
    assert refused(401, sdk.customers.list)
    assert send(owner, "POST", f"{path}/undelete", json={}).json()["id"] == organization
    assert sdk.customers.get(id=customer.id) == customer


def test_a_deleted_customer_comes_back_with_its_members(polar, team, address, members_of):
    polar.members.create_member(request=models.MemberCreate(customer_id=team.id, email=address()))
    before = members_of(team)
    polar.customers.delete(id=team.id)
    again = polar.customers.create(request=models.CustomerIndividualCreate(email=team.email))
    path = f"/v1/customers/{team.id}/restore"
    taken = send(polar, "POST", path, json={})
    assert taken.status_code == 409 and "email" in taken.json()["detail"].lower()
    polar.customers.delete(id=again.id)
    assert send(polar, "POST", path, json={}).status_code == 200
    assert polar.customers.get(id=team.id).external_id == team.external_id
    assert [one.id for one in members_of(team)] == [one.id for one in before]


def test_a_rotated_token_has_two_secrets_until_one_is_revoked(polar, connect):
    created = polar.organization_access_tokens.create(request=models.OrganizationAccessTokenCreate(
        comment="rotated", scopes=[models.AvailableScope.CUSTOMERS_READ]))
    token = created.organization_access_token.id
    path = f"/v1/organization-access-tokens/{token}"
    rotated = send(polar, "POST", f"{path}/rotate", json={"overlap_seconds": 3600})
    assert rotated.status_code == 200, rotated.text
    old, new = connect(created.token), connect(rotated.json()["token"])
    for client in (old, new):
        assert client.customers.list(limit=1).result.pagination is not None
    shown = send(polar, "GET", path).json()
    # The uses of both are stored within minutes.
    assert shown["previous_secret"]["expires_at"] and {"last_used_at"} <= shown.keys() & shown["previous_secret"].keys()
    # A leaked secret whose id nobody knows. Whoever has it needs no other credential.
    assert send(old, "POST", "/v1/tokens/revoke", data={"token": created.token}).status_code == 200
    assert refused(401, old.customers.list)
    assert new.customers.list(limit=1).result.pagination is not None
    assert "previous_secret" not in send(polar, "GET", path).json()


def test_a_change_with_an_outdated_etag_is_refused(polar, organization, team, individual, owner_of):
    created = polar.organization_access_tokens.create(
        request=models.OrganizationAccessTokenCreate(comment="etag", scopes=[]))
    endpoint = polar.webhooks.create_webhook_endpoint(request=models.WebhookEndpointCreate(
        url="https://hooks.invalid/in", format_=models.WebhookFormat.RAW, events=[]))
    token, owner = created.organization_access_token.id, owner_of(team).id
    hooks, tokens = polar.webhooks, polar.organization_access_tokens
    for path, change in [
            (f"/v1/customers/{individual.id}", lambda **options: polar.customers.update(
                id=individual.id, customer_update=models.CustomerUpdate(name="Changed"), **options)),
            (f"/v1/members/{owner}", lambda **options: polar.members.update_member(
                id=owner, member_update=models.MemberUpdate(name="Changed"), **options)),
            (f"/v1/organizations/{organization['id']}", lambda **options: polar.organizations.update(
                id=organization["id"], organization_update=models.OrganizationUpdate(name="Changed"), **options)),
            (f"/v1/organization-access-tokens/{token}", lambda **options: tokens.update(
                id=token, organization_access_token_update=models.OrganizationAccessTokenUpdate(comment="Changed"), **options)),
            (f"/v1/webhooks/endpoints/{endpoint.id}", lambda **options: hooks.update_webhook_endpoint(
                id=endpoint.id, webhook_endpoint_update=models.WebhookEndpointUpdate(name="Changed"), **options))]:
        read = send(polar, "GET", path)
        tag = {"If-Match": read.headers["etag"]}
        assert send(polar, "GET", path, headers={"If-None-Match": tag["If-Match"]}).status_code == 304, path
        change(http_headers=tag)
        assert refused(412, change, http_headers=tag), path
        assert send(polar, "GET", path).headers["etag"] != tag["If-Match"], path
    stale = {"If-Match": '"0"'}
    assert refused(412, hooks.delete_webhook_endpoint, id=endpoint.id, http_headers=stale)
    hooks.delete_webhook_endpoint(id=endpoint.id)
    polar.organizations.update(id=organization["id"], organization_update=models.OrganizationUpdate(name=organization["name"]))


def test_an_import_creates_what_its_dry_run_announced(polar, unique, address):
    names = [unique("imported") for _ in range(3)]
    rows = "email,external_id,name\n" + "".join(f"{address()},{name},Ada\n" for name in names) + "nobody,x,Bob\n"

    def imported(parameters):
        answer = send(polar, "POST", f"/v1/customers/import{parameters}", content=rows.encode(),
                      headers={"Content-Type": "text/csv"})
        assert answer.status_code == 202, answer.text
        path = f"/v1/customers/import/{answer.json()['id']}"
        return eventually(lambda: (progress := send(polar, "GET", path).json())["state"] == "completed" and progress,
                          30, "the import is completed")

    for parameters, exist in (("?dry_run=true", False), ("", True)):
        progress = imported(parameters)
        assert (progress["created"], progress["failed"]) == (3, 1), progress
        if exist:
            assert [polar.customers.get_external(external_id=name).name for name in names] == ["Ada"] * 3
        else:
            with pytest.raises(models.ResourceNotFound):
                polar.customers.get_external(external_id=names[0])
    assert imported("?on_match=skip")["skipped"] == 3


def test_exports_of_customers_and_members_have_a_mark_and_a_neutral_name(polar, team, owner_of):
    owner = owner_of(team)
    for table, row in (("customers", team), ("members", owner)):
        answer = send(polar, "GET", f"/v1/{table}/export?bom=true")
        assert answer.content.startswith(MARK)
        assert f'filename="{table}.csv"' in answer.headers["content-disposition"]
        found, = [one for one in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))) if one["ID"] == row.id]
        assert (found["Email"], found["Name"]) == (row.email, row.name or "")
        assert not send(polar, "GET", f"/v1/{table}/export").content.startswith(MARK)
