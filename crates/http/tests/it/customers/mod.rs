//! Customers of `/v1`.

mod create;
mod get_update_delete;
mod list;
mod lookups;
mod state_and_export;
