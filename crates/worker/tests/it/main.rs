//! The workers on a real database: webhooks over loopback, mail into a directory, imports, a clock set by the test.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod expiry_notices;
mod imports;
mod mail;
mod mail_languages;
mod webhooks;
