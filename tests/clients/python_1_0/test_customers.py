from uuid import uuid4

import pytest
from polar import PolarClientError


def test_create_an_individual(api, polar, organization, unique, address):
    email, external_id = address(), unique("ext")
    metadata = {"plan": "free", "seats": 3, "share": 0.5, "beta": True}
    customer = polar.customers.create(
        email=email, name="Ada", external_id=external_id, metadata=metadata, locale="en-us",
        billing_address={"country": "US", "state": "CA", "line1": " 1 Road ", "city": ""})
    assert isinstance(customer, api.outputs.CustomerIndividual)
    assert (customer.email, customer.name, customer.external_id) == (email, "Ada", external_id)
    assert customer.metadata == metadata
    assert (customer.locale, customer.organization_id, customer.email_verified) == ("en-US", organization["id"], False)
    billing = customer.billing_address
    assert (billing.line1, billing.city, billing.state, billing.country) == ("1 Road", None, "US-CA", "US")


def test_create_a_team_with_another_owner(api, polar, address):
    email = address("owner")
    customer = polar.customers.create(
        type="team", name="Team", owner={"email": email, "name": "Olga", "external_id": "olga"})
    assert isinstance(customer, api.outputs.CustomerTeam)
    assert customer.email is None and customer.avatar_url


def test_create_refuses_a_team_without_an_owner(api, polar, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.create(type="team", name="Ownerless")
    assert violations(caught) == [("value_error", "body", "team")]


def test_create_refuses_an_email_and_an_external_id_in_use(api, polar, individual, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.create(email=individual.email.upper(), external_id=individual.external_id)
    assert violations(caught) == [("value_error", "body", "email"), ("value_error", "body", "external_id")]


@pytest.mark.parametrize("field, value", [
    ("email", "nope"), ("locale", "x-klingon"), ("tax_id", "FR61954506077")])
def test_create_refuses_an_invalid_field(api, polar, address, field, value):
    with pytest.raises(api.errors.HTTPValidationError):
        polar.customers.create(**{"email": address(), field: value})


def test_a_user_must_name_one_of_its_organizations(api, user_polar, organization, address, violations):
    created = user_polar.customers.create(email=address(), organization_id=organization["id"])
    assert created.organization_id == organization["id"]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        user_polar.customers.create(email=address(), organization_id=str(uuid4()))
    assert violations(caught) == [("value_error", "body", "organization_id")]


def test_get(polar, individual, team):
    for customer in (individual, team):
        assert polar.customers.get(customer.id) == customer
        assert polar.customers.get_external(customer.external_id) == customer


def test_list(polar, unique, address):
    word = unique("listed")
    created = [polar.customers.create(email=address(word), metadata={"list": word}) for _ in range(3)]
    page = polar.customers.list(metadata={"list": word}, limit=2)
    assert [customer.id for customer in page.items] == [created[2].id, created[1].id]
    assert (page.pagination.total_count, page.pagination.max_page) == (3, 2)
    found = polar.customers.iter_list(metadata={"list": [word, "none"]}, sorting=["created_at"], limit=2)
    assert [customer.id for customer in found] == [customer.id for customer in created]
    assert [customer.id for customer in polar.customers.list(email=created[0].email.upper()).items] == [created[0].id]
    assert polar.customers.list(query=word).pagination.total_count == 3


@pytest.mark.parametrize("field, value, violation", [
    ("sorting", ["age"], ("enum", "query", "sorting", 0)), ("page", 0, ("greater_than", "query", "page"))])
def test_list_refuses_invalid_parameters(api, polar, violations, field, value, violation):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.list(**{field: value})
    assert violations(caught) == [violation]


def test_update(polar, individual, address):
    email = address("changed")
    updated = polar.customers.update(individual.id, email=email, name="New name", metadata={"a": "b"})
    assert (updated.email, updated.name, updated.metadata) == (email, "New name", {"a": "b"})
    assert polar.customers.get(individual.id) == updated
    assert polar.customers.update_external(individual.external_id, name=None).name is None


def test_an_individual_can_become_a_team_but_not_back(api, polar, individual, violations):
    assert isinstance(polar.customers.update(individual.id, type="team"), api.outputs.CustomerTeam)
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.update(individual.id, type="individual")
    assert violations(caught) == [("value_error", "body", "type")]


def test_update_refuses_an_email_in_use_and_a_new_external_id(api, polar, individual, team, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.update(individual.id, email=team.email, external_id="another")
    assert violations(caught) == [("value_error", "body", "email"), ("value_error", "body", "external_id")]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.customers.update_external(individual.external_id, email=team.email)
    assert violations(caught) == [("value_error", "body", "email")]


def test_delete(api, polar, individual, team):
    assert polar.customers.delete(individual.id) is None
    assert polar.customers.delete_external(team.external_id) is None
    for call in (polar.customers.get, polar.customers.delete):
        with pytest.raises(api.errors.ResourceNotFound) as caught:
            call(individual.id)
        assert (caught.value.error.error, caught.value.error.detail) == ("ResourceNotFound", "Not found")
    for call in (polar.customers.get_external, polar.customers.delete_external):
        with pytest.raises(api.errors.ResourceNotFound):
            call(team.external_id)
    assert polar.customers.create(email=individual.email, external_id=individual.external_id).id != individual.id


def test_unknown_customers_are_not_found(api, polar):
    for call in (polar.customers.get, polar.customers.update, polar.customers.delete):
        with pytest.raises(api.errors.ResourceNotFound):
            call(str(uuid4()))
    for call in (polar.customers.get_external, polar.customers.update_external, polar.customers.delete_external):
        with pytest.raises(api.errors.ResourceNotFound):
            call("unknown")


def test_a_malformed_id_is_refused(api, polar, violations):
    for call in (polar.customers.get, polar.customers.update, polar.customers.delete):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            call("malformed")
        assert violations(caught) == [("uuid_parsing", "path", "id")]


def test_customers_of_another_organization_are_not_found(api, other_polar, individual):
    for call in (other_polar.customers.get, other_polar.customers.update, other_polar.customers.delete):
        with pytest.raises(api.errors.ResourceNotFound):
            call(individual.id)
    with pytest.raises(api.errors.ResourceNotFound):
        other_polar.customers.get_external(individual.external_id)


def test_a_missing_scope_is_forbidden(client_with, individual, address):
    reader = client_with("customers:read")
    assert reader.customers.get(individual.id) == individual
    for call in (lambda: reader.customers.create(email=address()), lambda: reader.customers.delete(individual.id)):
        with pytest.raises(PolarClientError) as caught:
            call()
        assert caught.value.status_code == 403
        assert "insufficient_scope" in caught.value.error
