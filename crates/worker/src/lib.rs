//! What happens after the commit: workers that send what a transaction left to be sent.

pub mod mail;
