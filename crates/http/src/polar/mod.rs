//! The Polar dialect: `/v1`, modelled on Polar's public API of 2025 and of 2026-04.
//!
//! Contracts: contracts/seeds/000 and 004, contracts/polar-behaviour.md, contracts/polar-2026-04.openapi.json.

mod customers;
mod error;
mod front;
mod inputs;
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

pub(crate) use error::{method_not_allowed, not_found, unavailable};
pub(crate) use front::Front;

use std::sync::Arc;

use axum::Router;

use crate::openapi::{self, Dialect};
use crate::route::{self, Shared};

pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let tenancy = route::router(shared, operations::ALL, error::refuse);
    tenancy.merge(route::router(shared, portal_operations::ALL, error::refuse))
}

pub(crate) fn document() -> serde_json::Value {
    openapi::document(Dialect::Polar, operations::ALL.iter().chain(portal_operations::ALL))
}
