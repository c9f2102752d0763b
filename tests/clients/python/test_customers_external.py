"""Customers and members by the ids their own system gave them."""
import pytest
from polar_sdk import models


@pytest.fixture
def known(polar, unique):
    """A team customer with an external id, and a member with one."""
    customer = polar.customers.create(request=models.CustomerTeamCreate(
        name="Known", email=unique("known"), external_id=unique("external")))
    member = polar.members.create_member(request=models.MemberCreate(
        customer_id=customer.id, email=unique(), external_id="seat"))
    return customer, member


def test_update_customer(polar, known):
    customer, _ = known
    updated = polar.customers.update_external(
        external_id=customer.external_id,
        customer_update_external_id=models.CustomerUpdateExternalID(name="Renamed", metadata={"a": 1}))
    assert (updated.id, updated.name, updated.metadata) == (customer.id, "Renamed", {"a": 1})


def test_update_customer_refuses_a_taken_email(polar, known, individual):
    customer, _ = known
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.customers.update_external(
            external_id=customer.external_id,
            customer_update_external_id=models.CustomerUpdateExternalID(email=individual.email))
    assert [(item.type, item.loc) for item in caught.value.data.detail] == [("value_error", ["body", "email"])]


def test_delete_customer(polar, known):
    customer, _ = known
    assert polar.customers.delete_external(external_id=customer.external_id) is None
    for call in (polar.customers.get_external, polar.customers.delete_external):
        with pytest.raises(models.ResourceNotFound):
            call(external_id=customer.external_id)


def test_customers_of_another_organization_are_not_found(other_polar, known):
    customer, _ = known
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.get_external(external_id=customer.external_id)
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.delete_external(external_id=customer.external_id)


def whose(customer):
    """The two ways to name the customer of a member."""
    return {"customer_id": customer.id}, {"external_customer_id": customer.external_id}


def test_update_member(polar, known):
    customer, member = known
    for number, customer_named in enumerate(whose(customer)):
        updated = polar.members.update_member_by_external_id(
            external_id="seat", member_update=models.MemberUpdate(name=f"Name {number}"), **customer_named)
        assert (updated.id, updated.name) == (member.id, f"Name {number}")


def test_delete_member(polar, known):
    customer, member = known
    assert polar.members.delete_member_by_external_id(
        external_id="seat", external_customer_id=customer.external_id) is None
    for customer_named in whose(customer):
        with pytest.raises(models.ResourceNotFound) as caught:
            polar.members.delete_member_by_external_id(external_id="seat", **customer_named)
        assert caught.value.data.detail == "Member not found"
    with pytest.raises(models.ResourceNotFound):
        polar.members.get_member(id=member.id)


def test_a_member_needs_one_customer(polar, known):
    customer, _ = known
    calls = (polar.members.get_member_by_external_id, polar.members.delete_member_by_external_id,
             lambda **fields: polar.members.update_member_by_external_id(
                 member_update=models.MemberUpdate(name="x"), **fields))
    both = {"customer_id": customer.id, "external_customer_id": customer.external_id}
    for call in calls:
        for named, kind in (({}, "missing"), (both, "value_error")):
            with pytest.raises(models.HTTPValidationError) as caught:
                call(external_id="seat", **named)
            assert [(item.type, item.loc) for item in caught.value.data.detail] == [(kind, ["query"])]
