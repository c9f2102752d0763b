//! The operations of `/v2`.

mod account;
mod api_key_pages;
mod api_keys;
mod api_keys_update;
mod members;
mod sub_account_api_keys;
mod sub_accounts;
mod suspension;
