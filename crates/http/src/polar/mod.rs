//! The Polar dialect: `/v1`, modelled on Polar's public API of 2025 and of 2026-04.
//!
//! Contracts: docs/contracts/founding-operations.md, 1 and 3, docs/contracts/polar/README.md, and
//! tests/contracts/facts/polar-2026-04.openapi.json.

mod access_tokens;
mod administration;
mod csv;
mod customer_state;
mod customers;
mod customers_export;
mod error;
mod front;
mod inputs;
mod legal_entity;
mod members;
mod operations;
mod organizations;
mod organizations_input;
mod page;
mod portal;
mod portal_email;
mod portal_error;
mod portal_members;
mod portal_operations;
mod sessions;
mod team;
mod webhook_payload;
mod webhooks;
mod webhooks_input;

pub(crate) use error::{method_not_allowed, not_found, unavailable};
pub(crate) use front::Front;
pub use webhook_payload::webhook_payload;

use std::sync::Arc;

/// The version of the API that webhooks speak, and requests that name none.
const API_VERSION: &str = "2026-04";

use axum::Router;

use crate::openapi::{self, Dialect};
use crate::route::{self, AppState};

pub(crate) fn router(shared: &Arc<AppState>) -> Router {
    [operations::ALL, administration::ALL, portal_operations::ALL]
        .into_iter()
        .fold(Router::new(), |router, operations| {
            router.merge(route::router(shared, operations, error::refuse))
        })
}

pub(crate) fn document() -> serde_json::Value {
    let parts = [operations::ALL, administration::ALL, portal_operations::ALL];
    openapi::document(Dialect::Polar, parts.into_iter().flatten())
}
