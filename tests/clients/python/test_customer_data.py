"""What is read about a customer besides itself, and how its person is forgotten."""
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


def test_state_is_true_right_after_a_write(polar, unique):
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=unique(), external_id=unique("state")))
    polar.customers.get_state_external(external_id=customer.external_id)
    polar.customers.update(id=customer.id, customer_update=models.CustomerUpdate(name="Fresh"))
    assert polar.customers.get_state_external(external_id=customer.external_id).name == "Fresh"


def test_export(polar, individual):
    answer = polar.customers.export(accept_header_override=ExportAcceptEnum.TEXT_CSV)
    rows = list(csv.DictReader(io.StringIO(answer)))
    row, = [row for row in rows if row["ID"] == individual.id]
    assert (row["Email"], row["Name"]) == (individual.email, individual.name)


def test_export_refuses_an_organization_that_is_none(polar):
    with pytest.raises(models.HTTPValidationError):
        polar.customers.export(organization_id="nobody", accept_header_override=ExportAcceptEnum.TEXT_CSV)


def test_payment_methods(polar, unique):
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=unique(), external_id=unique("methods")))
    for page in (polar.customers.list_payment_methods(id=customer.id),
                 polar.customers.list_payment_methods_external(external_id=customer.external_id)):
        assert page.result.items == [] and page.result.pagination.total_count == 0
        assert page.next() is None
    with pytest.raises(models.HTTPValidationError):
        polar.customers.list_payment_methods(id=customer.id, page=0)


def test_what_is_unknown_is_not_found(polar, other_polar, individual):
    for call in (polar.customers.get_state, polar.customers.list_payment_methods):
        with pytest.raises(models.ResourceNotFound):
            call(id=str(uuid4()))
    for call in (polar.customers.get_state_external, polar.customers.list_payment_methods_external):
        with pytest.raises(models.ResourceNotFound):
            call(external_id="nobody")
    for call in (other_polar.customers.get_state, other_polar.customers.list_payment_methods):
        with pytest.raises(models.ResourceNotFound):
            call(id=individual.id)


def test_a_missing_scope_is_forbidden(client_with, individual):
    stranger = client_with("members:read")
    for call in (stranger.customers.get_state, stranger.customers.list_payment_methods):
        with pytest.raises(models.SDKError) as caught:
            call(id=individual.id)
        assert caught.value.status_code == 403


def test_delete_and_forget_the_person(polar, unique):
    made = [polar.customers.create(request=models.CustomerIndividualCreate(
        email=unique("forgotten"), name="Forgotten", external_id=unique("forgotten"))) for _ in range(2)]
    polar.customers.delete(id=made[0].id, anonymize=True)
    polar.customers.delete_external(external_id=made[1].external_id, anonymize=True)
    for customer in made:
        with pytest.raises(models.ResourceNotFound):
            polar.customers.delete(id=customer.id, anonymize=True)
        assert polar.customers.list(email=customer.email).result.items == []
