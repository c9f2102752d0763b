//! Accounts, and `/v2/ping`, which checks a key (docs/contracts/ahasend.md, 1.4).

mod handlers;
pub(super) mod wire;

use crate::ahasend::endpoint::{account, endpoint};
use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use wire::{AccountView, Message, UpdateAccountRequest};

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        response: Some(schema::<Message>),
        errors: &[400, 429, 500],
        ..endpoint(
            Method::Get,
            "/v2/ping",
            "ping",
            "Check the API key",
            Access::AnyToken,
            handler!(handlers::ping),
        )
    },
    Endpoint {
        response: Some(schema::<AccountView<'static>>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}",
            "getAccount",
            "Get an account",
            account("accounts:read"),
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAccountRequest>),
        response: Some(schema::<AccountView<'static>>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Put,
            "/v2/accounts/{account_id}",
            "updateAccount",
            "Update an account",
            account("accounts:write"),
            handler!(handlers::update),
        )
    },
];
