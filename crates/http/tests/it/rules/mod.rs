//! Rules over all operations.

mod audit;
pub(crate) mod authorization;
mod bootstrap;
mod both_dialects;
mod idempotency;
mod ip_allow_lists;
mod limits;
mod lists;
mod organization_header;
mod people;
mod revocation;
