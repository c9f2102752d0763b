//! Sends webhook requests and mail.
//!
//! - [`webhook`]: signs, formats, schedules and sends webhook requests, to public addresses only;
//! - [`mail`]: renders the product's mails and hands them to a mail server, a directory or the log.
//!
//! This crate neither reads the store nor decides when to send. A worker calls it after the commit that
//! queued the work, and records the outcome. Time, ids and randomness of a webhook request are arguments.

pub mod mail;
pub mod webhook;
