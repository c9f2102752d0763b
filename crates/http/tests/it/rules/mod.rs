//! Rules over all operations.

mod audit;
pub(crate) mod authorization;
mod bootstrap;
mod both_dialects;
mod conditions;
mod idempotency;
mod ip_allow_lists;
mod limits;
mod lists;
mod organization_header;
mod people;
mod people_in_parts;
mod revocation;
