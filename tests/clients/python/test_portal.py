"""Customer sessions and the customer portal: the types of the answers, and the mail of an e-mail change."""
import email
import email.policy
import re

import pytest
from polar_sdk import models

from harness import eventually

OWNER, MANAGER, MEMBER = models.MemberRole.OWNER, models.MemberRole.BILLING_MANAGER, models.MemberRole.MEMBER


def create_session(polar, customer, member=None, **fields):
    return polar.customer_sessions.create(request=models.CustomerSessionCustomerIDCreate(
        customer_id=customer.id, member_id=member and member.id, **fields))


def security_for(operation, token):
    """Wraps a portal token in the type that the SDK has for each operation."""
    return getattr(models, f"CustomerPortal{operation}Security")(member_session=token)


def test_session(polar, individual):
    session = create_session(polar, individual, return_url="https://example.com/back")
    assert isinstance(session, models.CustomerSession)
    assert session.token.startswith("tenantry_mst_") and session.token in session.customer_portal_url
    assert (session.customer_id, session.customer.email) == (individual.id, individual.email)
    assert session.return_url == "https://example.com/back"
    assert 3590 < (session.expires_at - session.created_at).total_seconds() <= 3600


def test_session_by_external_id(polar, address):
    polar.customers.create(request=models.CustomerIndividualCreate(email=address(), external_id="portal-1"))
    request = models.CustomerSessionCustomerExternalIDCreate(external_customer_id="portal-1")
    assert polar.customer_sessions.create(request=request).customer.external_id == "portal-1"


def test_session_refuses_unknown_customers(polar, team, violations):
    with pytest.raises(models.HTTPValidationError) as caught:
        create_session(polar, team)
    assert violations(caught) == [("value_error", "body", "member_id")]
    with pytest.raises(models.HTTPValidationError) as caught:
        request = models.CustomerSessionCustomerExternalIDCreate(external_customer_id="unknown")
        polar.customer_sessions.create(request=request)
    assert violations(caught) == [("value_error", "body", "external_customer_id")]


def test_customer_in_the_portal(polar, individual, connect, violations):
    token = create_session(polar, individual).token
    portal = connect(token).customer_portal
    me = portal.customers.get(security=security_for("CustomersGet", token))
    assert isinstance(me, models.CustomerPortalCustomer)
    assert (me.id, me.email) == (individual.id, individual.email)
    changed = portal.customers.update(
        security=security_for("CustomersUpdate", token),
        request=models.CustomerPortalCustomerUpdate(
            billing_name="Some Ltd", billing_address={"country": "FR"}, tax_id="FR61954506077"))
    assert changed.billing_name == "Some Ltd" and changed.tax_id[0] == "FR61954506077"
    methods = portal.customers.list_payment_methods(security=security_for("CustomersListPaymentMethods", token))
    assert methods.result.items == []
    user = portal.customer_session.get_authenticated_user(
        security=security_for("CustomerSessionGetAuthenticatedUser", token))
    assert (user.type, user.email, user.customer_id) == ("member", individual.email, individual.id)
    seen = portal.customer_session.introspect(security=security_for("CustomerSessionIntrospect", token))
    assert seen.return_url is None
    with pytest.raises(models.HTTPValidationError) as caught:
        portal.customers.update(
            security=security_for("CustomersUpdate", token),
            request=models.CustomerPortalCustomerUpdate(billing_address=None))
    assert violations(caught) == [("missing", "body", "billing_address")]


def test_members_in_the_portal(polar, team, owner_of, connect, address):
    owner = owner_of(team)
    members = connect(create_session(polar, team, owner).token).customer_portal.members
    email_address = address("mate")
    added = members.add_member(request=models.CustomerPortalMemberCreate(email=email_address, name="Mate"))
    assert isinstance(added, models.CustomerPortalMember)
    assert (added.email, added.name, added.role) == (email_address, "Mate", MEMBER)
    listed = members.list_members().result
    assert sorted(one.id for one in listed.items) == sorted([owner.id, added.id])
    promoted = members.update_member(
        id=added.id, customer_portal_member_update=models.CustomerPortalMemberUpdate(role=MANAGER))
    assert promoted.role == MANAGER
    members.remove_member(id=added.id)
    assert [one.id for one in members.list_members().result.items] == [owner.id]


def test_member_changes_that_the_portal_refuses(polar, team, owner_of, connect, address, violations):
    owner = owner_of(team)
    members = connect(create_session(polar, team, owner).token).customer_portal.members
    with pytest.raises(models.HTTPValidationError) as caught:
        members.add_member(request=models.CustomerPortalMemberCreate(email=address(), role=OWNER))
    assert violations(caught) == [("value_error", "body", "role")]
    with pytest.raises(models.HTTPValidationError) as caught:
        members.remove_member(id=owner.id)
    assert violations(caught) == [("value_error", "path", "id")]
    with pytest.raises(models.PolarError, match="Member not found"):
        members.remove_member(id="00000000-0000-4000-8000-000000000000")


def test_public_organization_page(connect):
    # The page is public, but the SDK sends a token with every call: an invalid one must not matter.
    page = connect("invalid").customer_portal.organizations.get(slug="PYTHON-SDK")
    assert isinstance(page, models.CustomerOrganizationData)
    assert (page.organization.slug, page.products) == ("python-sdk", [])
    assert page.organization.organization_features.member_model_enabled is True
    with pytest.raises(models.ResourceNotFound):
        connect("invalid").customer_portal.organizations.get(slug="unknown")


def mailed_to(server, address):
    """Waits for a mail to an address and returns its plain text."""
    def find():
        for path in server.mail.glob("*.eml"):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if mail["To"] == address:
                return mail.get_body(("plain",)).get_content()
        return None
    return eventually(find, 20, f"a mail to {address}")


def test_email_change(server, polar, allow_email_change, individual, connect, address):
    allow_email_change(True)
    token, new = create_session(polar, individual).token, address("moved")
    customers = connect(token).customer_portal.customers
    customers.request_email_update(
        security=security_for("CustomersRequestEmailUpdate", token), request={"email": new})
    secret = re.search(r"tenantry_cev_\w+", mailed_to(server, new)).group()
    anonymous = connect("invalid").customer_portal.customers
    anonymous.check_email_update(token=secret)
    verified = anonymous.verify_email_update(request={"token": secret})
    me = customers.get(security=security_for("CustomersGet", verified.token))
    assert (me.email, me.email_verified) == (new, True)
    assert new not in mailed_to(server, individual.email)
    with pytest.raises(models.PolarError) as caught:
        anonymous.verify_email_update(request={"token": secret})
    assert caught.value.status_code == 401
    with pytest.raises(models.PolarError) as caught:
        customers.get(security=security_for("CustomersGet", token))
    assert caught.value.status_code == 401
