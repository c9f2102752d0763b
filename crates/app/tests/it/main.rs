//! Tests of the use cases against a database: SQLite, or the engine that the environment names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed precondition fails the test"
)]

mod archive;
mod deletion;
mod isolation;
