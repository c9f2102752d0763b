//! The background workers of the server: they deliver webhooks ([`webhooks`]) and send mail ([`mail`]).
//!
//! A worker leases the work that a commit queued, sends it, and records the outcome. It keeps no state of its
//! own, so that a restart loses nothing.

pub mod mail;
pub mod webhooks;
