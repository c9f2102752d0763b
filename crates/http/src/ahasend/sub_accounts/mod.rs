//! Sub-accounts of an account (docs/contracts/ahasend.md, 1.7).

mod handlers;
pub(super) mod wire;

use crate::ahasend::accounts::wire::Message;
use crate::ahasend::endpoint::{endpoint, parent};
use crate::ahasend::page::{self, ListOf};
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use wire::{
    CreateSubAccountRequest, SubAccountView, SuspendSubAccountRequest, UpdateSubAccountRequest, UsageView,
};

const ONE: &str = "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}";
const PATH: &str = "/v2/accounts/{account_id}/sub-accounts";

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: page::PARAMETERS,
        response: Some(schema::<ListOf<SubAccountView>>),
        errors: &[400, 404, 500],
        ..endpoint(
            Method::Get,
            PATH,
            "listSubAccounts",
            "List an account's sub-accounts",
            parent("sub-accounts:read"),
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<CreateSubAccountRequest>),
        success: 201,
        response: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Post,
            PATH,
            "createSubAccount",
            "Create a sub-account",
            parent("sub-accounts:write"),
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<UsageView>),
        errors: &[400, 404, 500],
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/usage",
            "getSubAccountsUsage",
            "Get the usage of an account and its sub-accounts",
            parent("sub-accounts:usage"),
            handler!(handlers::usage),
        )
    },
    Endpoint {
        response: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Get,
            ONE,
            "getSubAccount",
            "Get a sub-account",
            parent("sub-accounts:read"),
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateSubAccountRequest>),
        response: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Put,
            ONE,
            "updateSubAccount",
            "Update a sub-account",
            parent("sub-accounts:write"),
            handler!(handlers::update),
        )
    },
    Endpoint {
        response: Some(schema::<Message>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Delete,
            ONE,
            "deleteSubAccount",
            "Delete a sub-account",
            parent("sub-accounts:delete"),
            handler!(handlers::delete),
        )
    },
    Endpoint {
        body: Some(schema::<SuspendSubAccountRequest>),
        response: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/suspend",
            "suspendSubAccount",
            "Suspend a sub-account",
            parent("sub-accounts:suspend"),
            handler!(handlers::suspend),
        )
    },
    Endpoint {
        response: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/unsuspend",
            "unsuspendSubAccount",
            "Unsuspend a sub-account",
            parent("sub-accounts:suspend"),
            handler!(handlers::unsuspend),
        )
    },
];
