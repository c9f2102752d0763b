//! The handlers, one module for each part of the console.

pub(crate) mod audit_log;
pub(crate) mod claim;
pub(crate) mod customers;
pub(crate) mod export;
pub(crate) mod identity;
pub(crate) mod invitations;
pub(crate) mod notices;
pub(crate) mod operator;
pub(crate) mod organizations;
pub(crate) mod portal;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod team;
pub(crate) mod tokens;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::respond::{self, redirect};
use crate::visit::{Answer, Visit};
use crate::visitor::Visitor;
use crate::{Console, ROOT};

/// The route of one of an organization's pages.
pub(crate) fn here(page: &str) -> String {
    format!("{ROOT}/organizations/{{slug}}/{page}")
}

/// Leads to the only organization of the person, or to the list of them.
pub(crate) async fn home(visit: &Visit) -> Answer {
    if let [only] = visit.by.organizations() {
        let only = visit.app().organization(&visit.by, *only).await?;
        return Ok(redirect(&format!("{ROOT}/organizations/{}", only.slug)));
    }
    Ok(redirect(&format!("{ROOT}/organizations")))
}

/// A page that does not exist.
pub(crate) async fn not_found(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let (status, texts) = respond::not_found(visitor.t);
    respond::problem(&visitor.console, visitor.t, status, texts, "")
}
