from uuid import uuid4

import pytest
from polar_sdk import models


def test_create_individual(polar, organization, address, owner_of):
    email = address()
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=email, name="Ada", external_id=email, metadata={"plan": "free", "seats": 3, "beta": True}))
    assert isinstance(customer, models.CustomerIndividual)
    assert (customer.email, customer.name, customer.external_id) == (email, "Ada", email)
    assert customer.metadata == {"plan": "free", "seats": 3, "beta": True}
    assert (customer.organization_id, customer.email_verified) == (organization["id"], False)
    owner = owner_of(customer)
    assert (owner.email, owner.created_at) == (email, customer.created_at)


def test_create_team_with_another_owner(polar, address, owner_of):
    email = address("owner")
    customer = polar.customers.create(request=models.CustomerTeamCreate(
        name="Team", owner=models.MemberOwnerCreate(email=email, name="Olga", external_id="olga")))
    assert isinstance(customer, models.CustomerTeam)
    assert customer.email is None and customer.avatar_url
    owner = owner_of(customer)
    assert (owner.email, owner.name, owner.external_id) == (email, "Olga", "olga")


def test_a_team_needs_an_owner_with_an_email(polar, violations):
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.customers.create(request=models.CustomerTeamCreate(name="Ownerless"))
    assert violations(caught) == [("value_error", "body", "team")]


def test_get_customer(polar, team):
    assert polar.customers.get(id=team.id) == team


def test_get_customer_by_external_id(polar, address):
    customer = polar.customers.create(
        request=models.CustomerIndividualCreate(email=address(), external_id="by-external"))
    assert polar.customers.get_external(external_id="by-external") == customer


def test_update_customer(polar, individual, address, owner_of):
    email = address("changed")
    updated = polar.customers.update(id=individual.id, customer_update=models.CustomerUpdate(
        email=email, name="New name", metadata={"a": "b"}))
    assert (updated.email, updated.name, updated.metadata) == (email, "New name", {"a": "b"})
    assert owner_of(individual).email == email
    assert polar.customers.get(id=individual.id) == updated


def test_update_customer_with_null_clears_the_name_but_not_the_email(polar, individual):
    updated = polar.customers.update(
        id=individual.id, customer_update=models.CustomerUpdate(name=None, email=None))
    assert (updated.name, updated.email) == (None, individual.email)


def test_an_individual_can_become_a_team_but_not_back(polar, individual, address):
    updated = polar.customers.update(
        id=individual.id, customer_update=models.CustomerUpdate(type=models.CustomerType.TEAM))
    assert isinstance(updated, models.CustomerTeam)
    polar.members.create_member(request=models.MemberCreate(customer_id=individual.id, email=address()))
    with pytest.raises(models.HTTPValidationError):
        polar.customers.update(
            id=individual.id, customer_update=models.CustomerUpdate(type=models.CustomerType.INDIVIDUAL))


def test_list_customers(polar, address):
    created = [polar.customers.create(request=models.CustomerIndividualCreate(
        email=address("listed"), metadata={"list": "yes"})) for _ in range(3)]
    found = polar.customers.list(metadata={"list": "yes"}, limit=2)
    assert [customer.id for customer in found.result.items] == [created[2].id, created[1].id]
    assert (found.result.pagination.total_count, found.result.pagination.max_page) == (3, 2)
    assert [customer.id for customer in found.next().result.items] == [created[0].id]
    by_email = polar.customers.list(email=created[0].email.upper()).result.items
    assert [customer.id for customer in by_email] == [created[0].id]


def test_delete_customer_deletes_its_members(polar, team, members_of):
    member, = members_of(team)
    assert polar.customers.delete(id=team.id) is None
    for call in (polar.customers.get, polar.customers.delete):
        with pytest.raises(models.ResourceNotFound):
            call(id=team.id)
    with pytest.raises(models.ResourceNotFound):
        polar.members.get_member(id=member.id)
    assert members_of(team) == []


def test_the_email_of_a_deleted_customer_is_free(polar, individual):
    polar.customers.delete(id=individual.id)
    again = polar.customers.create(request=models.CustomerIndividualCreate(email=individual.email))
    assert again.id != individual.id


def test_email_and_external_id_are_unique(polar, address, violations):
    email = address("twice")
    polar.customers.create(request=models.CustomerIndividualCreate(email=email, external_id="twice"))
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.customers.create(request=models.CustomerIndividualCreate(email=email.upper(), external_id="twice"))
    assert violations(caught) == [("value_error", "body", "email"), ("value_error", "body", "external_id")]


def test_an_organization_token_must_not_name_an_organization(polar, organization, address, violations):
    with pytest.raises(models.HTTPValidationError) as caught:
        polar.customers.create(request=models.CustomerIndividualCreate(
            email=address(), organization_id=organization["id"]))
    assert violations(caught) == [("organization_token", "body", "organization_id")]


def test_an_unknown_customer_is_not_found(polar):
    with pytest.raises(models.ResourceNotFound) as caught:
        polar.customers.get(id=str(uuid4()))
    assert caught.value.data.detail == "Not found"


def test_customers_of_another_organization_are_not_found(other_polar, team):
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.get(id=team.id)
    with pytest.raises(models.ResourceNotFound):
        other_polar.customers.delete(id=team.id)


def test_a_missing_scope_is_forbidden(client_with, team, address):
    reader = client_with("customers:read")
    assert reader.customers.get(id=team.id) == team
    with pytest.raises(models.SDKError) as caught:
        reader.customers.create(request=models.CustomerIndividualCreate(email=address()))
    assert caught.value.status_code == 403
