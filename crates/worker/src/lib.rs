//! The background workers of the server: they deliver webhooks ([`webhooks`]), send mail ([`mail`]) and carry out
//! imports ([`imports`]).
//!
//! A worker leases the work that a commit queued, sends it, and records the outcome. It keeps no state of its
//! own, so that a restart loses nothing.

mod agenda;
pub mod imports;
pub mod mail;
mod meters;
pub mod webhooks;

pub use meters::{WorkerMeters, WorkerReading};
