//! The dialect's operations on what surrounds customers: their state and export, the team of an
//! organization, and its access tokens.

use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use super::access_tokens::{
    self, AccessTokenCreated, AccessTokenView, OrganizationAccessTokenCreate, OrganizationAccessTokenUpdate,
};
use super::customer_state::{self, CustomerStateView};
use super::customers_export;
use super::operations::{CUSTOMERS_READ, ORGANIZATIONS_READ, operation, query};
use super::page::{LIMIT, ListResource, PAGE};
use super::team::{
    self, OrganizationMemberAdd, OrganizationMemberInvite, OrganizationMemberUpdate, OrganizationMemberView,
    RoleView,
};
use crate::route::{Access, Endpoint, Method, Parameter, handler, schema};

const TOKENS_READ: Access = Access::Scoped(&[
    RequiredScope::new("organization_access_tokens:read"),
    RequiredScope::new("organization_access_tokens:write"),
]);
const TOKENS_WRITE: Access = Access::Scoped(&[RequiredScope::new("organization_access_tokens:write")]);
const TEAM_WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);
/// What a person does for themselves, or to another person.
const TEAM_PERSON: Access = Access::UserScoped(&[RequiredScope::new("organizations:write")]);
/// For an organization's token, `members:write` is about the members of customers.
const TEAM_ROLE: Access = Access::BySubject {
    user: &[RequiredScope::new("members:write")],
    organization: &[RequiredScope::new("organizations:write")],
};

const ORGANIZATIONS: Parameter = query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Those of these organizations.",
);

/// Every operation of these.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        parameters: &[ORGANIZATIONS],
        media: "text/csv",
        answer: Some(schema::<String>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/customers/export",
            "customers:export",
            "All customers as a table of comma-separated values",
            CUSTOMERS_READ,
            handler!(customers_export::export),
        )
    },
    Endpoint {
        answer: Some(schema::<CustomerStateView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/customers/{id}/state",
            "customers:get_state",
            "Get a customer and what it has",
            CUSTOMERS_READ,
            handler!(customer_state::get),
        )
    },
    Endpoint {
        answer: Some(schema::<CustomerStateView<'static>>),
        errors: &[404, 409],
        ..operation(
            Method::Get,
            "/v1/customers/external/{external_id}/state",
            "customers:get_state_external",
            "Get a customer by external id, and what it has",
            CUSTOMERS_READ,
            handler!(customer_state::get),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        answer: Some(schema::<ListResource<Value>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/customers/{id}/payment-methods",
            "customers:list_payment_methods",
            "List a customer's payment methods: always none",
            CUSTOMERS_READ,
            handler!(customer_state::payment_methods),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        answer: Some(schema::<ListResource<Value>>),
        errors: &[404, 409, 422],
        ..operation(
            Method::Get,
            "/v1/customers/external/{external_id}/payment-methods",
            "customers:list_payment_methods_external",
            "List a customer's payment methods by external id: always none",
            CUSTOMERS_READ,
            handler!(customer_state::payment_methods),
        )
    },
    Endpoint {
        answer: Some(schema::<ListResource<OrganizationMemberView<'static>>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/organizations/{id}/members",
            "organizations:members:list",
            "List the team of an organization",
            ORGANIZATIONS_READ,
            handler!(team::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberAdd>),
        success: 201,
        also: Some(200),
        answer: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Post,
            "/v1/organizations/{id}/members",
            "organizations:members:add",
            "Add a person to the team of an organization",
            TEAM_WRITE,
            handler!(team::add),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberInvite>),
        success: 201,
        also: Some(200),
        answer: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Post,
            "/v1/organizations/{id}/members/invite",
            "organizations:members:invite",
            "Invite a person into the team of an organization",
            TEAM_PERSON,
            handler!(team::invite),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/organizations/{id}/members/leave",
            "organizations:members:leave",
            "Leave the team of an organization",
            TEAM_PERSON,
            handler!(team::leave),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberUpdate>),
        answer: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/organizations/{id}/members/{user_id}",
            "organizations:members:set_role",
            "Change a person's role in the team of an organization",
            TEAM_ROLE,
            handler!(team::set_role),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/organizations/{id}/members/{user_id}",
            "organizations:members:remove",
            "Remove a person from the team of an organization",
            TEAM_WRITE,
            handler!(team::remove),
        )
    },
    Endpoint {
        answer: Some(schema::<Vec<RoleView>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/organizations/{id}/roles",
            "organizations:roles",
            "List the roles in the team of an organization",
            ORGANIZATIONS_READ,
            handler!(team::roles),
        )
    },
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            ORGANIZATIONS,
            query("sorting", || json!({"type": "array", "items": {"type": "string"}}), "The order."),
        ],
        answer: Some(schema::<ListResource<AccessTokenView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/organization-access-tokens",
            "organization_access_tokens:list",
            "List access tokens",
            TOKENS_READ,
            handler!(access_tokens::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationAccessTokenCreate>),
        secret: true,
        success: 201,
        answer: Some(schema::<AccessTokenCreated<'static>>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/organization-access-tokens",
            "organization_access_tokens:create",
            "Make an access token; its secret is shown here alone",
            TOKENS_WRITE,
            handler!(access_tokens::create),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationAccessTokenUpdate>),
        answer: Some(schema::<AccessTokenView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/organization-access-tokens/{id}",
            "organization_access_tokens:update",
            "Update an access token",
            TOKENS_WRITE,
            handler!(access_tokens::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/organization-access-tokens/{id}",
            "organization_access_tokens:delete",
            "Revoke an access token",
            TOKENS_WRITE,
            handler!(access_tokens::delete),
        )
    },
];
