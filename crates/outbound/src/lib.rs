//! What leaves the process: webhook requests and mail.
//!
//! - [`webhook`]: how a request is signed, shaped, timed and sent, to public addresses only;
//! - [`mail`]: the few letters that the product writes, and the ways to hand them over.
//!
//! Nothing here reads the store or decides what to send: a worker calls this after the commit that
//! recorded the work, and records the outcome. The time, ids and randomness of a webhook are arguments.

pub mod mail;
pub mod webhook;
