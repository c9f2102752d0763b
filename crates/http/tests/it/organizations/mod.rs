//! Organizations of `/v1`, their team and their access tokens.

mod access_tokens;
mod create_and_get;
mod deletion;
mod ownership;
mod passkey_rule;
mod rotation;
mod team;
mod update;
