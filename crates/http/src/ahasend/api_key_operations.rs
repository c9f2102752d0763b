//! The operations on API keys, of an account and of its sub-accounts: the same handlers serve both.

use super::accounts::Message;
use super::api_keys::{self, ApiKeyCreated, ApiKeyView, CreateAPIKeyRequest, UpdateAPIKeyRequest};
use super::operations::{account, operation, parent};
use super::page::{self, ListOf};
use crate::route::{Endpoint, Method, handler, schema};

/// Every operation on API keys.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        parameters: page::PARAMETERS,
        answer: Some(schema::<ListOf<ApiKeyView<'static>>>),
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/api-keys",
            "getAPIKeys",
            "List the API keys of an account",
            account("api-keys:read"),
            handler!(api_keys::list),
        )
    },
    Endpoint {
        secret: true,
        body: Some(schema::<CreateAPIKeyRequest>),
        success: 201,
        answer: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 409, 422, 500],
        ..operation(
            Method::Post,
            "/v2/accounts/{account_id}/api-keys",
            "createAPIKey",
            "Make an API key of an account",
            account("api-keys:write"),
            handler!(api_keys::create),
        )
    },
    Endpoint {
        answer: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "getAPIKey",
            "Get an API key of an account",
            account("api-keys:read"),
            handler!(api_keys::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAPIKeyRequest>),
        answer: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 409, 500],
        ..operation(
            Method::Put,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "updateAPIKey",
            "Change an API key of an account",
            account("api-keys:write"),
            handler!(api_keys::update),
        )
    },
    Endpoint {
        answer: Some(schema::<Message>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Delete,
            "/v2/accounts/{account_id}/api-keys/{key_id}",
            "deleteAPIKey",
            "Delete an API key of an account",
            account("api-keys:delete"),
            handler!(api_keys::delete),
        )
    },
    Endpoint {
        parameters: page::PARAMETERS,
        answer: Some(schema::<ListOf<ApiKeyView<'static>>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys",
            "listSubAccountAPIKeys",
            "List the API keys of a sub-account",
            parent("sub-account-api-keys:read"),
            handler!(api_keys::list),
        )
    },
    Endpoint {
        secret: true,
        body: Some(schema::<CreateAPIKeyRequest>),
        success: 201,
        answer: Some(schema::<ApiKeyCreated<'static>>),
        errors: &[400, 404, 409, 422, 500],
        ..operation(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys",
            "createSubAccountAPIKey",
            "Make an API key of a sub-account",
            parent("sub-account-api-keys:write"),
            handler!(api_keys::create),
        )
    },
    Endpoint {
        answer: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "getSubAccountAPIKey",
            "Get an API key of a sub-account",
            parent("sub-account-api-keys:read"),
            handler!(api_keys::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAPIKeyRequest>),
        answer: Some(schema::<ApiKeyView<'static>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Put,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "updateSubAccountAPIKey",
            "Change an API key of a sub-account",
            parent("sub-account-api-keys:write"),
            handler!(api_keys::update),
        )
    },
    Endpoint {
        answer: Some(schema::<Message>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Delete,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys/{key_id}",
            "deleteSubAccountAPIKey",
            "Delete an API key of a sub-account",
            parent("sub-account-api-keys:delete"),
            handler!(api_keys::delete),
        )
    },
];
