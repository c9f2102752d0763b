//! What happened, as it is told to one endpoint.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventType;
use crate::Timestamp;
use crate::customer::Customer;
use crate::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use crate::member::Member;
use crate::organization::Organization;

/// The row that an event is about, as the change left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "row", rename_all = "snake_case")]
pub enum EventData {
    /// A customer.
    Customer(Box<Customer>),
    /// What a customer has.
    CustomerState(Box<Customer>),
    /// A member of a customer.
    Member(Box<Member>),
    /// An organization.
    Organization(Box<Organization>),
}

impl EventData {
    /// The id of the row.
    #[must_use]
    pub fn subject(&self) -> Uuid {
        match self {
            Self::Customer(customer) | Self::CustomerState(customer) => customer.id.uuid(),
            Self::Member(member) => member.id.uuid(),
            Self::Organization(organization) => organization.id.uuid(),
        }
    }

    /// Whom the row tells of: the customer, also where the row is one of its members, or the organization.
    #[must_use]
    pub fn about(&self) -> Uuid {
        match self {
            Self::Member(member) => member.customer_id.uuid(),
            other => other.subject(),
        }
    }

    /// The row as JSON, to be stored.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn image(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The row from its stored JSON.
    ///
    /// # Errors
    /// When that is not what [`EventData::image`] wrote.
    pub fn from_image(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// Something that happened, for one endpoint. A dialect makes the text that is sent out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id; receivers tell repeated deliveries by it.
    pub id: WebhookEventId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whom it is told.
    pub endpoint: WebhookEndpointId,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// To what.
    pub data: EventData,
}

/// How far the delivery of an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// It will be tried, or tried again.
    Pending,
    /// The receiver took it.
    Succeeded,
    /// Every attempt failed.
    Failed,
    /// Its endpoint was disabled or deleted before the receiver took it.
    Skipped,
}

impl EventState {
    const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::Failed, Self::Skipped];

    /// The state's name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
