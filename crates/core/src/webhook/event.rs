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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::customer::{CreateFacts, Created, CustomerKind, NewCustomer, NewOwner, create};
    use crate::ids::{CustomerId, MemberId};
    use crate::values::{EmailAddress, ExternalId, Metadata, PersonName};

    fn created(name: Option<String>, external_id: Option<String>, number: f64, owned: bool) -> Created {
        let email = EmailAddress::parse("someone@x.dev").unwrap();
        let notes = serde_json::json!({"n": number, "b": true, "s": "true"});
        let owner = NewOwner { email: email.clone(), name: None, external_id: None };
        let new = NewCustomer {
            kind: if owned { CustomerKind::Team } else { CustomerKind::Individual },
            email: (!owned).then_some(email),
            name: name.and_then(|name| PersonName::parse(&name).unwrap()),
            external_id: external_id.and_then(|id| ExternalId::parse(&id).unwrap()),
            metadata: Metadata::check(notes.as_object().unwrap()).unwrap(),
            billing_address: None,
            tax_id: None,
            locale: None,
            owner: owned.then_some(owner),
        };
        let facts = CreateFacts {
            organization: OrganizationId::new(Uuid::from_u128(1)),
            email_taken: false,
            external_id_taken: false,
        };
        let (id, owner) = (CustomerId::new(Uuid::from_u128(2)), MemberId::new(Uuid::from_u128(3)));
        create(facts, new, id, owner, Timestamp::from_micros(1_795_277_994_956_590)).unwrap()
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_as_it_was_written(
            name in prop::option::of("\\PC{0,20}"),
            external_id in prop::option::of("\\PC{0,20}"),
            number in -1e9..1e9f64,
            owned: bool,
        ) {
            let Created { customer, owner } = created(name, external_id, number, owned);
            prop_assert_eq!(customer.owner_email.is_some(), owned);
            for data in [
                EventData::Customer(Box::new(customer.clone())),
                EventData::CustomerState(Box::new(customer.clone())),
                EventData::Member(Box::new(owner)),
            ] {
                prop_assert_eq!(data.about(), customer.id.uuid());
                prop_assert_eq!(EventData::from_image(&data.image().unwrap()).unwrap(), data);
            }
        }
    }
}
