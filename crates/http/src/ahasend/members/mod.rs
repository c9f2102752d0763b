//! Account members: the team that runs an account (docs/contracts/founding-operations.md, 2, and
//! docs/contracts/ahasend.md, 1.5).

mod handlers;
pub(super) mod wire;

use crate::ahasend::accounts::wire::Message;
use crate::ahasend::endpoint::{account, endpoint};
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use wire::{AccountMembers, AddMemberRequest, UserAccount};

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        response: Some(schema::<AccountMembers>),
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/members",
            "getAccountMembers",
            "List an account's members",
            account("accounts:members:read"),
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<AddMemberRequest>),
        success: 201,
        response: Some(schema::<UserAccount>),
        errors: &[400, 409, 422, 500],
        row: true,
        ..endpoint(
            Method::Post,
            "/v2/accounts/{account_id}/members",
            "addAccountMember",
            "Add a member to an account",
            account("accounts:members:add"),
            handler!(handlers::add),
        )
    },
    Endpoint {
        response: Some(schema::<UserAccount>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Get,
            "/v2/accounts/{account_id}/members/{user_id}",
            "getAccountMember",
            "Get a member of an account",
            account("accounts:members:read"),
            handler!(handlers::get),
        )
    },
    Endpoint {
        response: Some(schema::<Message>),
        errors: &[400, 404, 500],
        row: true,
        ..endpoint(
            Method::Delete,
            "/v2/accounts/{account_id}/members/{user_id}",
            "removeAccountMember",
            "Remove a member from an account",
            account("accounts:members:remove"),
            handler!(handlers::remove),
        )
    },
];
