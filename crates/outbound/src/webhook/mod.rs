//! Webhook requests: signature, body, retries and the sending itself.
//!
//! Invariants: a request goes only to an address that was judged public in the same call (or to a host
//! that the operator named), it never follows a redirect, and it ends within the policy's time. Source:
//! docs/contracts/polar/webhooks.md, 9.3 and 9.5; the differences are rows 17 to 19 of
//! docs/contracts/polar/differences.md, 10.
//! Caller: the delivery worker.

pub mod format;
pub mod resolve;
pub mod schedule;
pub mod sender;
pub mod signature;
mod target;

pub use format::{Images, Notice, body};
pub use resolve::{Resolve, SystemResolver};
pub use sender::{Answer, DeliveryError, Policy, Sender, SetupError};
pub use signature::{Headers, headers};
