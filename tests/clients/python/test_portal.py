"""Customer sessions and the customer portal, by the SDK, with a directory as the mail server."""
import email
import email.policy
import os
import re
import tempfile
from pathlib import Path

import pytest
from polar_sdk import Polar, models

from harness import TemporaryServer, eventually

OWNER, MANAGER, MEMBER = models.MemberRole.OWNER, models.MemberRole.BILLING_MANAGER, models.MemberRole.MEMBER


@pytest.fixture(scope="module")
def portal_server():
    """A server of its own: where its mail goes is an option of the process."""
    with tempfile.TemporaryDirectory(prefix="tenantry-mail-") as directory:
        os.environ["TENANTRY_MAIL"] = f"dir:{directory}"
        try:
            with TemporaryServer() as running:
                running.mail = Path(directory)
                yield running
        finally:
            del os.environ["TENANTRY_MAIL"]


@pytest.fixture(scope="module")
def clients(portal_server):
    """Makes an SDK client for a token."""
    made = []

    def make(token):
        made.append(Polar(access_token=token, server_url=portal_server.base).__enter__())
        return made[-1]

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture(scope="module")
def acme(portal_server, clients):
    features = ("member_model_enabled", "seat_based_pricing_enabled")
    made = portal_server.cli.create_organization("portal", "Portal", "founder@example.com", features)
    return clients(portal_server.cli.create_token(made["id"])["token"])


@pytest.fixture
def team(acme, unique):
    return acme.customers.create(request=models.CustomerTeamCreate(name="A team", email=unique("team")))


@pytest.fixture
def individual(acme, unique):
    return acme.customers.create(request=models.CustomerIndividualCreate(name="Someone", email=unique("one")))


def owner_of(acme, customer):
    owner, = acme.members.list_members(customer_id=customer.id, role=OWNER).result.items
    return owner


def session(acme, customer, member=None, **fields):
    return acme.customer_sessions.create(request=models.CustomerSessionCustomerIDCreate(
        customer_id=customer.id, member_id=member and member.id, **fields))


def faults(caught):
    return [(item.type, item.loc) for item in caught.value.data.detail]


def by(operation, token):
    """The SDK's wrapping of a portal token for one operation."""
    return getattr(models, f"CustomerPortal{operation}Security")(member_session=token)


def test_create_session(acme, individual):
    made = session(acme, individual, return_url="https://example.com/back")
    assert isinstance(made, models.CustomerSession)
    assert made.token.startswith("tenantry_mst_") and made.token in made.customer_portal_url
    assert (made.customer_id, made.customer.email) == (individual.id, individual.email)
    assert made.return_url == "https://example.com/back"
    assert 3590 < (made.expires_at - made.created_at).total_seconds() <= 3600


def test_create_session_by_external_id(acme, unique):
    acme.customers.create(request=models.CustomerIndividualCreate(email=unique(), external_id="portal-1"))
    request = models.CustomerSessionCustomerExternalIDCreate(external_customer_id="portal-1")
    assert acme.customer_sessions.create(request=request).customer.external_id == "portal-1"


def test_create_session_refused(acme, team):
    with pytest.raises(models.HTTPValidationError) as caught:
        session(acme, team)
    assert faults(caught) == [("value_error", ["body", "member_id"])]
    with pytest.raises(models.HTTPValidationError) as caught:
        request = models.CustomerSessionCustomerExternalIDCreate(external_customer_id="nobody")
        acme.customer_sessions.create(request=request)
    assert faults(caught) == [("value_error", ["body", "external_customer_id"])]


def test_customer_in_the_portal(acme, individual, clients):
    token = session(acme, individual).token
    portal = clients(token).customer_portal
    me = portal.customers.get(security=by("CustomersGet", token))
    assert isinstance(me, models.CustomerPortalCustomer)
    assert (me.id, me.email) == (individual.id, individual.email)
    changed = portal.customers.update(
        security=by("CustomersUpdate", token),
        request=models.CustomerPortalCustomerUpdate(
            billing_name="Some Ltd", billing_address={"country": "FR"}, tax_id="FR61954506077"))
    assert changed.billing_name == "Some Ltd" and changed.tax_id[0] == "FR61954506077"
    methods = portal.customers.list_payment_methods(security=by("CustomersListPaymentMethods", token))
    assert methods.result.items == []
    user = portal.customer_session.get_authenticated_user(
        security=by("CustomerSessionGetAuthenticatedUser", token))
    assert (user.type, user.email, user.customer_id) == ("member", individual.email, individual.id)
    seen = portal.customer_session.introspect(security=by("CustomerSessionIntrospect", token))
    assert seen.return_url is None
    with pytest.raises(models.HTTPValidationError) as caught:
        portal.customers.update(
            security=by("CustomersUpdate", token),
            request=models.CustomerPortalCustomerUpdate(billing_address=None))
    assert faults(caught) == [("missing", ["body", "billing_address"])]


def test_members_in_the_portal(acme, team, clients, unique):
    owner = owner_of(acme, team)
    members = clients(session(acme, team, owner).token).customer_portal.members
    address = unique("mate")
    added = members.add_member(request=models.CustomerPortalMemberCreate(email=address, name="Mate"))
    assert isinstance(added, models.CustomerPortalMember)
    assert (added.email, added.name, added.role) == (address, "Mate", MEMBER)
    listed = members.list_members().result
    assert sorted(one.id for one in listed.items) == sorted([owner.id, added.id])
    raised = members.update_member(
        id=added.id, customer_portal_member_update=models.CustomerPortalMemberUpdate(role=MANAGER))
    assert raised.role == MANAGER
    members.remove_member(id=added.id)
    assert [one.id for one in members.list_members().result.items] == [owner.id]


def test_members_in_the_portal_refused(acme, team, clients, unique):
    owner = owner_of(acme, team)
    members = clients(session(acme, team, owner).token).customer_portal.members
    with pytest.raises(models.HTTPValidationError) as caught:
        members.add_member(request=models.CustomerPortalMemberCreate(email=unique(), role=OWNER))
    assert faults(caught) == [("value_error", ["body", "role"])]
    with pytest.raises(models.HTTPValidationError) as caught:
        members.remove_member(id=owner.id)
    assert faults(caught) == [("value_error", ["path", "id"])]
    with pytest.raises(models.PolarError, match="Member not found"):
        members.remove_member(id="00000000-0000-4000-8000-000000000000")


def test_a_public_page(clients):
    page = clients("nonsense").customer_portal.organizations.get(slug="PORTAL")
    assert isinstance(page, models.CustomerOrganizationData)
    assert (page.organization.slug, page.products) == ("portal", [])
    assert page.organization.organization_features.member_model_enabled is True
    with pytest.raises(models.ResourceNotFound):
        clients("nonsense").customer_portal.organizations.get(slug="nobody")


def mailed_to(server, address):
    """The text of the newest mail to an address."""
    def find():
        for path in server.mail.glob("*.eml"):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if mail["To"] == address:
                return mail.get_body(("plain",)).get_content()
        return None
    return eventually(find, 20, f"a mail to {address}")


def test_change_of_address(portal_server, acme, individual, clients, unique):
    organization = acme.organizations.list_organizations(slug="portal").result.items[0]
    acme.organizations.update(id=organization.id, organization_update=models.OrganizationUpdate(
        customer_portal_settings=models.OrganizationCustomerPortalSettings(
            usage={"show": True}, subscription={"update_seats": True, "update_plan": True},
            customer={"allow_email_change": True})))
    token, address = session(acme, individual).token, unique("moved")
    customers = clients(token).customer_portal.customers
    customers.request_email_update(
        security=by("CustomersRequestEmailUpdate", token), request={"email": address})
    secret = re.search(r"tenantry_cev_\w+", mailed_to(portal_server, address)).group()
    public = clients("nonsense").customer_portal.customers
    public.check_email_update(token=secret)
    verified = public.verify_email_update(request={"token": secret})
    me = customers.get(security=by("CustomersGet", verified.token))
    assert (me.email, me.email_verified) == (address, True)
    assert address not in mailed_to(portal_server, individual.email)
    with pytest.raises(models.PolarError) as caught:
        public.verify_email_update(request={"token": secret})
    assert caught.value.status_code == 401
    with pytest.raises(models.PolarError) as caught:
        customers.get(security=by("CustomersGet", token))
    assert caught.value.status_code == 401
