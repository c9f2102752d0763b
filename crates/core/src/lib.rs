//! The core of Tenantry: the types of organizations, customers, members and tokens, and the rules for
//! changing them. The core does no input or output: time, randomness and ids are arguments.
//!
//! - [`values`]: texts and numbers that are validated once, when they are parsed.
//! - [`organization`], [`customer`], [`member`], [`team`], [`token`], [`webhook`], [`invitation`], [`portal`]: one module for
//!   each noun. A rule is a pure function: it takes the facts that the caller loaded, a command, the time and
//!   the new id, and returns the changed row or an error. It never loads anything itself.
//! - [`audit`]: the audit log's entries. [`mail`]: the mails that Tenantry sends. [`console`]:
//!   signing in to the console. [`csv`]: the text of exported tables.
//!
//! The use cases of `tenantry-app` load the facts, call a rule, and save its result in one transaction.

pub mod audit;
pub mod budget;
pub mod console;
pub mod context;
pub mod csv;
pub mod customer;
pub mod ids;
pub mod invitation;
pub mod mail;
pub mod member;
pub mod organization;
pub mod passkey;
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
