//! The AhaSend dialect: `/v2`, modelled on AhaSend's v2 API. An account is an organization, an account
//! member a member of its team.
//!
//! Contracts: docs/contracts/founding-operations.md, 2, docs/contracts/ahasend.md, and
//! tests/contracts/facts/ahasend-v2.openapi.json.

mod accounts;
mod api_key_operations;
mod api_keys;
mod error;
mod members;
mod operations;
mod page;
mod sub_account_operations;
mod sub_accounts;

pub(crate) use error::{method_not_allowed, not_found, unavailable};

use std::sync::Arc;

use axum::Router;

use crate::openapi::{self, Dialect};
use crate::route::{self, AppState, Endpoint};

fn parts() -> [&'static [Endpoint]; 3] {
    [operations::ALL, api_key_operations::ALL, sub_account_operations::ALL]
}

pub(crate) fn router(shared: &Arc<AppState>) -> Router {
    parts()
        .into_iter()
        .fold(Router::new(), |router, part| router.merge(route::router(shared, part, error::refuse)))
}

pub(crate) fn document() -> serde_json::Value {
    openapi::document(Dialect::AhaSend, parts().into_iter().flatten())
}
