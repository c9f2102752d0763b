//! Integration tests of the core: the rules through their public interface, one module for each noun.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod customers;
mod members;
mod organizations;
mod sub_accounts;
mod team_and_tokens;
