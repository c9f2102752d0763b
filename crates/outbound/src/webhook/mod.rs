//! Webhook requests: signature, body, retry schedule and sending.
//!
//! Invariants: a request connects only to an address that the same call checked to be public, or to a host
//! that the operator listed. It never follows a redirect, and it ends within the policy's timeout. Source:
//! docs/contracts/polar/webhooks.md, 9.3 and 9.5; the differences are rows 17 to 19 of
//! docs/contracts/polar/differences.md, 10. Caller: the webhook worker.

pub mod error;
pub mod format;
pub mod resolve;
pub mod schedule;
pub mod sender;
pub mod signature;
mod target;

pub use error::DeliveryError;
pub use format::{Images, Notice, body};
pub use resolve::{Resolve, SystemResolver};
pub use sender::{Policy, Sender, SetupError, WebhookResponse};
pub use signature::{SignatureHeaders, sign};
