"""The state, the payment methods and the export of customers, and their anonymization."""
import csv
import io
from uuid import uuid4

import pytest
from polar import PolarClientError


@pytest.mark.parametrize("kind", ["individual", "team"])
def test_state(api, polar, kind, request):
    customer = request.getfixturevalue(kind)
    state = polar.customers.get_state(customer.id)
    assert isinstance(state, (api.outputs.CustomerStateIndividual, api.outputs.CustomerStateTeam))
    assert (state.id, state.email, state.type) == (customer.id, customer.email, kind)
    assert (state.active_subscriptions, state.granted_benefits, state.active_meters) == ([], [], [])
    assert polar.customers.get_state_external(customer.external_id) == state


def test_state_shows_a_write_at_once(polar, individual):
    polar.customers.get_state(individual.id)
    polar.customers.update(individual.id, name="Fresh", metadata={"a": 1})
    state = polar.customers.get_state(individual.id)
    assert (state.name, state.metadata) == ("Fresh", {"a": 1})
    polar.customers.delete(individual.id)
    with pytest.raises(PolarClientError) as caught:
        polar.customers.get_state(individual.id)
    assert caught.value.status_code == 404


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_export(polar, unique, address):
    external_id = unique("export")
    created = polar.customers.create(
        email=address("export"), name='Ada, "the first"', external_id=external_id, metadata={"plan": "free"},
        billing_address={"country": "FR", "line1": "1 rue", "postal_code": "75001", "city": "Paris"})
    row, = [row for row in csv_rows(polar.customers.export()) if row["ID"] == created.id]
    assert (row["External ID"], row["Email"], row["Name"]) == (external_id, created.email, 'Ada, "the first"')
    assert (row["Billing Address Zip"], row["Billing Address Country"]) == ("75001", "FR")
    assert '"plan"' in row["Metadata"]


def test_export_escapes_formulas(polar, address):
    created = polar.customers.create(email=address("formula"), name='=HYPERLINK("https://example.com")')
    row, = [row for row in csv_rows(polar.customers.export()) if row["ID"] == created.id]
    assert row["Name"][0] not in "=+-@\t\r" and "HYPERLINK" in row["Name"]


def test_export_shows_only_customers_of_the_token(api, polar, other_polar, other_organization, individual, violations):
    assert individual.id not in [row["ID"] for row in csv_rows(other_polar.customers.export())]
    assert csv_rows(polar.customers.export(organization_id=other_organization["id"])) == []
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.export(organization_id="malformed")
    assert {violation[:3] for violation in violations(caught)} == {("uuid_parsing", "query", "organization_id")}


def test_payment_methods(polar, individual):
    for page in (polar.customers.list_payment_methods(individual.id),
                 polar.customers.list_payment_methods_external(individual.external_id)):
        assert (page.items, page.pagination.total_count, page.pagination.max_page) == ([], 0, 0)
    assert list(polar.customers.iter_list_payment_methods(individual.id)) == []
    assert list(polar.customers.iter_list_payment_methods_external(individual.external_id)) == []


def test_payment_methods_refuse_an_invalid_page(api, polar, individual, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.list_payment_methods(individual.id, page=0)
    assert violations(caught) == [("greater_than", "query", "page")]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.list_payment_methods_external(individual.external_id, limit=0)
    assert violations(caught) == [("greater_than", "query", "limit")]


def test_unknown_customers_are_not_found(api, polar, other_polar, individual):
    for client, exists in ((polar, False), (other_polar, True)):
        customer_id = individual.id if exists else str(uuid4())
        external_id = individual.external_id if exists else "unknown"
        for call, target in ((client.customers.get_state, customer_id),
                             (client.customers.get_state_external, external_id),
                             (client.customers.list_payment_methods, customer_id),
                             (client.customers.list_payment_methods_external, external_id)):
            with pytest.raises(api.errors.ResourceNotFound) as caught:
                call(target)
            assert caught.value.error.detail == "Not found"


def test_a_malformed_id_is_refused(api, polar, violations):
    for call in (polar.customers.get_state, polar.customers.list_payment_methods):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            call("malformed")
        assert violations(caught) == [("uuid_parsing", "path", "id")]


def test_a_missing_scope_is_forbidden(client_with, individual):
    without_scope = client_with("members:read").customers
    for call in (lambda: without_scope.get_state(individual.id), lambda: without_scope.list_payment_methods(individual.id),
                 without_scope.export):
        with pytest.raises(PolarClientError) as caught:
            call()
        assert caught.value.status_code == 403


@pytest.mark.parametrize("by", ["id", "external_id"])
def test_delete_and_anonymize(api, polar, individual, by):
    customers = polar.customers
    delete, get = ((customers.delete, customers.get) if by == "id"
                   else (customers.delete_external, customers.get_external))
    assert delete(getattr(individual, by), anonymize=True) is None
    for call in (get, lambda target: delete(target, anonymize=True)):
        with pytest.raises(api.errors.ResourceNotFound):
            call(getattr(individual, by))
    assert customers.list(email=individual.email).items == []
    assert individual.email not in customers.export()
    assert customers.create(email=individual.email).id != individual.id
