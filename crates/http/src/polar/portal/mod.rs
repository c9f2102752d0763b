//! The portal for customers themselves: who they are, what invoices need, their session, and the public
//! page of the organization (docs/contracts/polar/portal.md, 8.1, 8.2, 8.4, 8.7).

mod email_updates;
mod handlers;
mod members;
pub(super) mod wire;

use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use email_updates::{EmailUpdateRequestBody, EmailUpdateVerifyBody, VerifiedView};
use members::{PortalMemberCreateBody, PortalMemberUpdateBody, PortalMemberView};
use wire::{
    PortalCustomerUpdateBody, PortalCustomerView, PortalUserView, PublicOrganizationData, SessionView,
};

const MEMBERS: Access = Access::PortalMember(&[RequiredScope::new("customer_portal:write")]);
const PORTAL_READ: Access = Access::Portal(&[
    RequiredScope::new("customer_portal:read"),
    RequiredScope::new("customer_portal:write"),
]);
const PORTAL_WRITE: Access = Access::Portal(&[RequiredScope::new("customer_portal:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        response: Some(schema::<PortalCustomerView<'static>>),
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:get",
            "See yourself as a customer",
            PORTAL_READ,
            handler!(handlers::me),
        )
    },
    Endpoint {
        body: Some(schema::<PortalCustomerUpdateBody>),
        response: Some(schema::<PortalCustomerView<'static>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Patch,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:update",
            "Change what your invoices need",
            PORTAL_WRITE,
            handler!(handlers::update_me),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        response: Some(schema::<ListResource<Value>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customers/me/payment-methods",
            "customer_portal:customers:list_payment_methods",
            "List your payment methods: always none",
            PORTAL_READ,
            handler!(handlers::payment_methods),
        )
    },
    Endpoint {
        body: Some(schema::<EmailUpdateRequestBody>),
        sends_mail: true,
        success: 202,
        response: Some(schema::<()>),
        errors: &[422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/customers/me/email-update/request",
            "customer_portal:customers:request_email_update",
            "Ask for another address",
            PORTAL_WRITE,
            handler!(email_updates::request),
        )
    },
    Endpoint {
        parameters: &[Parameter::query(
            "token",
            || json!({"type": "string"}),
            "The secret that was mailed; needed.",
        )],
        success: 204,
        errors: &[401, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customers/me/email-update/check",
            "customer_portal:customers:check_email_update",
            "See whether a change of address can be proved",
            Access::Public,
            handler!(email_updates::check),
        )
    },
    Endpoint {
        body: Some(schema::<EmailUpdateVerifyBody>),
        response: Some(schema::<VerifiedView<'static>>),
        errors: &[401, 403, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/customers/me/email-update/verify",
            "customer_portal:customers:verify_email_update",
            "Prove a change of address",
            Access::Public,
            handler!(email_updates::verify),
        )
    },
    Endpoint {
        response: Some(schema::<SessionView<'static>>),
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customer-session/introspect",
            "customer_portal:customer-session:introspect",
            "See your session",
            PORTAL_READ,
            handler!(handlers::introspect),
        )
    },
    Endpoint {
        response: Some(schema::<PortalUserView<'static>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customer-session/user",
            "customer_portal:customer-session:get_authenticated_user",
            "See who you are",
            PORTAL_READ,
            handler!(handlers::user),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        response: Some(schema::<ListResource<PortalMemberView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/members",
            "customer_portal:members:list_members",
            "List the members of your team",
            MEMBERS,
            handler!(members::list),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberCreateBody>),
        success: 201,
        response: Some(schema::<PortalMemberView<'static>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/members",
            "customer_portal:members:add_member",
            "Add a member to your team",
            MEMBERS,
            handler!(members::add),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberUpdateBody>),
        response: Some(schema::<PortalMemberView<'static>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Patch,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:update_member",
            "Change a member of your team, or hand it over",
            MEMBERS,
            handler!(members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:remove_member",
            "Remove a member from your team",
            MEMBERS,
            handler!(members::remove),
        )
    },
    Endpoint {
        response: Some(schema::<PublicOrganizationData<'static>>),
        errors: &[404],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/organizations/{slug}",
            "customer_portal:organizations:get",
            "See an organization's public page",
            Access::Public,
            handler!(handlers::organization),
        )
    },
];
