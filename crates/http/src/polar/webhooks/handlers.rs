//! Handlers of the endpoints on webhooks.

use super::view::{DeliveryView, EndpointView, EventView};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::polar::webhooks::wire::{
    CodeClass, EndpointCreateBody, EndpointUpdateBody, EventTypeName, ZonedTimestamp, event_types,
};
use crate::wire::{TokenRotate, Uuid4};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::webhooks::{
    WebhookEndpointCreate, WebhookEndpointDelete, WebhookEndpointUpdate, WebhookRedeliver,
    WebhookSecretReset, WebhookSecretRotate, WebhookTestSend,
};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use tenantry_core::token::RequiredScope;
use tenantry_core::webhook::{EndpointChange, NewEndpoint, WebhookEndpoint};
use tenantry_store::WebhookDeliveryFilter;

/// Whether the caller may see the secrets of endpoints.
fn shows_secret(call: &Call) -> bool {
    call.caller.as_ref().is_some_and(|caller| caller.allows(RequiredScope::new("webhooks:write")))
}

/// The organizations whose webhooks the caller may manage.
fn manageable_organizations(call: &Call) -> Vec<OrganizationId> {
    call.requester().organizations_with(TeamPermission::ManageOrganization).collect()
}

fn endpoint_id(call: &Call) -> Result<WebhookEndpointId, ErrorResponse> {
    let mut input = Input::new(call);
    let id = input.path::<Uuid4>("id");
    Ok(WebhookEndpointId::new(input.finish(id)?.0))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let wanted = input.query_list::<Uuid4>("organization_id");
    let page = page::read(&mut input);
    let (wanted, page) = input.finish(wanted.zip(page))?;
    let mut organizations = manageable_organizations(&call);
    organizations.retain(|id| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid()));
    let endpoints = call.app.webhook_endpoints(&call.requester(), &organizations, page).await?;
    Ok(page::response(&endpoints, page, |endpoint| EndpointView::new(endpoint, shows_secret(&call))))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<EndpointCreateBody>();
    let EndpointCreateBody { url, name, format, events, secret, organization_id, api_version: _ } =
        input.finish(body)?;
    let new = NewEndpoint {
        url: url.0,
        name: name.map(|name| name.0),
        format: format.0,
        secret: secret.map(|secret| secret.0),
        events: event_types(events),
    };
    let organization = organization_id.map(|id| OrganizationId::new(id.0));
    let operation = WebhookEndpointCreate { by: call.requester(), organization, new };
    Ok(call.write_once(operation, |made| to_stored(StatusCode::CREATED, &EndpointView::open(made))).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    let endpoint = call.app.webhook_endpoint(&call.requester(), id).await?;
    Ok(response::json(StatusCode::OK, &EndpointView::new(&endpoint, shows_secret(&call))))
}

/// The function that renders an endpoint as its GET does.
fn shown(call: &Call) -> impl Fn(&WebhookEndpoint) -> Result<Vec<u8>, Error> + Send + Sync + use<> {
    let shows_secret = shows_secret(call);
    move |endpoint| response::body(&EndpointView::new(endpoint, shows_secret))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<EndpointUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let EndpointUpdateBody { url, name, secret, format, events, enabled, api_version: _ } = body;
    let change = EndpointChange {
        url: url.map(|url| url.0),
        name: name.0.map(|name| name.0),
        format: format.map(|format| format.0),
        secret: secret.map(|secret| secret.0),
        events: events.map(event_types),
        enabled,
    };
    let plain_http_hosts = std::sync::Arc::clone(call.app.plain_http_hosts());
    let id = WebhookEndpointId::new(id.0);
    let update = WebhookEndpointUpdate { by: call.requester(), id, change, plain_http_hosts };
    let endpoint = call.write_row(update, shown(&call)).await?;
    Ok(response::json(StatusCode::OK, &EndpointView::new(&endpoint, shows_secret(&call))))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    call.write_row(WebhookEndpointDelete { by: call.requester(), id }, shown(&call)).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn reset_secret(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    let reset = WebhookSecretReset { by: call.requester(), id };
    let endpoint = call.write_row(reset, shown(&call)).await?;
    Ok(response::json(StatusCode::OK, &EndpointView::new(&endpoint, shows_secret(&call))))
}

pub(super) async fn rotate(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<TokenRotate>();
    let (id, body) = input.finish(id.zip(body))?;
    let (id, overlap) = (WebhookEndpointId::new(id.0), body.overlap());
    let rotation = WebhookSecretRotate { by: call.requester(), id, overlap };
    Ok(call.write_once(rotation, |made| to_stored(StatusCode::OK, &EndpointView::open(made))).await?)
}

pub(super) async fn test(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    let test = WebhookTestSend { by: call.requester(), id };
    Ok(call.write_once(test, |event| to_stored(StatusCode::ACCEPTED, &EventView::from(event))).await?)
}

pub(super) async fn deliveries(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let endpoints = input.query_list::<Uuid4>("endpoint_id");
    let after = input.query::<ZonedTimestamp>("start_timestamp");
    let before = input.query::<ZonedTimestamp>("end_timestamp");
    let succeeded = input.query::<bool>("succeeded");
    let class = input.query::<CodeClass>("http_code_class");
    let kinds = input.query_list::<EventTypeName>("event_type");
    let page = page::read(&mut input);
    let parts = endpoints.zip(after).zip(before).zip(succeeded).zip(class).zip(kinds).zip(page);
    let ((((((endpoints, after), before), succeeded), class), kinds), page) = input.finish(parts)?;
    let filter = WebhookDeliveryFilter {
        organizations: manageable_organizations(&call),
        endpoints: endpoints.into_iter().map(|id| WebhookEndpointId::new(id.0)).collect(),
        after: after.map(|timestamp| timestamp.0),
        before: before.map(|timestamp| timestamp.0),
        succeeded,
        http_code_from: class.map(|class| class.0),
        event_types: kinds.into_iter().map(|kind| kind.0).collect(),
        query: call.query_value("query").filter(|query| !query.is_empty()).map(str::to_owned),
    };
    let deliveries = call.app.webhook_deliveries(&call.requester(), &filter, page).await?;
    Ok(page::response(&deliveries, page, DeliveryView::from))
}

pub(super) async fn redeliver(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = WebhookEventId::new(input.finish(id)?.0);
    let operation = WebhookRedeliver { by: call.requester(), id };
    Ok(call.write_once(operation, |()| to_stored(StatusCode::ACCEPTED, &())).await?)
}
