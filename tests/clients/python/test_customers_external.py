"""Customers and members addressed by external id."""
import pytest
from polar_sdk import models


@pytest.fixture
def seeded(polar, unique, address):
    """A team customer with an external id, and a member with one."""
    customer = polar.customers.create(request=models.CustomerTeamCreate(
        name="External", email=address("external"), external_id=unique("external")))
    member = polar.members.create_member(request=models.MemberCreate(
        customer_id=customer.id, email=address(), external_id="seat"))
    return customer, member


def test_update_customer(polar, seeded):
    customer, _ = seeded
    updated = polar.customers.update_external(
        external_id=customer.external_id,
        customer_update_external_id=models.CustomerUpdateExternalID(name="Renamed", metadata={"a": 1}))
    assert (updated.id, updated.name, updated.metadata) == (customer.id, "Renamed", {"a": 1})


def test_update_customer_refuses_a_taken_email(polar, seeded, individual):
    customer, _ = seeded
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.customers.update_external(
            external_id=customer.external_id,
            customer_update_external_id=models.CustomerUpdateExternalID(email=individual.email))
    assert [(item.type, item.loc) for item in caught.value.data.detail] == [("value_error", ["body", "email"])]


def test_delete_customer(polar, seeded):
    customer, _ = seeded
    assert polar.customers.delete_external(external_id=customer.external_id) is None
    for call in (polar.customers.get_external, polar.customers.delete_external):
        with pytest.raises(models.ResourceNotFound):
            call(external_id=customer.external_id)


def test_customers_of_another_organization_are_not_found(other_polar, seeded):
    customer, _ = seeded
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.get_external(external_id=customer.external_id)
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.delete_external(external_id=customer.external_id)


def customer_parameters(customer):
    """Returns the two ways to name the customer of a member."""
    return {"customer_id": customer.id}, {"external_customer_id": customer.external_id}


def test_update_member(polar, seeded):
    customer, member = seeded
    for number, parameters in enumerate(customer_parameters(customer)):
        updated = polar.members.update_member_by_external_id(
            external_id="seat", member_update=models.MemberUpdate(name=f"Name {number}"), **parameters)
        assert (updated.id, updated.name) == (member.id, f"Name {number}")


def test_delete_member(polar, seeded):
    customer, member = seeded
    assert polar.members.delete_member_by_external_id(
        external_id="seat", external_customer_id=customer.external_id) is None
    for parameters in customer_parameters(customer):
        with pytest.raises(models.ResourceNotFound) as caught:
            polar.members.delete_member_by_external_id(external_id="seat", **parameters)
        assert caught.value.data.detail == "Member not found"
    with pytest.raises(models.ResourceNotFound):
        polar.members.get_member(id=member.id)


def test_a_member_needs_exactly_one_customer(polar, seeded):
    customer, _ = seeded
    calls = (polar.members.get_member_by_external_id, polar.members.delete_member_by_external_id,
             lambda **fields: polar.members.update_member_by_external_id(
                 member_update=models.MemberUpdate(name="x"), **fields))
    both = {"customer_id": customer.id, "external_customer_id": customer.external_id}
    for call in calls:
        for parameters, kind in (({}, "missing"), (both, "value_error")):
            with pytest.raises(models.HTTPValidationError) as caught:
                call(external_id="seat", **parameters)
            assert [(item.type, item.loc) for item in caught.value.data.detail] == [(kind, ["query"])]
