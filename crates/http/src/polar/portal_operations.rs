//! The operations of the customer portal, and the one that lets customers in.

use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use super::operations::{operation, query};
use super::page::{LIMIT, ListResource, PAGE};
use super::portal::{
    self, PortalCustomerUpdateBody, PortalCustomerView, PortalUserView, PublicOrganizationData, SessionView,
};
use super::portal_email::{self, EmailUpdateRequestBody, EmailUpdateVerifyBody, VerifiedView};
use super::portal_members::{self, PortalMemberCreateBody, PortalMemberUpdateBody, PortalMemberView};
use super::sessions::{self, CustomerSessionView, SessionCreateBody};
use crate::route::{Access, Endpoint, Method, handler, schema};

const SESSIONS_WRITE: Access = Access::Scoped(&[RequiredScope::new("customer_sessions:write")]);
const PORTAL_READ: Access = Access::Portal(&[
    RequiredScope::new("customer_portal:read"),
    RequiredScope::new("customer_portal:write"),
]);
const PORTAL_WRITE: Access = Access::Portal(&[RequiredScope::new("customer_portal:write")]);
const MEMBERS: Access = Access::PortalMember(&[RequiredScope::new("customer_portal:write")]);

/// Every operation of the portal.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        body: Some(schema::<SessionCreateBody>),
        secret: true,
        success: 201,
        answer: Some(schema::<CustomerSessionView<'static>>),
        errors: &[409, 422],
        ..operation(
            Method::Post,
            "/v1/customer-sessions",
            "customer-sessions:create",
            "Begin a session of the customer portal",
            SESSIONS_WRITE,
            handler!(sessions::create),
        )
    },
    Endpoint {
        answer: Some(schema::<PortalCustomerView<'static>>),
        ..operation(
            Method::Get,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:get",
            "See yourself as a customer",
            PORTAL_READ,
            handler!(portal::me),
        )
    },
    Endpoint {
        body: Some(schema::<PortalCustomerUpdateBody>),
        answer: Some(schema::<PortalCustomerView<'static>>),
        errors: &[422],
        ..operation(
            Method::Patch,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:update",
            "Change what your invoices need",
            PORTAL_WRITE,
            handler!(portal::update_me),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        answer: Some(schema::<ListResource<Value>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/customer-portal/customers/me/payment-methods",
            "customer_portal:customers:list_payment_methods",
            "List your payment methods: always none",
            PORTAL_READ,
            handler!(portal::payment_methods),
        )
    },
    Endpoint {
        body: Some(schema::<EmailUpdateRequestBody>),
        sends_mail: true,
        success: 202,
        answer: Some(schema::<()>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/customer-portal/customers/me/email-update/request",
            "customer_portal:customers:request_email_update",
            "Ask for another address",
            PORTAL_WRITE,
            handler!(portal_email::request),
        )
    },
    Endpoint {
        parameters: &[query("token", || json!({"type": "string"}), "The secret that was mailed; needed.")],
        success: 204,
        errors: &[401, 422],
        ..operation(
            Method::Get,
            "/v1/customer-portal/customers/me/email-update/check",
            "customer_portal:customers:check_email_update",
            "See whether a change of address can be proved",
            Access::Public,
            handler!(portal_email::check),
        )
    },
    Endpoint {
        body: Some(schema::<EmailUpdateVerifyBody>),
        answer: Some(schema::<VerifiedView<'static>>),
        errors: &[401, 403, 422],
        ..operation(
            Method::Post,
            "/v1/customer-portal/customers/me/email-update/verify",
            "customer_portal:customers:verify_email_update",
            "Prove a change of address",
            Access::Public,
            handler!(portal_email::verify),
        )
    },
    Endpoint {
        answer: Some(schema::<SessionView<'static>>),
        ..operation(
            Method::Get,
            "/v1/customer-portal/customer-session/introspect",
            "customer_portal:customer-session:introspect",
            "See your session",
            PORTAL_READ,
            handler!(portal::introspect),
        )
    },
    Endpoint {
        answer: Some(schema::<PortalUserView<'static>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/customer-portal/customer-session/user",
            "customer_portal:customer-session:get_authenticated_user",
            "See who you are",
            PORTAL_READ,
            handler!(portal::user),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        answer: Some(schema::<ListResource<PortalMemberView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/customer-portal/members",
            "customer_portal:members:list_members",
            "List the members of your team",
            MEMBERS,
            handler!(portal_members::list),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberCreateBody>),
        success: 201,
        answer: Some(schema::<PortalMemberView<'static>>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/customer-portal/members",
            "customer_portal:members:add_member",
            "Add a member to your team",
            MEMBERS,
            handler!(portal_members::add),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberUpdateBody>),
        answer: Some(schema::<PortalMemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:update_member",
            "Change a member of your team, or hand it over",
            MEMBERS,
            handler!(portal_members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:remove_member",
            "Remove a member from your team",
            MEMBERS,
            handler!(portal_members::remove),
        )
    },
    Endpoint {
        answer: Some(schema::<PublicOrganizationData<'static>>),
        errors: &[404],
        ..operation(
            Method::Get,
            "/v1/customer-portal/organizations/{slug}",
            "customer_portal:organizations:get",
            "See an organization's public page",
            Access::Public,
            handler!(portal::organization),
        )
    },
];
