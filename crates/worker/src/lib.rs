//! What the server does besides answering: it delivers webhooks ([`webhooks`]) and sends mail
//! ([`mail`]).
//!
//! A worker reads what a commit left it to do, acts on the world, and writes down what came of it. It holds
//! nothing that a restart would miss.

pub mod mail;
pub mod webhooks;
