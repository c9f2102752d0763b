//! The customer portal: the customer's own data, its billing details, the session, and the public page of the
//! organization (docs/contracts/polar/portal.md, 8.1, 8.2, 8.4, 8.7).

mod email_updates;
mod handlers;
mod members;
mod sessions;
mod sign_in;
pub(super) mod wire;

use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use email_updates::{EmailUpdateRequestBody, EmailUpdateVerifyBody, VerifiedView};
use members::{PortalMemberCreateBody, PortalMemberUpdateBody, PortalMemberView};
use sessions::PortalSessionsView;
use sign_in::{AuthenticatedView, CustomerSessionCodeAuthenticateBody, CustomerSessionCodeRequestBody};
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
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:get",
            "Get the customer of the session",
            PORTAL_READ,
            handler!(handlers::me),
        )
    },
    Endpoint {
        body: Some(schema::<PortalCustomerUpdateBody>),
        response: Some(schema::<PortalCustomerView<'static>>),
        errors: &[422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customer-portal/customers/me",
            "customer_portal:customers:update",
            "Update the customer's billing details",
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
            "List the customer's payment methods (always empty)",
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
            "Request a change of the e-mail address",
            PORTAL_WRITE,
            handler!(email_updates::request),
        )
    },
    Endpoint {
        parameters: &[Parameter::query(
            "token",
            || json!({"type": "string"}),
            "The secret from the mail. Required.",
        )],
        success: 204,
        errors: &[401, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customers/me/email-update/check",
            "customer_portal:customers:check_email_update",
            "Check the secret of a change of address",
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
            "Verify a change of address",
            Access::Public,
            handler!(email_updates::verify),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerSessionCodeRequestBody>),
        sends_mail: true,
        success: 202,
        response: Some(schema::<()>),
        errors: &[403, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/customer-session/request",
            "customer_portal:customer-session:request",
            "Mail a code to sign in",
            Access::Public,
            handler!(sign_in::request),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerSessionCodeAuthenticateBody>),
        response: Some(schema::<AuthenticatedView<'static>>),
        errors: &[401, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/customer-session/authenticate",
            "customer_portal:customer-session:authenticate",
            "Begin a session by a mailed code",
            Access::Public,
            handler!(sign_in::authenticate),
        )
    },
    Endpoint {
        success: 204,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customer-portal/customer-session",
            "customer_portal:customer-session:end",
            "End the session of the request",
            PORTAL_WRITE,
            handler!(sessions::sign_out),
        )
    },
    Endpoint {
        response: Some(schema::<PortalSessionsView>),
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/sessions",
            "customer_portal:sessions:list",
            "List the sessions of the person",
            PORTAL_READ,
            handler!(sessions::list),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/customer-portal/sessions/{id}",
            "customer_portal:sessions:end",
            "End a session of the person",
            PORTAL_WRITE,
            handler!(sessions::end),
        )
    },
    Endpoint {
        response: Some(schema::<SessionView<'static>>),
        ..Endpoint::new(
            Method::Get,
            "/v1/customer-portal/customer-session/introspect",
            "customer_portal:customer-session:introspect",
            "Get the session",
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
            "Get the customer or member of the session",
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
            "List the members of the customer",
            MEMBERS,
            handler!(members::list),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberCreateBody>),
        success: 201,
        response: Some(schema::<PortalMemberView<'static>>),
        errors: &[422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-portal/members",
            "customer_portal:members:add_member",
            "Add a member to the customer",
            MEMBERS,
            handler!(members::add),
        )
    },
    Endpoint {
        body: Some(schema::<PortalMemberUpdateBody>),
        response: Some(schema::<PortalMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:update_member",
            "Update a member of the customer, or transfer ownership",
            MEMBERS,
            handler!(members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customer-portal/members/{id}",
            "customer_portal:members:remove_member",
            "Remove a member from the customer",
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
            "Get an organization's public page",
            Access::Public,
            handler!(handlers::organization),
        )
    },
];
