//! Tests of the HTTP API: each request goes through the real router to a database of its own, and each response
//! is validated against the published contracts (`tenantry_testkit::contract`).
//!
//! | folder | operations |
//! |---|---|
//! | `accounts` | `/v2/ping`, `/v2/accounts` and everything below: members, API keys, sub-accounts, suspension |
//! | `audit_log` | `/v1/audit-log` |
//! | `organizations` | `/v1/organizations`, their team, and `/v1/organization-access-tokens` |
//! | `invitations` | `/v1/organizations/{id}/invitations`, `/v1/invitations`, `/v1/users/me/invitations` |
//! | `customers` | `/v1/customers` |
//! | `members` | `/v1/members` and `/v1/customers/{id}/members` |
//! | `portal` | `/v1/customer-sessions` and `/v1/customer-portal` |
//! | `moving` | no operation: export and import of an organization |
//! | `webhooks` | `/v1/webhooks` (`crates/worker/tests` tests deliveries) |
//! | `gateway` | behaviour before the operations: paths, versions, browsers, limits, malformed input, OpenAPI |
//! | `rules` | rules over all operations: authorization, idempotency keys, audit, both dialects on one row |
//!
//! One binary, so that the tests are linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod accounts;
mod audit_log;
mod customers;
mod gateway;
mod invitations;
mod members;
mod moving;
mod organizations;
mod portal;
mod rules;
mod support;
mod webhooks;
