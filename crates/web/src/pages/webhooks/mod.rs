//! Webhook endpoints of an organization, and their deliveries.

mod deliveries;
mod form;
mod list;
mod one;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_app::Error;
use tenantry_core::ids::WebhookEndpointId;
use tenantry_core::webhook::{WebhookEndpoint, WebhookFormat};

use super::here;
use crate::Console;
use crate::screen::State;
use crate::texts::Texts;
use crate::visit::{Here, page};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("webhooks"), get(page!(Here, list::list)))
        .route(&here("webhooks/new"), get(page!(Here, form::new)).post(page!(Here, form::create)))
        .route(&here("webhooks/{id}"), get(page!(Here, one::show)))
        .route(&here("webhooks/{id}/edit"), get(page!(Here, form::edit)).post(page!(Here, form::update)))
        .route(&here("webhooks/{id}/test"), post(page!(Here, one::test)))
        .route(&here("webhooks/{id}/enable"), post(page!(Here, one::enable)))
        .route(&here("webhooks/{id}/secret"), post(page!(Here, one::rotate)))
        .route(
            &here("webhooks/{id}/delete"),
            get(page!(Here, one::ask_delete)).post(page!(Here, one::delete)),
        )
        .route(&here("webhooks/{id}/events/{event}"), get(page!(Here, deliveries::show)))
        .route(&here("webhooks/{id}/events/{event}/redeliver"), post(page!(Here, deliveries::redeliver)))
}

/// The endpoint of the path.
async fn of_path(here: &Here) -> Result<WebhookEndpoint, Error> {
    here.app().webhook_endpoint(&here.by, WebhookEndpointId::new(here.visit.id("id")?)).await
}

/// The name under which an endpoint is shown: its name or its URL.
fn name_of(endpoint: &WebhookEndpoint) -> String {
    let name = endpoint.name.as_deref().filter(|name| !name.trim().is_empty());
    name.unwrap_or_else(|| endpoint.url.as_str()).to_owned()
}

/// The path of an endpoint's page.
fn path_of(here: &Here, endpoint: &WebhookEndpoint) -> String {
    here.to(&format!("webhooks/{}", endpoint.id))
}

fn state(t: &'static Texts, endpoint: &WebhookEndpoint) -> State {
    match (endpoint.enabled, &endpoint.disabled_reason) {
        (true, _) => State::new("ok", t.webhooks.on),
        (false, None) => State::new("off", t.webhooks.off),
        (false, Some(_)) => State::new("bad", t.webhooks.switched_off),
    }
}

const fn format_name(t: &'static Texts, format: WebhookFormat) -> &'static str {
    match format {
        WebhookFormat::Raw => t.webhooks.raw,
        WebhookFormat::Discord => "Discord",
        WebhookFormat::Slack => "Slack",
    }
}
