//! Webhook events: a change of a row, addressed to one endpoint.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventType;
use crate::Timestamp;
use crate::customer::Customer;
use crate::ids::{InvitationId, OrganizationId, UserId, WebhookEndpointId, WebhookEventId};
use crate::invitation::{Invitation, InvitationState};
use crate::member::Member;
use crate::organization::Organization;
use crate::team::{TeamMember, TeamRole};
use crate::token::AccessToken;

/// The row that an event is about, as it is after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "row", rename_all = "snake_case")]
pub enum EventData {
    /// A customer.
    Customer(Box<Customer>),
    /// A customer, for `customer.state_changed`. Its payload is the customer's state.
    CustomerState(Box<Customer>),
    /// A member of a customer.
    Member(Box<Member>),
    /// An organization.
    Organization(Box<Organization>),
    /// An organization and its new owner.
    Ownership(OwnershipChange),
    /// A membership in the team of the organization.
    TeamMember(Membership),
    /// An invitation to the team of the organization.
    Invitation(InvitationStep),
    /// An access token of the organization, without its secret.
    AccessToken(Box<AccessToken>),
    /// No change: a caller tests the endpoint.
    Test(WebhookTest),
}

/// A change of the owner of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipChange {
    /// The organization.
    pub organization: OrganizationId,
    /// The owner before.
    pub former_owner: UserId,
    /// The owner now.
    pub owner: UserId,
}

/// A membership without the person's name and address, so that events need no change when the person is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// The person.
    pub user: UserId,
    /// The person's role.
    pub role: TeamRole,
    /// Time at which the person joined the team.
    pub created_at: Timestamp,
}

impl From<&TeamMember> for Membership {
    fn from(member: &TeamMember) -> Self {
        let TeamMember { organization, user, role, created_at, .. } = *member;
        Self { organization, user, role, created_at }
    }
}

/// An invitation without the person's name and address, so that events need no change when the person is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationStep {
    /// The organization.
    pub organization: OrganizationId,
    /// The invitation.
    pub id: InvitationId,
    /// The role that the person gets.
    pub role: TeamRole,
    /// The state after the change.
    pub state: InvitationState,
    /// Time at which it was made.
    pub created_at: Timestamp,
    /// The end of the time in which it can be accepted.
    pub expires_at: Timestamp,
    /// The person who accepted it.
    pub accepted_by: Option<UserId>,
}

impl From<&Invitation> for InvitationStep {
    fn from(invitation: &Invitation) -> Self {
        let Invitation { organization, id, role, state, created_at, expires_at, accepted_by, .. } =
            *invitation;
        Self { organization, id, role, state, created_at, expires_at, accepted_by }
    }
}

/// The content of a test event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTest {
    /// The tenant.
    pub organization: OrganizationId,
    /// The endpoint that is tested.
    pub endpoint: WebhookEndpointId,
}

impl EventData {
    /// The id of the row.
    #[must_use]
    pub fn subject(&self) -> Uuid {
        match self {
            Self::Customer(customer) | Self::CustomerState(customer) => customer.id.uuid(),
            Self::Member(member) => member.id.uuid(),
            Self::Organization(organization) => organization.id.uuid(),
            Self::Ownership(change) => change.organization.uuid(),
            Self::TeamMember(membership) => membership.user.uuid(),
            Self::Invitation(invitation) => invitation.id.uuid(),
            Self::AccessToken(token) => token.id.uuid(),
            Self::Test(test) => test.endpoint.uuid(),
        }
    }

    /// The id of the customer or organization whose data the row contains. For a member this is its customer.
    #[must_use]
    pub fn about(&self) -> Uuid {
        match self {
            Self::Member(member) => member.customer_id.uuid(),
            other => other.subject(),
        }
    }

    /// The row as JSON, for storage.
    ///
    /// # Errors
    /// When the row cannot be serialized as JSON.
    pub fn image(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The row from its stored JSON.
    ///
    /// # Errors
    /// When the text was not written by [`EventData::image`].
    pub fn from_image(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// An event for one endpoint (table `webhook_events`). A dialect renders the request body from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id. Receivers recognize a repeated delivery by it.
    pub id: WebhookEventId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The endpoint that receives it.
    pub endpoint: WebhookEndpointId,
    /// Time of the change.
    pub created_at: Timestamp,
    /// Type of the event.
    pub event_type: EventType,
    /// The changed row.
    pub data: EventData,
}

/// State of the delivery of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// An attempt is due now or later.
    Pending,
    /// The receiver accepted it.
    Succeeded,
    /// Every attempt failed.
    Failed,
    /// Its endpoint was disabled or deleted before the receiver accepted it.
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
            name: name.and_then(|name| PersonName::parse_stored(&name).unwrap()),
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
        fn an_image_parses_to_the_same_row(
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
