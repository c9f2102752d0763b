//! Test support that several crates share.
//!
//! - [`Database`] and [`Postgres`]: an empty database for one test, dropped with its value.
//! - With the feature `world`: a whole Tenantry without a socket, with a clock set by hand and seeded
//!   randomness (`World`), clients of it whose every response is validated against the published contracts
//!   (`Client`, `Response`, `contract`), and a receiver of webhooks (`WebhookReceiver`).
//!
//! | variable | meaning |
//! |---|---|
//! | `TENANTRY_TEST_ENGINE` | engine of tests that run on one engine at a time: `sqlite`, the default, or `postgres` |
//! | `TENANTRY_TEST_POSTGRES` | URL of the PostgreSQL server, without a database; `tests/postgres.sh COMMAND` sets it |
//! | `TENANTRY_TEST_CITUS` | distributes the tables of every database before its test begins (`sharding`) |
//! | `CI` | a test that needs PostgreSQL fails where there is no server; elsewhere it says so and passes |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails, and every function here may end one"
)]

mod database;
mod server;
mod sharding;
mod template;

#[cfg(feature = "world")]
mod acme;
#[cfg(feature = "world")]
mod client;
#[cfg(feature = "world")]
mod clock;
#[cfg(feature = "world")]
pub mod contract;
#[cfg(feature = "world")]
mod receiver;
#[cfg(feature = "world")]
mod response;
#[cfg(feature = "world")]
mod world;

pub use database::{Database, Postgres, sqlite_rows};

#[cfg(feature = "world")]
pub use acme::Acme;
#[cfg(feature = "world")]
pub use client::{Client, portal_session};
#[cfg(feature = "world")]
pub use clock::Clock;
#[cfg(feature = "world")]
pub use receiver::{ReceivedWebhook, WebhookReceiver};
#[cfg(feature = "world")]
pub use response::{Response, changed_fields};
#[cfg(feature = "world")]
pub use world::{BODY_LIMIT, Organization, Settings, TRUSTED_ORIGIN, World};
