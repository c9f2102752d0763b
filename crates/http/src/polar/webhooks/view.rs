//! Response types of webhook endpoints and deliveries.

use crate::polar::version;
use crate::polar::webhooks::wire::{EventTypeName, FormatName};
use crate::wire::Uuid4;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId};
use tenantry_core::webhook::{Event, EventState, EventType, WebhookEndpoint};
use tenantry_store::WebhookDeliveryDetails;

/// Shown in place of a secret to callers without `webhooks:write`.
pub(super) const MASKED: &str = "whsec_********";

/// A webhook endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint", transform = crate::api::openapi::token_fields_required)]
pub(crate) struct EndpointView<'a> {
    /// When the endpoint was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// The endpoint's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: WebhookEndpointId,
    /// URL that deliveries go to. A user name and password in it are masked.
    pub(super) url: &'a str,
    /// Display name.
    pub(super) name: Option<&'a str>,
    /// Format of deliveries.
    #[schemars(with = "FormatName")]
    pub(super) format: &'static str,
    /// Signing secret. Masked for tokens without `webhooks:write`.
    pub(super) secret: &'a str,
    /// The organization.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// Types of the events that are delivered.
    #[schemars(with = "Vec<EventTypeName>")]
    pub(super) events: &'a [EventType],
    /// Whether events are delivered.
    pub(super) enabled: bool,
    /// The reason, if the server disabled it.
    pub(super) disabled_reason: Option<&'a str>,
    /// API version of deliveries.
    pub(super) api_version: &'static str,
    /// Always true.
    pub(super) uses_standard_webhook_signature: bool,
    /// The secret before the last rotation. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_secret: Option<PreviousSecretView>,
}

/// The end of the secret before the last rotation.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PreviousWebhookSecret")]
pub(crate) struct PreviousSecretView {
    /// The time at which it ends, or ended. Until then deliveries carry its signatures as well.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) expires_at: Timestamp,
}

impl<'a> EndpointView<'a> {
    /// The endpoint; its secret is masked unless `shows_secret`.
    pub(super) fn new(endpoint: &'a WebhookEndpoint, shows_secret: bool) -> Self {
        let open = Self::open(endpoint);
        Self { secret: if shows_secret { open.secret } else { MASKED }, ..open }
    }

    /// The endpoint with its secret.
    pub(super) fn open(endpoint: &'a WebhookEndpoint) -> Self {
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
            api_version: version::DEFAULT,
            uses_standard_webhook_signature: true,
            previous_secret: endpoint
                .previous_secret
                .as_ref()
                .map(|previous| PreviousSecretView { expires_at: previous.expires_at }),
        }
    }
}

/// An event, as its deliveries show it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEvent", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct EventView<'a> {
    /// When it happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When its delivery state last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// The event's id, also in the header `webhook-id`.
    #[schemars(with = "Uuid4")]
    pub(super) id: WebhookEventId,
    /// HTTP status of the last attempt.
    pub(super) last_http_code: Option<u16>,
    /// Whether the event was delivered. `null` while deliveries are pending.
    pub(super) succeeded: Option<bool>,
    /// Whether the delivery was abandoned because its endpoint was disabled or deleted.
    pub(super) skipped: bool,
    /// The payload. `null` before the first attempt, and once it is archived.
    pub(super) payload: Option<&'a str>,
    /// Type of the event.
    #[serde(rename = "type")]
    #[schemars(with = "EventTypeName")]
    pub(super) event_type: EventType,
    /// Whether the payload was archived.
    pub(super) is_archived: bool,
    /// API version of the payload.
    pub(super) api_version: &'static str,
}

impl From<&Event> for EventView<'_> {
    /// An event before its first attempt.
    fn from(event: &Event) -> Self {
        Self {
            created_at: event.created_at,
            modified_at: None,
            id: event.id,
            last_http_code: None,
            succeeded: None,
            skipped: false,
            payload: None,
            event_type: event.event_type,
            is_archived: false,
            api_version: version::DEFAULT,
        }
    }
}

/// An attempt to deliver an event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct DeliveryView<'a> {
    /// When the attempt ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// Always `null`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: (),
    /// The attempt's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: WebhookDeliveryId,
    /// Whether the attempt succeeded.
    pub(super) succeeded: bool,
    /// HTTP status of the response.
    pub(super) http_code: Option<u16>,
    /// The beginning of the response body, or the error.
    pub(super) response: Option<&'a str>,
    /// The event.
    pub(super) webhook_event: EventView<'a>,
}

impl<'a> From<&'a WebhookDeliveryDetails> for DeliveryView<'a> {
    fn from(shown: &'a WebhookDeliveryDetails) -> Self {
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
                api_version: version::DEFAULT,
            },
        }
    }
}
