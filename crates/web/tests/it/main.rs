//! Tests of the console through the real router, with a browser that keeps cookies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod account;
mod audit_log;
mod authenticator;
mod browser;
mod customers;
mod first_entry;
mod invitations;
mod known_browsers;
mod matrix;
mod notices;
mod operator;
mod organizations;
mod pages;
mod passkeys;
mod portal;
mod pre_hijack;
mod rates;
mod recovery_codes;
mod routes;
mod sessions;
mod sign_in;
mod step_up;
mod team;
mod tokens;
mod webhooks;
