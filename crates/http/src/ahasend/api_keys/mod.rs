//! API keys of an account and of its sub-accounts (docs/contracts/ahasend.md, 1.6 and 1.7). A key is an access token
//! of the organization. Both dialects show the same rows.

mod handlers;
pub(super) mod wire;

use crate::ahasend::accounts::wire::Message;
use crate::ahasend::endpoint::{account, endpoint, parent};
use crate::ahasend::page::{self, ListOf};
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use crate::wire::TokenRotate;
use wire::{ApiKeyCreated, ApiKeyView, CreateAPIKeyRequest, UpdateAPIKeyRequest};

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: page::PARAMETERS,
        response: Some(schema::<ListOf<ApiKeyView<'static>>>),
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/api-keys",
            "getAPIKeys",
            "List the API keys of an account",
            account("api-keys:read"),
            handler!(handlers::list),
        )
    },
    Endpoint {
        returns_secret: true,
        body: Some(schema::<CreateAPIKeyRequest>),
        success: 201,
        response: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 409, 422, 500],
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/api-keys",
            "createAPIKey",
            "Create an API key of an account",
            account("api-keys:write"),
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "getAPIKey",
            "Get an API key of an account",
            account("api-keys:read"),
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAPIKeyRequest>),
        response: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 409, 500],
        row: true,
        ..endpoint(
            Method::Put,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "updateAPIKey",
            "Update an API key of an account",
            account("api-keys:write"),
            handler!(handlers::update),
        )
    },
    Endpoint {
        returns_secret: true,
        body: Some(schema::<TokenRotate>),
        response: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 404, 409, 422, 500],
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/api-keys/{key_id}/rotate",
            "rotateAPIKey",
            "Give an API key of an account a new secret",
            account("api-keys:write"),
            handler!(handlers::rotate),
        )
    },
    Endpoint {
        response: Some(schema::<Message>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Delete,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "deleteAPIKey",
            "Delete an API key of an account",
            account("api-keys:delete"),
            handler!(handlers::delete),
        )
    },
    Endpoint {
        parameters: page::PARAMETERS,
        response: Some(schema::<ListOf<ApiKeyView<'static>>>),
        errors: &[400, 404, 500],
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys",
            "listSubAccountAPIKeys",
            "List the API keys of a sub-account",
            parent("sub-account-api-keys:read"),
            handler!(handlers::list),
        )
    },
    Endpoint {
        returns_secret: true,
        body: Some(schema::<CreateAPIKeyRequest>),
        success: 201,
        response: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 404, 409, 422, 500],
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys",
            "createSubAccountAPIKey",
            "Create an API key of a sub-account",
            parent("sub-account-api-keys:write"),
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "getSubAccountAPIKey",
            "Get an API key of a sub-account",
            parent("sub-account-api-keys:read"),
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAPIKeyRequest>),
        response: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Put,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "updateSubAccountAPIKey",
            "Update an API key of a sub-account",
            parent("sub-account-api-keys:write"),
            handler!(handlers::update),
        )
    },
    Endpoint {
        returns_secret: true,
        body: Some(schema::<TokenRotate>),
        response: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 404, 409, 422, 500],
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}/rotate",
            "rotateSubAccountAPIKey",
            "Give an API key of a sub-account a new secret",
            parent("sub-account-api-keys:write"),
            handler!(handlers::rotate),
        )
    },
    Endpoint {
        response: Some(schema::<Message>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Delete,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "deleteSubAccountAPIKey",
            "Delete an API key of a sub-account",
            parent("sub-account-api-keys:delete"),
            handler!(handlers::delete),
        )
    },
];
