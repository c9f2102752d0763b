//! Webhooks: endpoints that an organization's events are sent to.
//!
//! Invariants: a disabled or deleted endpoint is sent nothing, and what is pending for it is given up; an
//! endpoint that is switched on has an address that may be called; a streak of failures begins anew when an
//! endpoint is switched on again.

mod decide;
mod event;
mod event_type;
mod secret;
mod url;

pub use decide::{
    DeliveryFacts, DeliveryOutcome, EventUpdate, FAILURES_TO_DISABLE, auto_disable, create,
    event_after_attempt, redeliver, reset_secret, update,
};
pub use event::{Event, EventData, EventState};
pub use event_type::EventType;
pub use secret::{SecretTooShort, SigningSecret};
pub use url::EndpointUrl;

use serde::{Deserialize, Serialize};

use crate::ids::{OrganizationId, WebhookEndpointId};
use crate::{Patch, Timestamp};

/// The shape of the body that an endpoint asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// The event as the API shows it.
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

/// An endpoint: where an organization wants to be told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookEndpoint {
    /// Id.
    pub id: WebhookEndpointId,
    /// The tenant.
    pub organization: OrganizationId,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Option<Timestamp>,
    /// Where requests go.
    pub url: EndpointUrl,
    /// Display name, as given.
    pub name: Option<String>,
    /// What requests look like.
    pub format: WebhookFormat,
    /// What requests are signed with. Nothing when it can no longer be read: then nothing is sent until it has a
    /// new one.
    #[serde(skip)]
    pub secret: Option<SigningSecret>,
    /// What it wants to be told of, as given.
    pub events: Vec<EventType>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// When it was last switched on: failures before that do not count.
    pub enabled_since: Timestamp,
    /// Why it was switched off, when the server did that.
    pub disabled_reason: Option<String>,
}

/// What a new endpoint is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Where requests go.
    pub url: EndpointUrl,
    /// Display name.
    pub name: Option<String>,
    /// What requests look like.
    pub format: WebhookFormat,
    /// What requests are signed with; a new one when nothing is given.
    pub secret: Option<SigningSecret>,
    /// What it wants to be told of.
    pub events: Vec<EventType>,
}

/// A partial update of an endpoint. `null` clears the name, and leaves every other field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointChange {
    /// New address.
    pub url: Option<EndpointUrl>,
    /// New display name.
    pub name: Patch<String>,
    /// New format, of requests that were not tried before.
    pub format: Option<WebhookFormat>,
    /// New secret; the old one signs nothing more.
    pub secret: Option<SigningSecret>,
    /// New list of what it wants to be told of.
    pub events: Option<Vec<EventType>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// Why something could not be done about webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No such endpoint in the caller's organizations.
    #[error("webhook endpoint not found")]
    NotFound,
    /// No such event in the caller's organizations.
    #[error("webhook event not found")]
    EventNotFound,
    /// An endpoint whose address may not be called cannot be switched on.
    #[error("the endpoint's address is not valid")]
    UrlInvalid,
}
