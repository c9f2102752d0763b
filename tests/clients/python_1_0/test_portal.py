"""The customer portal: the customer, its session, its members and the public page of the organization."""
from uuid import uuid4

import pytest
from polar import PolarClientError


@pytest.fixture
def enter(polar, connect):
    """Creates a session for a customer, or for one of its members, and returns the portal."""
    def portal(customer, member=None):
        parameters = {} if member is None else {"member_id": member.id}
        session = polar.customer_sessions.create(customer_id=customer.id, return_url="https://example.com/", **parameters)
        return connect(session.token).customer_portal
    return portal


@pytest.fixture
def people(polar, team, address, members_of):
    """The owner, a billing manager and a plain member of the team, by role."""
    members = polar.customers.members
    members.create(team.id, email=address("manager"), role="billing_manager")
    members.create(team.id, email=address("plain"))
    return members_of(team)


@pytest.fixture
def owner(enter, team, people):
    return enter(team, people["owner"])


@pytest.fixture
def manager(enter, team, people):
    return enter(team, people["billing_manager"])


@pytest.fixture
def plain(enter, team, people):
    return enter(team, people["member"])


def expect_status(call, status):
    """Checks that a call fails with this status, and returns the error."""
    with pytest.raises(PolarClientError) as caught:
        call()
    assert caught.value.status_code == status
    return caught.value


# The customer


def test_get(api, enter, owner, plain, individual, team):
    me = enter(individual).customers.get()
    assert isinstance(me, api.outputs.CustomerPortalCustomer)
    assert (me.id, me.email, me.name, me.type) == (individual.id, individual.email, individual.name, "individual")
    assert me.oauth_accounts == {}
    assert owner.customers.get().id == plain.customers.get().id == team.id


def test_update(enter, polar, individual):
    portal = enter(individual)
    updated = portal.customers.update(
        billing_name="Ada & Co", billing_address={"country": "FR", "city": "Paris"}, tax_id="FR61954506077")
    assert (updated.billing_name, updated.billing_address.city) == ("Ada & Co", "Paris")
    assert updated.tax_id == ["FR61954506077", "eu_vat"]
    assert portal.customers.get() == updated
    assert polar.customers.get(individual.id).billing_name == "Ada & Co"


def test_update_refuses_invalid_fields(api, enter, individual, violations):
    portal = enter(individual)
    for body in ({"billing_address": {"country": "US", "state": "ZZ"}}, {"tax_id": "12"},
                 {"default_payment_method_id": str(uuid4())}):
        with pytest.raises(api.errors.HTTPValidationError):
            portal.customers.update(**body)


def test_billing_is_for_owners_and_managers(owner, manager, plain):
    assert owner.customers.update(billing_name="Owner's").billing_name == "Owner's"
    assert manager.customers.update(billing_name="Manager's").billing_name == "Manager's"
    expect_status(lambda: plain.customers.update(billing_name="Mine"), 403)
    expect_status(lambda: plain.customers.request_email_update(email="mine@example.com"), 403)


def test_payment_methods(enter, individual, api):
    portal = enter(individual)
    page = portal.customers.list_payment_methods()
    assert (page.items, page.pagination.total_count) == ([], 0)
    assert list(portal.customers.iter_list_payment_methods()) == []
    with pytest.raises(api.errors.HTTPValidationError):
        portal.customers.list_payment_methods(page=0)


# The session


def test_introspect(api, enter, individual):
    found = enter(individual).customer_session.introspect()
    assert isinstance(found, api.outputs.CustomerCustomerSession)
    assert found.return_url == "https://example.com/" and found.expires_at


def test_user(owner, plain, people, team):
    for portal, role in ((owner, "owner"), (plain, "member")):
        user = portal.customer_session.get_authenticated_user()
        assert (user.type, user.role, user.member_id) == ("member", role, people[role].id)
        assert (user.email, user.customer_id) == (people[role].email, team.id)


def test_the_portal_accepts_session_tokens_only(polar, connect):
    for client in (polar, connect("polar_cst_" + "x" * 43), connect("invalid")):
        portal = client.customer_portal
        for call in (portal.customers.get, lambda: portal.customers.update(billing_name="x"),
                     portal.customer_session.introspect, portal.customer_session.get_authenticated_user,
                     portal.members.list_members):
            expect_status(call, 401)


def test_a_session_ends_with_its_person(polar, team, people, owner, plain):
    polar.customers.members.delete(team.id, people["member"].id)
    expect_status(plain.customers.get, 401)
    polar.customers.delete(team.id)
    expect_status(owner.customers.get, 401)


def test_a_session_token_works_in_the_portal_only(polar, connect, individual):
    token = polar.customer_sessions.create(customer_id=individual.id).token
    expect_status(lambda: connect(token).customers.get(individual.id), 401)


# The members of the team


def test_list_members(api, owner, manager, people):
    page = owner.members.list_members(limit=2)
    assert isinstance(page, api.outputs.ListResourceCustomerPortalMember)
    assert (len(page.items), page.pagination.total_count, page.pagination.max_page) == (2, 3, 2)
    assert {member.id for member in manager.members.iter_list_members(limit=2)} == {m.id for m in people.values()}


def test_add_member(api, owner, address, polar, team):
    email = address("added")
    member = owner.members.add_member(email=email, name="Added", role="billing_manager")
    assert isinstance(member, api.outputs.CustomerPortalMember)
    assert (member.email, member.name, member.role) == (email, "Added", "billing_manager")
    assert owner.members.add_member(email=email.upper(), name="Again").id == member.id
    assert polar.customers.members.get(team.id, member.id).email == email


def test_add_member_refuses(api, owner, address, violations):
    for body, violation in (({"email": "nope"}, ("value_error", "body", "email")), ({}, ("missing", "body", "email"))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            owner.members.add_member(**body)
        assert violations(caught) == [violation]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        owner.members.add_member(email=address(), role="owner")
    assert violations(caught)[0][1:] == ("body", "role")


def test_update_member(owner, people):
    member = people["member"]
    updated = owner.members.update_member(member.id, name="Renamed", role="billing_manager")
    assert (updated.id, updated.name, updated.role) == (member.id, "Renamed", "billing_manager")


def test_update_member_refuses(api, owner, manager, people, violations):
    for portal, target, body, location in (
        (owner, "owner", {"role": "member"}, ("path", "id")),
        (manager, "billing_manager", {"role": "member"}, ("path", "id")),
        (manager, "member", {"role": "owner"}, ("body", "role")),
        (manager, "owner", {"role": "member"}, ("body", "role")),
    ):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            portal.members.update_member(people[target].id, **body)
        assert violations(caught)[0][1:] == location
    with pytest.raises(PolarClientError) as caught:
        owner.members.update_member(str(uuid4()), name="Unknown")
    assert caught.value.status_code == 404


def test_ownership_can_be_transferred(owner, polar, team, people):
    assert owner.members.update_member(people["member"].id, role="owner").role == "owner"
    assert polar.customers.members.get(team.id, people["owner"].id).role == "billing_manager"


def test_remove_member(owner, people):
    assert owner.members.remove_member(people["member"].id) is None
    expect_status(lambda: owner.members.remove_member(people["member"].id), 404)


def test_remove_member_refuses(api, owner, manager, people, violations):
    for portal, target, location in ((owner, "owner", ("path", "id")), (manager, "billing_manager", ("path", "id")),
                               (manager, "owner", ("body",))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            portal.members.remove_member(people[target].id)
        assert violations(caught)[0][1:] == location


def test_a_plain_member_cannot_manage_members(plain, people, address):
    members = plain.members
    for call in (members.list_members, lambda: members.add_member(email=address()),
                 lambda: members.update_member(people["owner"].id, name="x"),
                 lambda: members.remove_member(people["billing_manager"].id)):
        expect_status(call, 403)


def test_an_individual_cannot_manage_members(enter, individual, address):
    members = enter(individual).members
    for call in (members.list_members, lambda: members.add_member(email=address())):
        expect_status(call, 403)


def test_members_of_another_customer_are_not_found(owner, polar, address):
    second = polar.customers.create(type="team", name="Second", email=address("team"))
    member = polar.customers.members.create(second.id, email=address())
    expect_status(lambda: owner.members.update_member(member.id, name="Mine"), 404)
    expect_status(lambda: owner.members.remove_member(member.id), 404)


# The organization


def test_organization(api, polar, organization):
    page = polar.customer_portal.organizations.get("PYTHON-SDK")
    assert isinstance(page, api.outputs.CustomerOrganizationData)
    assert (page.organization.id, page.organization.slug, page.products) == (organization["id"], "python-sdk", [])
    assert page.organization.organization_features.member_model_enabled is True


@pytest.mark.parametrize("slug", ["unknown-slug", "python_sdk"])
def test_an_unknown_organization_is_not_found(api, polar, slug):
    with pytest.raises(api.errors.ResourceNotFound) as caught:
        polar.customer_portal.organizations.get(slug)
    assert caught.value.error.error == "ResourceNotFound"


def test_the_public_page_ignores_an_invalid_token(connect):
    # The SDK sends a token with every call; the page is public, so an invalid one must not matter.
    assert connect("invalid").customer_portal.organizations.get("python-sdk").organization.slug == "python-sdk"
