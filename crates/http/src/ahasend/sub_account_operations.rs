//! The dialect's operations on sub-accounts.

use super::accounts::Message;
use super::operations::{operation, parent};
use super::page::{self, ListOf};
use super::sub_accounts::{
    self, CreateSubAccountRequest, SubAccountView, SuspendSubAccountRequest, UpdateSubAccountRequest,
    UsageView,
};
use crate::route::{Endpoint, Method, handler, schema};

const PATH: &str = "/v2/accounts/{account_id}/sub-accounts";
const ONE: &str = "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}";

/// Every operation on sub-accounts.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        parameters: page::PARAMETERS,
        answer: Some(schema::<ListOf<SubAccountView>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            PATH,
            "listSubAccounts",
            "List an account's sub-accounts",
            parent("sub-accounts:read"),
            handler!(sub_accounts::list),
        )
    },
    Endpoint {
        body: Some(schema::<CreateSubAccountRequest>),
        success: 201,
        answer: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Post,
            PATH,
            "createSubAccount",
            "Create a sub-account",
            parent("sub-accounts:write"),
            handler!(sub_accounts::create),
        )
    },
    Endpoint {
        answer: Some(schema::<UsageView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/sub-accounts/usage",
            "getSubAccountsUsage",
            "Get what an account and its sub-accounts used",
            parent("sub-accounts:usage"),
            handler!(sub_accounts::usage),
        )
    },
    Endpoint {
        answer: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            ONE,
            "getSubAccount",
            "Get a sub-account",
            parent("sub-accounts:read"),
            handler!(sub_accounts::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateSubAccountRequest>),
        answer: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Put,
            ONE,
            "updateSubAccount",
            "Update a sub-account",
            parent("sub-accounts:write"),
            handler!(sub_accounts::update),
        )
    },
    Endpoint {
        answer: Some(schema::<Message>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Delete,
            ONE,
            "deleteSubAccount",
            "Delete a sub-account",
            parent("sub-accounts:delete"),
            handler!(sub_accounts::delete),
        )
    },
    Endpoint {
        body: Some(schema::<SuspendSubAccountRequest>),
        answer: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/suspend",
            "suspendSubAccount",
            "Suspend a sub-account",
            parent("sub-accounts:suspend"),
            handler!(sub_accounts::suspend),
        )
    },
    Endpoint {
        answer: Some(schema::<SubAccountView>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Post,
            "/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/unsuspend",
            "unsuspendSubAccount",
            "End the suspension of a sub-account",
            parent("sub-accounts:suspend"),
            handler!(sub_accounts::unsuspend),
        )
    },
];
