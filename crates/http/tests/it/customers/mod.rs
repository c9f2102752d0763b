//! Customers of `/v1`.

mod anonymization;
mod callers;
mod create;
mod export;
mod get_update_delete;
mod list;
mod lookups;
mod restore;
mod retention;
mod shop;
mod state;
