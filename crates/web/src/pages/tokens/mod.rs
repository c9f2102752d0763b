//! Access tokens of an organization.

mod form;
mod list;
mod one;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_app::Error;
use tenantry_core::Timestamp;
use tenantry_core::ids::TokenId;
use tenantry_core::token::AccessToken;

use super::here;
use crate::Console;
use crate::screen::State;
use crate::texts::Texts;
use crate::visit::{Here, page};

/// Seconds before the expiry of a token in which the pages warn.
const SOON_S: i64 = 14 * 24 * 60 * 60;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("tokens"), get(page!(Here, list::list)))
        .route(&here("tokens/new"), get(page!(Here, form::new)).post(page!(Here, form::create)))
        .route(&here("tokens/{id}"), get(page!(Here, one::show)))
        .route(&here("tokens/{id}/edit"), get(page!(Here, form::edit)).post(page!(Here, form::update)))
        .route(&here("tokens/{id}/rotate"), post(page!(Here, one::rotate)))
        .route(&here("tokens/{id}/revoke"), get(page!(Here, one::ask_revoke)).post(page!(Here, one::revoke)))
}

/// The token of the path.
async fn of_path(here: &Here) -> Result<AccessToken, Error> {
    here.app().access_token(&here.by, TokenId::new(here.visit.id("id")?)).await
}

/// The name under which a token is shown: its label or its id.
fn name_of(token: &AccessToken) -> String {
    if token.label.trim().is_empty() { token.id.to_string() } else { token.label.clone() }
}

fn state(t: &'static Texts, token: &AccessToken, now: Timestamp) -> State {
    match token.expires_at {
        Some(end) if end <= now => State::new("off", t.tokens.expired),
        Some(end) if end <= now.plus_seconds(SOON_S) => State::new("warn", t.tokens.expires_soon),
        _ => State::new("ok", t.tokens.active),
    }
}
