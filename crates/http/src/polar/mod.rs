//! The Polar dialect: `/v1`, modelled on Polar's public API of 2025 and of 2026-04.
//!
//! Each noun has a folder with its endpoints, wire types and handlers. This module concatenates the endpoints.
//!
//! Contracts: docs/contracts/founding-operations.md, 1 and 3, docs/contracts/polar/README.md, and
//! tests/contracts/facts/polar-2026-04.openapi.json.

mod audit_log;
mod customers;
mod errors;
mod export;
mod imports;
mod invitations;
mod members;
mod organizations;
mod page;
mod portal;
mod sessions;
mod team;
mod tokens;
mod values;
pub(crate) mod version;
mod webhooks;

use std::sync::Arc;

use axum::Router;

pub(crate) use errors::{method_not_allowed, not_found};
pub use imports::{ColumnError, FileError, ImportStaging, StagingStep, read_import_rows};
pub use webhooks::payload::webhook_payload;

use crate::api::endpoint::Endpoint;
use crate::api::openapi::{self, Dialect};
use crate::pipeline;
use crate::state::AppState;

/// The endpoints of every noun.
static ENDPOINTS: [&[Endpoint]; 11] = [
    organizations::ENDPOINTS,
    team::ENDPOINTS,
    invitations::ENDPOINTS,
    tokens::ENDPOINTS,
    customers::ENDPOINTS,
    imports::ENDPOINTS,
    members::ENDPOINTS,
    sessions::ENDPOINTS,
    portal::ENDPOINTS,
    webhooks::ENDPOINTS,
    audit_log::ENDPOINTS,
];

pub(crate) fn router(state: &Arc<AppState>) -> Router {
    ENDPOINTS.into_iter().fold(Router::new(), |router, endpoints| {
        router.merge(pipeline::router(state, endpoints, errors::SHAPES))
    })
}

/// All endpoints of the dialect.
pub(crate) fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.into_iter().flatten()
}

pub(crate) fn document() -> serde_json::Value {
    openapi::document(Dialect::Polar, endpoints())
}
