//! Webhooks: endpoints that receive an organization's events (docs/contracts/polar/webhooks.md).
//!
//! Invariants:
//! - A disabled or deleted endpoint receives no request. Its pending events are skipped.
//! - An endpoint can be enabled only while its URL is a permitted target.
//! - Ten failed events in a row disable an endpoint. Enabling it again restarts the count. A test event does not count.

mod decide;
mod event;
mod event_type;
mod secret;
mod url;

pub use decide::{
    CompletedEvent, DeliveryFacts, DeliveryOutcome, EventUpdate, FAILURES_TO_DISABLE, FAILURES_TO_WARN,
    auto_disable, create, event_after_attempt, redeliver, reset_secret, rotate_secret, update, warns,
};
pub use event::{Event, EventData, EventState, InvitationStep, Membership, OwnershipChange, WebhookTest};
pub use event_type::EventType;
pub use secret::{PreviousSigningSecret, SecretTooShort, SigningSecret};
pub use url::EndpointUrl;

use serde::{Deserialize, Serialize};

use crate::ids::{OrganizationId, WebhookEndpointId};
use crate::{Patch, Timestamp};

/// The format of the request body that an endpoint receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// JSON with the objects of the API.
    Raw,
    /// A message for a Discord channel.
    Discord,
    /// A message for a Slack channel.
    Slack,
}

impl WebhookFormat {
    /// Every format, in the order in which the contract lists them.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Discord, Self::Slack];

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The format's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Discord => "discord",
            Self::Slack => "slack",
        }
    }
}

/// An endpoint: a URL that receives an organization's events (table `webhook_endpoints`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookEndpoint {
    /// Id.
    pub id: WebhookEndpointId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change; none when it never changed.
    pub modified_at: Option<Timestamp>,
    /// Target of the requests.
    pub url: EndpointUrl,
    /// Display name, as given.
    pub name: Option<String>,
    /// Format of the request body.
    pub format: WebhookFormat,
    /// Secret that signs the requests. None when the stored secret cannot be decrypted; then the endpoint receives no
    /// request until it has a new secret.
    #[serde(skip)]
    pub secret: Option<SigningSecret>,
    /// The secret before the last rotation. It may have ended.
    pub previous_secret: Option<PreviousSigningSecret>,
    /// Types of events that the endpoint receives, as given.
    pub events: Vec<EventType>,
    /// Whether the endpoint receives events.
    pub enabled: bool,
    /// Time at which it was last enabled. Failures before that time do not count towards disabling it.
    pub enabled_since: Timestamp,
    /// The reason, when the server disabled it; none when a client did or it is enabled.
    pub disabled_reason: Option<String>,
}

impl WebhookEndpoint {
    /// The secrets that sign a request at this time, the current one first. `None` if the current one cannot be
    /// decrypted.
    #[must_use]
    pub fn signing_secrets(&self, now: Timestamp) -> Option<Vec<&SigningSecret>> {
        let previous = self.previous_secret.as_ref().filter(|previous| previous.expires_at > now);
        let previous = previous.and_then(|previous| previous.secret.as_ref());
        Some(self.secret.as_ref().into_iter().chain(previous).collect()).filter(|_| self.secret.is_some())
    }
}

/// The fields of a new endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Target of the requests.
    pub url: EndpointUrl,
    /// Display name.
    pub name: Option<String>,
    /// Format of the request body.
    pub format: WebhookFormat,
    /// Secret that signs the requests; none lets the server generate one.
    pub secret: Option<SigningSecret>,
    /// Types of events that it receives.
    pub events: Vec<EventType>,
}

/// A partial update of an endpoint. `null` clears the name and keeps every other field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointChange {
    /// New target.
    pub url: Option<EndpointUrl>,
    /// New display name.
    pub name: Patch<String>,
    /// New format. It applies to events without an attempt so far.
    pub format: Option<WebhookFormat>,
    /// New secret. The old ones sign no further request.
    pub secret: Option<SigningSecret>,
    /// New types of events that it receives.
    pub events: Option<Vec<EventType>>,
    /// Whether it receives events from now on.
    pub enabled: Option<bool>,
}

/// A refused operation on webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The caller's organizations have no endpoint with this id.
    #[error("webhook endpoint not found")]
    NotFound,
    /// The organization has as many endpoints as one may have.
    #[error("an organization has at most {0} webhook endpoints: delete one first")]
    LimitReached(u64),
    /// The caller's organizations have no event with this id.
    #[error("webhook event not found")]
    EventNotFound,
    /// The URL has a masked user name and password, and none are stored for the same scheme, host and port.
    #[error("the masked user name and password in the URL are not stored for this host: send them in full")]
    CredentialsMasked,
    /// The endpoint is disabled, so nothing is sent to it.
    #[error("the webhook endpoint is disabled")]
    Disabled,
    /// The endpoint cannot be enabled, because its URL is not a permitted target.
    #[error("the endpoint's URL is not a permitted target of webhooks")]
    UrlInvalid,
}
