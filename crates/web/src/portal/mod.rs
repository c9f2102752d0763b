//! The portal: pages under `/SLUG/portal` for the customers of an organization and their members.
//!
//! A page calls the use cases of the portal's API as the customer or member of the session, and shows what
//! [`PortalRights`](tenantry_core::portal::PortalRights) grant: the organization's switches, the role and the kind of
//! customer together.
//!
//! | module | does |
//! |---|---|
//! | `guard` | finds the organization, refuses forms of other sites, sets the headers, among them who may embed |
//! | `visit` | what handlers get: the visitor of a site, or the person of a session |
//! | `view` | the frame of pages, with the name, logo and colour of the organization |
//! | `brand` | the style sheet of a colour |
//! | `sign_in`, `link` | the ways in: a mailed code, the link of a session |
//! | `overview`, `billing`, `email`, `team`, `sessions` | the sections |

mod billing;
pub(crate) mod brand;
mod countries;
mod email;
mod guard;
mod link;
mod overview;
mod respond;
mod sessions;
mod sign_in;
mod team;
mod view;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};

use crate::Console;
use crate::visit::page;
use visit::{Guest, Visit};

pub(crate) use guard::{logo_source, protect};
pub(crate) use view::Brand;

/// The path of every style sheet and script of the portal.
pub(crate) const ROOT_OF_ASSETS: &str = "/portal-assets";

/// The pages of the portal.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/{slug}/portal", get(link::home))
        .route("/{slug}/portal/session", get(page!(Visit, link::ask)).post(page!(Visit, link::take)))
        .route("/{slug}/portal/sign-in", get(page!(Visit, sign_in::ask)).post(page!(Visit, sign_in::send)))
        .route(
            "/{slug}/portal/sign-in/code",
            get(page!(Visit, sign_in::code)).post(page!(Visit, sign_in::enter)),
        )
        .route(
            "/{slug}/portal/choose",
            get(page!(Visit, sign_in::choices)).post(page!(Visit, sign_in::choose)),
        )
        .route(
            "/{slug}/portal/email-update",
            get(page!(Visit, email::confirm)).post(page!(Visit, email::confirmed)),
        )
        .route("/{slug}/portal/sign-out", post(page!(Visit, sign_in::out)))
        .route("/{slug}/portal/billing", get(page!(Guest, billing::show)).post(page!(Guest, billing::save)))
        .route("/{slug}/portal/email", get(page!(Guest, email::ask)).post(page!(Guest, email::send)))
        .route("/{slug}/portal/team", get(page!(Guest, team::list)))
        .route("/{slug}/portal/team/add", get(page!(Guest, team::new)).post(page!(Guest, team::add)))
        .route("/{slug}/portal/team/{id}", get(page!(Guest, team::edit)).post(page!(Guest, team::save)))
        .route(
            "/{slug}/portal/team/{id}/remove",
            get(page!(Guest, team::ask_removal)).post(page!(Guest, team::remove)),
        )
        .route(
            "/{slug}/portal/team/{id}/owner",
            get(page!(Guest, team::ask_hand_over)).post(page!(Guest, team::hand_over)),
        )
        .route("/{slug}/portal/sessions", get(page!(Guest, sessions::list)))
        .route("/{slug}/portal/sessions/{id}/end", post(page!(Guest, sessions::end)))
        .route("/{slug}/portal/{*rest}", any(not_found))
}

/// A page that does not exist.
async fn not_found(State(console): State<Arc<Console>>, request: Request) -> Response {
    match Visit::of(console, request).await {
        Ok(visit) => visit.not_found(),
        Err(response) => *response,
    }
}
