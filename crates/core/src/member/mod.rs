//! A member: a person inside a customer.
//!
//! Invariants: a customer has exactly one owner for as long as it exists; an individual customer has no
//! other member; an e-mail (by its key) and an external id occur once in a customer.

mod decide;

pub use decide::{
    CreateFacts, Created, DeleteFacts, UpdateFacts, Updated, create, delete, owner_of_new_customer, update,
};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{CustomerId, MemberId, OrganizationId};
use crate::values::{EmailAddress, ExternalId, PersonName};

/// What a member may do within their customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Holds the customer; there is exactly one.
    Owner,
    /// May act on the customer's billing.
    BillingManager,
    /// May use what the customer bought.
    Member,
}

impl MemberRole {
    /// Every role, in the order the contract lists them.
    pub const ALL: [Self; 3] = [Self::Owner, Self::BillingManager, Self::Member];

    /// The role's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::BillingManager => "billing_manager",
            Self::Member => "member",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// A role that can be given at creation: ownership passes by transfer alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitialRole {
    /// [`MemberRole::Member`].
    #[default]
    Member,
    /// [`MemberRole::BillingManager`].
    BillingManager,
}

impl From<InitialRole> for MemberRole {
    fn from(role: InitialRole) -> Self {
        match role {
            InitialRole::Member => Self::Member,
            InitialRole::BillingManager => Self::BillingManager,
        }
    }
}

/// A member of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Id.
    pub id: MemberId,
    /// The tenant.
    pub organization: OrganizationId,
    /// When the member was added.
    pub created_at: Timestamp,
    /// When the member last changed.
    pub modified_at: Option<Timestamp>,
    /// The customer the member belongs to.
    pub customer_id: CustomerId,
    /// Address, unique within the customer by its key.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// The member's id in the organization's own system, unique within the customer.
    pub external_id: Option<ExternalId>,
    /// Role.
    pub role: MemberRole,
}

/// What a new member is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// Address.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// Id in the organization's own system.
    pub external_id: Option<ExternalId>,
    /// Role.
    pub role: InitialRole,
}

/// A partial update of a member. There is nothing here that `null` would clear: absent is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberChange {
    /// New display name.
    pub name: Option<PersonName>,
    /// New address.
    pub email: Option<EmailAddress>,
    /// New role; `owner` transfers ownership.
    pub role: Option<MemberRole>,
}

/// Why a member could not be created, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// No such customer in the caller's organizations.
    #[error("customer not found")]
    CustomerNotFound,
    /// No such member in the caller's organizations.
    #[error("member not found")]
    NotFound,
    /// The organization has not switched on members.
    #[error("members are not enabled for this organization")]
    Disabled,
    /// An individual customer has its owner and nobody else.
    #[error("an individual customer has no member besides its owner")]
    IndividualHasOneMember,
    /// Another member of the customer has the external id.
    #[error("the external id is taken within this customer")]
    ExternalIdTaken(ExternalId),
    /// Another member of the customer has the address.
    #[error("the e-mail address is taken within this customer")]
    EmailTaken(EmailAddress),
    /// The address of an individual customer's owner is the customer's own.
    #[error("the owner's address follows the individual customer's")]
    EmailFollowsCustomer(EmailAddress),
    /// The change would leave the customer without an owner.
    #[error("a customer has exactly one owner")]
    OwnerRequired(MemberRole),
    /// The owner cannot be removed.
    #[error("the owner cannot be removed")]
    CannotRemoveOwner(MemberId),
}
