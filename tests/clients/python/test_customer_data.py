"""The state, the payment methods and the export of customers, and their anonymization."""
import csv
import io
from uuid import uuid4

import pytest
from polar_sdk import models
from polar_sdk.customers import ExportAcceptEnum


def test_state(polar, team, individual):
    for customer in (team, individual):
        state = polar.customers.get_state(id=customer.id)
        assert (state.id, state.email, state.name) == (customer.id, customer.email, customer.name)
        assert (state.active_subscriptions, state.granted_benefits, state.active_meters) == ([], [], [])


def test_state_shows_a_write_at_once(polar, unique, address):
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=address(), external_id=unique("state")))
    polar.customers.get_state_external(external_id=customer.external_id)
    polar.customers.update(id=customer.id, customer_update=models.CustomerUpdate(name="Fresh"))
    assert polar.customers.get_state_external(external_id=customer.external_id).name == "Fresh"


def test_export(polar, individual):
    answer = polar.customers.export(accept_header_override=ExportAcceptEnum.TEXT_CSV)
    rows = list(csv.DictReader(io.StringIO(answer)))
    row, = [row for row in rows if row["ID"] == individual.id]
    assert (row["Email"], row["Name"]) == (individual.email, individual.name)


def test_export_refuses_a_malformed_organization_id(polar):
    with pytest.raises(models.HTTPValidationError):
        polar.customers.export(organization_id="malformed", accept_header_override=ExportAcceptEnum.TEXT_CSV)


def test_payment_methods(polar, unique, address):
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=address(), external_id=unique("methods")))
    for page in (polar.customers.list_payment_methods(id=customer.id),
                 polar.customers.list_payment_methods_external(external_id=customer.external_id)):
        assert page.result.items == [] and page.result.pagination.total_count == 0
        assert page.next() is None
    with pytest.raises(models.HTTPValidationError):
        polar.customers.list_payment_methods(id=customer.id, page=0)


def test_unknown_customers_are_not_found(polar, other_polar, individual):
    for call in (polar.customers.get_state, polar.customers.list_payment_methods):
        with pytest.raises(models.ResourceNotFound):
            call(id=str(uuid4()))
    for call in (polar.customers.get_state_external, polar.customers.list_payment_methods_external):
        with pytest.raises(models.ResourceNotFound):
            call(external_id="unknown")
    for call in (other_polar.customers.get_state, other_polar.customers.list_payment_methods):
        with pytest.raises(models.ResourceNotFound):
            call(id=individual.id)


def test_a_missing_scope_is_forbidden(client_with, individual):
    without_scope = client_with("members:read")
    for call in (without_scope.customers.get_state, without_scope.customers.list_payment_methods):
        with pytest.raises(models.SDKError) as caught:
            call(id=individual.id)
        assert caught.value.status_code == 403


def test_delete_and_anonymize(polar, unique, address):
    created = [polar.customers.create(request=models.CustomerIndividualCreate(
        email=address("anonymized"), name="Anonymized", external_id=unique("anonymized"))) for _ in range(2)]
    polar.customers.delete(id=created[0].id, anonymize=True)
    polar.customers.delete_external(external_id=created[1].external_id, anonymize=True)
    for customer in created:
        with pytest.raises(models.ResourceNotFound):
            polar.customers.delete(id=customer.id, anonymize=True)
        assert polar.customers.list(email=customer.email).result.items == []
