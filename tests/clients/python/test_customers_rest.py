"""The rest of the operations on customers, and the creation of an organization."""
import csv
import io

import pytest
from polar_sdk import models


def exported_rows(polar, **filters):
    return list(csv.DictReader(io.StringIO(polar.customers.export(**filters))))


def test_state(polar, individual, team):
    for customer, kind in ((individual, models.CustomerStateIndividual), (team, models.CustomerStateTeam)):
        state = polar.customers.get_state(id=customer.id)
        assert isinstance(state, kind)
        assert (state.email, state.name, state.created_at) == (customer.email, customer.name, customer.created_at)
        assert (state.active_subscriptions, state.granted_benefits, state.active_meters) == ([], [], [])


def test_state_by_external_id_shows_a_write_at_once(polar, address):
    polar.customers.create(request=models.CustomerIndividualCreate(email=address(), external_id="state-1"))
    polar.customers.update_external(
        external_id="state-1", customer_update_external_id=models.CustomerUpdateExternalID(name="Fresh"))
    assert polar.customers.get_state_external(external_id="state-1").name == "Fresh"
    with pytest.raises(models.ResourceNotFound):
        polar.customers.get_state_external(external_id="unknown")


def test_payment_methods(polar, individual):
    page = polar.customers.list_payment_methods(id=individual.id)
    assert (page.result.items, page.result.pagination.total_count, page.next()) == ([], 0, None)
    with pytest.raises(models.ResourceNotFound):
        polar.customers.list_payment_methods_external(external_id="unknown")


def test_export(polar, address):
    email = address("export")
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=email, name="=cmd()", tax_id="FR61954506077", billing_address=models.AddressInput(country="FR"),
        metadata={"plan": "a,b"}))
    row, = [row for row in exported_rows(polar) if row["Email"] == email]
    assert (row["ID"], row["Name"], row["Tax ID"]) == (customer.id, "'=cmd()", "FR61954506077")
    assert (row["Billing Address Country"], row["Metadata"]) == ("FR", '{"plan":"a,b"}')
    assert row["Created At"].endswith("+00:00")


def test_export_without_the_scope_is_forbidden(client_with):
    with pytest.raises(models.SDKError) as caught:
        client_with("members:read").customers.export()
    assert caught.value.status_code == 403


def test_delete_with_anonymize(polar, address):
    email = address("anonymized")
    customer = polar.customers.create(request=models.CustomerIndividualCreate(email=email, external_id="anonymized-1"))
    polar.customers.delete(id=customer.id, anonymize=True)
    with pytest.raises(models.ResourceNotFound):
        polar.customers.get(id=customer.id)
    again = polar.customers.create(request=models.CustomerIndividualCreate(email=email, external_id="anonymized-1"))
    polar.customers.delete_external(external_id="anonymized-1", anonymize=True)
    with pytest.raises(models.ResourceNotFound):
        polar.customers.delete(id=again.id, anonymize=True)


def test_list_filters(polar, organization, unique, address):
    mark = unique("mark")
    one = polar.customers.create(request=models.CustomerIndividualCreate(
        email=address("filter"), name=f"B {mark}", metadata={"mark": mark, "kind": "x"}))
    two = polar.customers.create(request=models.CustomerTeamCreate(
        email=address("filter"), name=f"A {mark}", external_id=f"ext-{mark}", metadata={"mark": mark, "kind": "y"}))
    ids = lambda **filters: [customer.id for customer in polar.customers.list(limit=100, **filters).result.items]
    assert ids(query=mark, sorting=[models.CustomerSortProperty.NAME]) == [two.id, one.id]
    assert ids(query=f"ext-{mark}") == [two.id]
    assert ids(email=one.email.upper()) == [one.id]
    assert ids(metadata={"mark": mark, "kind": ["x", "z"]}) == [one.id]
    assert set(ids(metadata={"mark": mark}, organization_id=[organization["id"]], active=False)) == {one.id, two.id}
    assert ids(metadata={"mark": mark}, active=True) == []


def test_create_organization(server, connect, address):
    user = connect(server.cli.create_user_token(address("founder"))["token"])
    created = user.organizations.create(request=models.OrganizationCreate(
        name="Made by the SDK", slug="made-by-the-sdk", email="support@example.com", country="FR",
        legal_entity=models.OrganizationCompanyLegalEntitySchema(registered_name="Made Ltd")))
    assert (created.slug, created.email, created.status.value) == ("made-by-the-sdk", "support@example.com", "created")
    assert user.organizations.get(id=created.id) == created
    for slug in ("made-by-the-sdk", "backoffice"):
        with pytest.raises(models.HTTPValidationError) as caught:
            user.organizations.create(request=models.OrganizationCreate(name="Again", slug=slug))
        assert [item.loc for item in caught.value.data.detail] == [["body", "slug"]]
