//! Tests over the wire: every request goes through the real front to a real database in a directory of its
//! own, and every answer is held against the published contracts (`support::contract`).
//!
//! One program for all of them, so that they are linked once; one file a path and verb group.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod account_members;
mod accounts;
mod allow_lists;
mod api_keys;
mod api_keys_change;
mod audit;
mod authorization;
mod bootstrap;
mod customers_change;
mod customers_create;
mod customers_list;
mod front;
mod fuzz;
mod hostile;
mod idempotency;
mod meanwhile;
mod members;
mod members_nested;
mod openapi;
mod organizations;
mod organizations_update;
mod pages;
mod sub_account_api_keys;
mod sub_accounts;
mod support;
mod suspension;
mod two_dialects;
