//! The core of Tenantry: what an organization, a customer, a member and a token *are*, and what may
//! happen to them. It asks the world for nothing: time, randomness and ids are arguments.
//!
//! - [`values`]: text and numbers parsed once at the edge, valid ever after;
//! - the nouns ([`organization`], [`customer`], [`member`], [`team`], [`token`], [`webhook`], [`portal`]): types, and rules as
//!   pure functions of facts: `decide(facts, command, now, id) -> Result<outcome, error>`;
//! - [`audit`]: what is written down of every change; [`mail`]: what people are written about it.

pub mod audit;
pub mod context;
pub mod customer;
pub mod ids;
pub mod mail;
pub mod member;
pub mod organization;
pub mod patch;
pub mod portal;
pub mod team;
pub mod time;
pub mod token;
pub mod user;
pub mod values;
pub mod webhook;

pub use context::ExecutionContext;
pub use patch::Patch;
pub use time::Timestamp;
