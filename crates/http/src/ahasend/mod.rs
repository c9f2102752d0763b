//! The AhaSend dialect: `/v2`, modelled on AhaSend's v2 API. An account is an organization, and an account member
//! is a member of its team.
//!
//! Each noun has a folder with its endpoints, wire types and handlers. This module concatenates the endpoints.
//!
//! Contracts: docs/contracts/founding-operations.md, 2, docs/contracts/ahasend.md, and
//! tests/contracts/facts/ahasend-v2.openapi.json.

mod accounts;
mod api_keys;
mod endpoint;
mod errors;
mod members;
mod page;
mod path;
mod sub_accounts;

use std::sync::Arc;

use axum::Router;

pub(crate) use errors::{method_not_allowed, not_found};

use crate::api::endpoint::Endpoint;
use crate::api::openapi::{self, Dialect};
use crate::pipeline;
use crate::state::AppState;

/// The endpoints of every noun.
static ENDPOINTS: [&[Endpoint]; 4] =
    [accounts::ENDPOINTS, members::ENDPOINTS, api_keys::ENDPOINTS, sub_accounts::ENDPOINTS];

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
    openapi::document(Dialect::AhaSend, endpoints())
}
