//! The dialect's operations: what is served, documented and checked.

use tenantry_core::token::RequiredScope;

use super::accounts::{self, AccountView, Message, UpdateAccountRequest};
use super::members::{self, AccountMembers, AddMemberRequest, UserAccount};
use crate::route::{Access, Answering, Endpoint, JSON, Method, handler, schema};

/// An operation that is not deprecated and has neither parameters nor body.
pub(super) const fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    access: Access,
    handler: fn(crate::call::Call) -> Answering,
) -> Endpoint {
    Endpoint {
        method,
        path,
        id,
        summary,
        access,
        parameters: &[],
        body: None,
        success: 200,
        also: None,
        media: JSON,
        answer: None,
        errors: &[400, 500],
        deprecated: false,
        sends_mail: false,
        secret: false,
        handler,
    }
}

pub(super) const fn account(scope: &'static str) -> Access {
    Access::Account(RequiredScope::new(scope))
}

/// For the sub-accounts of an account.
pub(super) const fn parent(scope: &'static str) -> Access {
    Access::Parent(RequiredScope::new(scope))
}

/// Every operation of the dialect but those on sub-accounts.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        answer: Some(schema::<Message>),
        ..operation(
            Method::Get,
            "/v2/ping",
            "ping",
            "Ask whether the key works",
            Access::AnyToken,
            handler!(accounts::ping),
        )
    },
    Endpoint {
        answer: Some(schema::<AccountView<'static>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}",
            "getAccount",
            "Get an account",
            account("accounts:read"),
            handler!(accounts::get),
        )
    },
    Endpoint {
        body: Some(schema::<UpdateAccountRequest>),
        answer: Some(schema::<AccountView<'static>>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Put,
            "/v2/accounts/{account_id}",
            "updateAccount",
            "Update an account",
            account("accounts:write"),
            handler!(accounts::update),
        )
    },
    Endpoint {
        answer: Some(schema::<AccountMembers>),
        ..operation(
            Method::Get,
            "/v2/accounts/{account_id}/members",
            "getAccountMembers",
            "List an account's members",
            account("accounts:members:read"),
            handler!(members::list),
        )
    },
    Endpoint {
        body: Some(schema::<AddMemberRequest>),
        success: 201,
        answer: Some(schema::<UserAccount>),
        errors: &[400, 409, 422, 500],
        ..operation(
            Method::Post,
            "/v2/accounts/{account_id}/members",
            "addAccountMember",
            "Add a member to an account",
            account("accounts:members:add"),
            handler!(members::add),
        )
    },
    Endpoint {
        answer: Some(schema::<Message>),
        errors: &[400, 404, 500],
        ..operation(
            Method::Delete,
            "/v2/accounts/{account_id}/members/{user_id}",
            "removeAccountMember",
            "Remove a member from an account",
            account("accounts:members:remove"),
            handler!(members::remove),
        )
    },
];
