//! The program from outside: its help, its messages, its files and its first start.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod data;
mod first_start;
mod help;
mod invitation;
mod mail;
mod metrics;
mod moving;
mod program;
mod scheduled_backups;
mod support;
mod values;
