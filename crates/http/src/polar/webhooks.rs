//! Webhook endpoints and deliveries (docs/contracts/polar/webhooks.md, 9).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::TeamPermission;
use tenantry_app::webhooks::{
    WebhookEndpointCreate, WebhookEndpointDelete, WebhookEndpointUpdate, WebhookRedeliver, WebhookSecretReset,
};
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId};
use tenantry_core::token::RequiredScope;
use tenantry_core::webhook::{EndpointChange, EventState, EventType, NewEndpoint, WebhookEndpoint};
use tenantry_store::{WebhookDeliveryFilter, WebhookDeliveryShown};

use super::error::ErrorResponse;
use super::page;
use super::webhooks_input::{
    CodeClass, EndpointCreateBody, EndpointUpdateBody, EventTypeName, FormatName, Instant, event_types,
};
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::Uuid4;

/// What stands in place of a secret for who may not write.
const MASKED: &str = "whsec_********";

/// A webhook endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint", transform = crate::openapi::always_whole)]
pub(crate) struct EndpointView<'a> {
    /// When the endpoint was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The endpoint's id.
    #[schemars(with = "Uuid4")]
    id: WebhookEndpointId,
    /// Where requests go.
    url: &'a str,
    /// Display name.
    name: Option<&'a str>,
    /// What requests look like.
    #[schemars(with = "FormatName")]
    format: &'static str,
    /// What requests are signed with; masked for tokens without `webhooks:write`.
    secret: &'a str,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// What it is told of.
    #[schemars(with = "Vec<EventTypeName>")]
    events: &'a [EventType],
    /// Whether it is told anything.
    enabled: bool,
    /// Why the server switched it off, when it did.
    disabled_reason: Option<&'a str>,
    /// The version of the API that requests speak.
    api_version: &'static str,
    /// Always true.
    uses_standard_webhook_signature: bool,
}

impl<'a> EndpointView<'a> {
    fn new(endpoint: &'a WebhookEndpoint, call: &Call) -> Self {
        let write = RequiredScope::new("webhooks:write");
        let may_see = call.caller.as_ref().is_some_and(|caller| caller.allows(write));
        let open = Self::open(endpoint);
        Self { secret: if may_see { open.secret } else { MASKED }, ..open }
    }

    /// With its secret, for who may write.
    fn open(endpoint: &'a WebhookEndpoint) -> Self {
        Self {
            created_at: endpoint.created_at,
            modified_at: endpoint.modified_at,
            id: endpoint.id,
            url: endpoint.url.as_str(),
            name: endpoint.name.as_deref(),
            format: endpoint.format.as_str(),
            secret: endpoint.secret.as_ref().map_or(MASKED, |secret| secret.as_str()),
            organization_id: endpoint.organization,
            events: &endpoint.events,
            enabled: endpoint.enabled,
            disabled_reason: endpoint.disabled_reason.as_deref(),
            api_version: super::API_VERSION,
            uses_standard_webhook_signature: true,
        }
    }
}

/// An event, as its deliveries show it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEvent", transform = crate::openapi::always_whole)]
struct EventView<'a> {
    /// When it happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When its delivery last came further.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The event's id, also in the header `webhook-id`.
    #[schemars(with = "Uuid4")]
    id: WebhookEventId,
    /// The status that the last attempt was answered with.
    last_http_code: Option<u16>,
    /// Whether the receiver took it; `null` until that is settled.
    succeeded: Option<bool>,
    /// Whether it was given up because its endpoint was disabled or deleted.
    skipped: bool,
    /// What was sent; `null` once it is archived.
    payload: Option<&'a str>,
    /// What happened.
    #[serde(rename = "type")]
    #[schemars(with = "EventTypeName")]
    event_type: EventType,
    /// Whether what was sent is no longer there.
    is_archived: bool,
    /// The version of the API that it speaks.
    api_version: &'static str,
}

/// An attempt to deliver an event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery", transform = crate::openapi::always_whole)]
pub(crate) struct DeliveryView<'a> {
    /// When the attempt ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Always `null`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: (),
    /// The attempt's id.
    #[schemars(with = "Uuid4")]
    id: WebhookDeliveryId,
    /// Whether the receiver took the event.
    succeeded: bool,
    /// The status it answered.
    http_code: Option<u16>,
    /// The beginning of its answer, or why there is none.
    response: Option<&'a str>,
    /// The event.
    webhook_event: EventView<'a>,
}

impl<'a> From<&'a WebhookDeliveryShown> for DeliveryView<'a> {
    fn from(shown: &'a WebhookDeliveryShown) -> Self {
        let delivery = &shown.delivery;
        Self {
            created_at: delivery.created_at,
            modified_at: (),
            id: delivery.id,
            succeeded: delivery.succeeded,
            http_code: delivery.http_code,
            response: delivery.response.as_deref(),
            webhook_event: EventView {
                created_at: shown.event_created_at,
                modified_at: shown.event_modified_at,
                id: delivery.event,
                last_http_code: shown.last_http_code,
                succeeded: match shown.state {
                    EventState::Succeeded => Some(true),
                    EventState::Failed => Some(false),
                    EventState::Pending | EventState::Skipped => None,
                },
                skipped: shown.state == EventState::Skipped,
                payload: shown.payload.as_deref(),
                event_type: shown.event_type,
                is_archived: shown.is_archived,
                api_version: super::API_VERSION,
            },
        }
    }
}

/// The organizations whose webhooks the caller may manage.
fn manageable(call: &Call) -> Vec<OrganizationId> {
    call.by().organizations_with(TeamPermission::ManageOrganization).collect()
}

fn endpoint_id(call: &Call) -> Result<WebhookEndpointId, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    Ok(WebhookEndpointId::new(input.finish(id)?.0))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let wanted = input.query_each::<Uuid4>("organization_id");
    let page = page::read(&mut input);
    let (wanted, page) = input.finish(wanted.zip(page))?;
    let mut organizations = manageable(&call);
    organizations.retain(|id| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid()));
    let endpoints = call.app.webhook_endpoints(&organizations, page).await?;
    Ok(page::answer(&endpoints, page, |endpoint| EndpointView::new(endpoint, &call)))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body::<EndpointCreateBody>();
    let EndpointCreateBody { url, name, format, events, secret, organization_id } = input.finish(body)?;
    let new = NewEndpoint {
        url: url.0,
        name,
        format: format.0,
        secret: secret.map(|secret| secret.0),
        events: event_types(events),
    };
    let organization = organization_id.map(|id| OrganizationId::new(id.0));
    let operation = WebhookEndpointCreate { by: call.by(), organization, new };
    Ok(call.write_once(operation, |made| written(StatusCode::CREATED, &EndpointView::open(made))).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    let endpoint = call.app.webhook_endpoint(&call.by(), id).await?;
    Ok(call::json(StatusCode::OK, &EndpointView::new(&endpoint, &call)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let body = input.body::<EndpointUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let EndpointUpdateBody { url, name, secret, format, events, enabled } = body;
    let change = EndpointChange {
        url: url.map(|url| url.0),
        name: name.0,
        format: format.map(|format| format.0),
        secret: secret.map(|secret| secret.0),
        events: events.map(event_types),
        enabled,
    };
    let plain_http_hosts = std::sync::Arc::clone(call.app.plain_http_hosts());
    let id = WebhookEndpointId::new(id.0);
    let update = WebhookEndpointUpdate { by: call.by(), id, change, plain_http_hosts };
    let endpoint = call.app.write(update).await?;
    Ok(call::json(StatusCode::OK, &EndpointView::new(&endpoint, &call)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    call.app.write(WebhookEndpointDelete { by: call.by(), id }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn reset_secret(call: Call) -> Result<Response, ErrorResponse> {
    let id = endpoint_id(&call)?;
    let endpoint = call.app.write(WebhookSecretReset { by: call.by(), id }).await?;
    Ok(call::json(StatusCode::OK, &EndpointView::new(&endpoint, &call)))
}

pub(super) async fn deliveries(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let endpoints = input.query_each::<Uuid4>("endpoint_id");
    let after = input.query::<Instant>("start_timestamp");
    let before = input.query::<Instant>("end_timestamp");
    let succeeded = input.query::<bool>("succeeded");
    let class = input.query::<CodeClass>("http_code_class");
    let kinds = input.query_each::<EventTypeName>("event_type");
    let page = page::read(&mut input);
    let parts = endpoints.zip(after).zip(before).zip(succeeded).zip(class).zip(kinds).zip(page);
    let ((((((endpoints, after), before), succeeded), class), kinds), page) = input.finish(parts)?;
    let filter = WebhookDeliveryFilter {
        organizations: manageable(&call),
        endpoints: endpoints.into_iter().map(|id| WebhookEndpointId::new(id.0)).collect(),
        after: after.map(|instant| instant.0),
        before: before.map(|instant| instant.0),
        succeeded,
        http_code_from: class.map(|class| class.0),
        event_types: kinds.into_iter().map(|kind| kind.0).collect(),
        query: call.last("query").filter(|query| !query.is_empty()).map(str::to_owned),
    };
    let deliveries = call.app.webhook_deliveries(&filter, page).await?;
    Ok(page::answer(&deliveries, page, DeliveryView::from))
}

pub(super) async fn redeliver(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let id = WebhookEventId::new(input.finish(id)?.0);
    let operation = WebhookRedeliver { by: call.by(), id };
    Ok(call.write_once(operation, |()| written(StatusCode::ACCEPTED, &())).await?)
}
