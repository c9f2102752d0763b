//! Access tokens of organizations (docs/contracts/polar/organizations.md, 4).

mod handlers;
pub(super) mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use crate::wire::{TokenRevocation, TokenRotate};
use wire::{
    AccessTokenCreated, AccessTokenView, OrganizationAccessTokenCreate, OrganizationAccessTokenUpdate,
};

const ORGANIZATIONS: Parameter = Parameter::query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Only tokens of these organizations.",
);
const TOKENS_READ: Access = Access::Scoped(&[
    RequiredScope::new("organization_access_tokens:read"),
    RequiredScope::new("organization_access_tokens:write"),
]);
const TOKENS_WRITE: Access = Access::Scoped(&[RequiredScope::new("organization_access_tokens:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            ORGANIZATIONS,
            Parameter::query(
                "expires_before",
                || json!({"type": "string", "format": "date-time"}),
                "Only tokens that expire before this time, expired ones included.",
            ),
            Parameter::query(
                "sorting",
                || json!({"type": "array", "items": {"type": "string"}}),
                "The order.",
            ),
        ],
        response: Some(schema::<ListResource<AccessTokenView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organization-access-tokens",
            "organization_access_tokens:list",
            "List access tokens",
            TOKENS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationAccessTokenCreate>),
        returns_secret: true,
        success: 201,
        response: Some(schema::<AccessTokenCreated<'static>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Post,
            "/v1/organization-access-tokens",
            "organization_access_tokens:create",
            "Create an access token; only this response contains its secret",
            TOKENS_WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<AccessTokenView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/organization-access-tokens/{id}",
            "organization_access_tokens:get",
            "Get an access token",
            TOKENS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationAccessTokenUpdate>),
        response: Some(schema::<AccessTokenView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/organization-access-tokens/{id}",
            "organization_access_tokens:update",
            "Update an access token",
            TOKENS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        body: Some(schema::<TokenRotate>),
        returns_secret: true,
        response: Some(schema::<AccessTokenCreated<'static>>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/organization-access-tokens/{id}/rotate",
            "organization_access_tokens:rotate",
            "Give an access token a new secret, which only this response contains",
            TOKENS_WRITE,
            handler!(handlers::rotate),
        )
    },
    Endpoint {
        body: Some(schema::<TokenRevocation>),
        errors: &[422],
        ..Endpoint::new(
            Method::Post,
            "/v1/tokens/revoke",
            "tokens:revoke",
            "End the secret in the body, whether it is known or not",
            Access::Public,
            handler!(handlers::revoke),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/organization-access-tokens/{id}",
            "organization_access_tokens:delete",
            "Revoke an access token",
            TOKENS_WRITE,
            handler!(handlers::delete),
        )
    },
];
