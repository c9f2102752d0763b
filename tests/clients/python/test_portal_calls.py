"""Customer sessions and the customer portal: what each role may do."""
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from polar_sdk import models

MEMBER, MANAGER, OWNER = models.MemberRole.MEMBER, models.MemberRole.BILLING_MANAGER, models.MemberRole.OWNER


def session_of(polar, customer, member=None):
    fields = {} if member is None else {"member_id": member.id}
    return polar.customer_sessions.create(request=models.CustomerSessionCustomerIDCreate(
        customer_id=customer.id, return_url="https://example.com/", **fields))


class Portal:
    """The portal, used with the token of a customer session."""

    def __init__(self, connect, token):
        portal = connect(token).customer_portal
        self.token, self.members, self.customers, self.session = (
            token, portal.members, portal.customers, portal.customer_session)

    def me(self):
        return self.customers.get(security=models.CustomerPortalCustomersGetSecurity(member_session=self.token))

    def update(self, **fields):
        return self.customers.update(
            security=models.CustomerPortalCustomersUpdateSecurity(member_session=self.token),
            request=models.CustomerPortalCustomerUpdate(**fields))

    def request_email(self, email):
        return self.customers.request_email_update(
            security=models.CustomerPortalCustomersRequestEmailUpdateSecurity(member_session=self.token),
            request=models.CustomerEmailUpdateRequest(email=email))

    def introspect(self):
        return self.session.introspect(
            security=models.CustomerPortalCustomerSessionIntrospectSecurity(member_session=self.token))

    def user(self):
        return self.session.get_authenticated_user(
            security=models.CustomerPortalCustomerSessionGetAuthenticatedUserSecurity(member_session=self.token))


@pytest.fixture
def enter(polar, connect):
    """Creates a session for a customer, or for one of its members, and returns the portal."""
    return lambda customer, member=None: Portal(connect, session_of(polar, customer, member).token)


@pytest.fixture
def people(polar, team, address, members_of):
    """The owner, a billing manager and a plain member of the team, by role."""
    for role in (models.Role.BILLING_MANAGER, models.Role.MEMBER):
        polar.members.create_member(request=models.MemberCreate(customer_id=team.id, email=address(), role=role))
    return {member.role: member for member in members_of(team)}


@pytest.fixture
def owner(enter, team, people):
    return enter(team, people[OWNER])


@pytest.fixture
def manager(enter, team, people):
    return enter(team, people[MANAGER])


@pytest.fixture
def plain(enter, team, people):
    return enter(team, people[MEMBER])


def status_of(call):
    """Returns the status of a call that must fail."""
    with pytest.raises(models.PolarError) as caught:
        call()
    return caught.value.status_code


def test_session(polar, individual):
    session = session_of(polar, individual)
    assert (session.customer_id, session.customer, session.return_url) == (
        individual.id, individual, "https://example.com/")
    assert session.token in session.customer_portal_url
    assert timedelta(minutes=55) < session.expires_at - datetime.now(timezone.utc) <= timedelta(hours=1)


def test_session_by_external_id(polar, unique, address):
    customer = polar.customers.create(request=models.CustomerIndividualCreate(
        email=address(), external_id=unique("session")))
    session = polar.customer_sessions.create(request=models.CustomerSessionCustomerExternalIDCreate(
        external_customer_id=customer.external_id))
    assert session.customer_id == customer.id


def test_session_refuses_unknown_customers_and_members(polar, other_polar, team):
    create, unknown = models.CustomerSessionCustomerIDCreate, str(uuid4())
    for client, request, place in (
        (polar, create(customer_id=unknown), "customer_id"),
        (polar, create(customer_id=team.id), "member_id"),
        (polar, create(customer_id=team.id, member_id=unknown), "member_id"),
        (polar, create(customer_id=team.id, external_member_id="unknown"), "external_member_id"),
        (polar, models.CustomerSessionCustomerExternalIDCreate(external_customer_id="unknown"),
         "external_customer_id"),
        (other_polar, create(customer_id=team.id), "customer_id"),
    ):
        with pytest.raises(models.HTTPValidationError) as caught:
            client.customer_sessions.create(request=request)
        assert [(item.type, item.loc) for item in caught.value.data.detail] == [("value_error", ["body", place])]


def test_session_needs_a_scope(client_with, individual):
    assert status_of(lambda: session_of(client_with("customers:write"), individual)) == 403


def test_get_and_update_the_customer(enter, individual):
    portal = enter(individual)
    me = portal.me()
    assert (me.id, me.email, me.oauth_accounts) == (individual.id, individual.email, {})
    updated = portal.update(billing_name="Ada & Co", tax_id="FR61954506077", billing_address=models.AddressInput(
        country=models.CountryAlpha2Input.FR, city="Paris"))
    assert (updated.billing_name, updated.billing_address.city) == ("Ada & Co", "Paris")
    assert updated.tax_id == ["FR61954506077", models.TaxIDFormat.EU_VAT]
    assert portal.me() == updated


def test_update_refuses_invalid_fields(enter, individual):
    portal = enter(individual)
    for fields in ({"default_payment_method_id": str(uuid4())}, {"tax_id": "12"}, {"billing_address":
                   models.AddressInput(country=models.CountryAlpha2Input.US, state="ZZ")}):
        with pytest.raises(models.HTTPValidationError):
            portal.update(**fields)


def test_billing_is_for_owners_and_managers(manager, plain, team):
    assert manager.update(billing_name="Manager's").billing_name == "Manager's"
    assert status_of(lambda: plain.update(billing_name="Mine")) == 403
    assert plain.me().id == team.id


def test_introspect_and_authenticated_user(owner, people, team):
    found = owner.introspect()
    assert found.return_url == "https://example.com/" and found.expires_at > datetime.now(timezone.utc)
    user = owner.user()
    assert (user.type, user.role, user.member_id, user.customer_id) == (
        "member", "owner", people[OWNER].id, team.id)


def test_the_portal_accepts_session_tokens_only(connect):
    portal = Portal(connect, "invalid")
    for call in (portal.me, portal.update, portal.introspect, portal.user, portal.members.list_members,
                 lambda: portal.request_email("new@example.com")):
        assert status_of(call) == 401


def test_a_session_ends_when_its_member_or_customer_is_deleted(polar, team, owner, plain, people):
    polar.members.delete_member(id=people[MEMBER].id)
    assert status_of(plain.me) == 401
    polar.customers.delete(id=team.id)
    assert status_of(owner.me) == 401


def test_request_email_change(allow_email_change, enter, individual, address):
    portal = enter(individual)
    assert status_of(lambda: portal.request_email(address())) == 403
    allow_email_change(True)
    assert portal.request_email(address("new")) is None
    assert status_of(lambda: portal.request_email(individual.email)) == 422


def test_an_unknown_email_change_token_is_refused(polar):
    customers = polar.customer_portal.customers
    assert status_of(lambda: customers.check_email_update(token="unknown")) == 401
    assert status_of(lambda: customers.verify_email_update(
        request=models.CustomerEmailUpdateVerifyRequest(token="unknown"))) == 401


def test_list_members(owner, people):
    page, found = owner.members.list_members(limit=2), []
    while page is not None:
        assert page.result.pagination.total_count == 3
        found += page.result.items
        page = page.next()
    assert {member.id for member in found} == {member.id for member in people.values()}


def test_add_update_and_remove_a_member(owner, address):
    email = address("added")
    added = owner.members.add_member(request=models.CustomerPortalMemberCreate(
        email=email, name="Added", role=MANAGER))
    assert (added.email, added.name, added.role) == (email, "Added", MANAGER)
    again = owner.members.add_member(request=models.CustomerPortalMemberCreate(email=email))
    assert again.id == added.id
    updated = owner.members.update_member(
        id=added.id, customer_portal_member_update=models.CustomerPortalMemberUpdate(role=MEMBER))
    assert (updated.name, updated.role) == ("Added", MEMBER)
    assert owner.members.remove_member(id=added.id) is None
    assert status_of(lambda: owner.members.remove_member(id=added.id)) == 404


def test_member_management_is_limited_by_role(owner, manager, plain, people, polar, address):
    def change(portal, target, role):
        return status_of(lambda: portal.members.update_member(
            id=people[target].id, customer_portal_member_update=models.CustomerPortalMemberUpdate(role=role)))

    def remove(portal, target):
        return status_of(lambda: portal.members.remove_member(id=people[target].id))

    assert change(owner, OWNER, MEMBER) == change(manager, MEMBER, OWNER) == change(manager, OWNER, MEMBER) == 422
    assert remove(owner, OWNER) == remove(manager, OWNER) == remove(manager, MANAGER) == 422
    assert change(plain, OWNER, MEMBER) == remove(plain, MANAGER) == status_of(plain.members.list_members) == 403
    assert status_of(lambda: plain.members.add_member(
        request=models.CustomerPortalMemberCreate(email=address()))) == 403
    assert status_of(lambda: owner.members.add_member(
        request=models.CustomerPortalMemberCreate(email="nope"))) == 422
    assert status_of(polar.customer_portal.members.list_members) == 401


def test_public_organization_page(polar, connect, organization):
    for client in (polar, connect("invalid")):
        page = client.customer_portal.organizations.get(slug="PYTHON-SDK")
        assert (page.organization.id, page.products) == (organization["id"], [])
        for slug in ("unknown-slug", "python_sdk"):
            with pytest.raises(models.ResourceNotFound):
                client.customer_portal.organizations.get(slug=slug)
