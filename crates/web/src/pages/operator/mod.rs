//! The operator's pages: all organizations, and the health of the installation. For everybody else they do not exist.

mod change;
mod health;
mod list;
mod new;
mod one;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_core::organization::{DeletedOrganization, Organization, OrganizationStatus};
use tenantry_core::values::Slug;
use tenantry_store::{Edge, Keyset};
use uuid::Uuid;

use crate::screen::{Link, State};
use crate::texts::Texts;
use crate::view::{Pages, ROWS};
use crate::visit::{Visit, page};
use crate::{Console, ROOT};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    let one = |page: &str| format!("{ROOT}/operator/organizations/{{slug}}{page}");
    Router::new()
        .route("/console/operator/organizations", get(page!(Visit, list::list)))
        .route(
            "/console/operator/new-organization",
            get(page!(Visit, new::new)).post(page!(Visit, new::create)),
        )
        .route(&one(""), get(page!(Visit, one::show)))
        .route(&one("/suspend"), get(page!(Visit, change::ask_suspend)).post(page!(Visit, change::suspend)))
        .route(
            &one("/reopen"),
            get(page!(Visit, change::ask_unsuspend)).post(page!(Visit, change::unsuspend)),
        )
        .route(&one("/restore"), get(page!(Visit, change::ask_undelete)).post(page!(Visit, change::undelete)))
        .route("/console/operator/health", get(page!(Visit, health::show)))
        .route("/console/operator/health/check", post(page!(Visit, health::check)))
}

/// The path of an organization's page.
fn path_of(slug: &Slug) -> String {
    format!("{ROOT}/operator/organizations/{slug}")
}

/// The way back to the list.
fn to_list(t: &'static Texts) -> Link {
    Link { href: format!("{ROOT}/operator/organizations"), label: t.operator.all.to_owned() }
}

/// The state of an organization, whatever that of its parent.
fn state(t: &'static Texts, row: &DeletedOrganization) -> State {
    let words = &t.operator;
    match row {
        DeletedOrganization { is_in_purge: true, .. } => State::new("off", words.in_purge),
        DeletedOrganization { deleted_at: Some(_), .. } => State::new("off", words.deleted),
        DeletedOrganization { organization, .. } => state_of_live(t, organization),
    }
}

fn state_of_live(t: &'static Texts, organization: &Organization) -> State {
    match organization {
        Organization { suspended: Some(_), .. } => State::new("bad", t.operator.suspended),
        Organization { status: OrganizationStatus::Blocked, .. } => State::new("bad", t.operator.blocked),
        _ => State::new("ok", t.operator.active),
    }
}

/// The page of a list that a request asks for, by the ids at its ends.
fn keyset(visit: &Visit) -> Keyset {
    let id = |name: &str| visit.visitor.parameter(name).parse::<Uuid>().ok();
    let edge = match (id("after"), id("before")) {
        (Some(after), _) => Edge::After(after),
        (None, Some(before)) => Edge::Before(before),
        (None, None) => Edge::Newest,
    };
    Keyset { edge, limit: usize::try_from(ROWS).unwrap_or(usize::MAX) }
}

/// The links to the neighbours of a page.
fn neighbours(newer: Option<Uuid>, older: Option<Uuid>, link: impl Fn(&str, &str) -> String) -> Pages {
    let to = |name: &str, id: Option<Uuid>| id.map(|id| link(name, &id.to_string())).unwrap_or_default();
    Pages { text: String::new(), previous: to("before", newer), next: to("after", older) }
}
