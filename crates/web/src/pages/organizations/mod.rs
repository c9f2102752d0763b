//! The organizations of the person, and the overview of one.

mod deleted;
mod list;
mod new;
mod overview;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::Console;
use crate::visit::{Here, Visit, page};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/organizations", get(page!(Visit, list::list)))
        .route("/console/new-organization", get(page!(Visit, new::new)).post(page!(Visit, new::create)))
        .route(
            "/console/deleted-organization",
            get(page!(Visit, deleted::ask)).post(page!(Visit, deleted::undelete)),
        )
        .route("/console/organizations/{slug}", get(page!(Here, overview::overview)))
}
