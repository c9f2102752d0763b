//! Members: the people of a customer (docs/contracts/founding-operations.md, 1; docs/contracts/polar/customers.md, 6).
//!
//! Invariants:
//! - A customer has exactly one owner as long as it exists.
//! - An individual customer has no member besides its owner.
//! - Within a customer, the key of an e-mail address and an external id each occur once.

mod decide;

pub use decide::{
    CreateFacts, Created, DeleteFacts, UpdateFacts, Updated, create, delete, owner_of_new_customer, update,
};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{CustomerId, MemberId, OrganizationId};
use crate::values::{EmailAddress, ExternalId, PersonName};

/// The role of a member within the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Owns the customer. A customer has exactly one owner.
    Owner,
    /// Manages the customer's billing and members.
    BillingManager,
    /// Uses the products of the customer.
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

    /// The role with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// A role that a new member can have. A member becomes the owner only by a transfer.
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

/// A member of a customer (table `members`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Id.
    pub id: MemberId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change; none when it never changed.
    pub modified_at: Option<Timestamp>,
    /// The customer the member belongs to.
    pub customer_id: CustomerId,
    /// E-mail address. Its key is unique within the customer.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// The member's id in the organization's own system, unique within the customer.
    pub external_id: Option<ExternalId>,
    /// Role.
    pub role: MemberRole,
}

/// The fields of a new member.
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

/// A partial update of a member. An absent field and `null` both keep the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberChange {
    /// New display name.
    pub name: Option<PersonName>,
    /// New address.
    pub email: Option<EmailAddress>,
    /// New role. The role `owner` transfers ownership to this member.
    pub role: Option<MemberRole>,
}

/// A refused creation, change or removal of a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The caller's organizations have no such customer.
    #[error("customer not found")]
    CustomerNotFound,
    /// The caller's organizations have no such member.
    #[error("member not found")]
    NotFound,
    /// The organization has not enabled members.
    #[error("members are not enabled for this organization")]
    Disabled,
    /// An individual customer cannot have a second member.
    #[error("an individual customer has no member besides its owner")]
    IndividualHasOneMember,
    /// Another member of the customer has the external id.
    #[error("the external id is taken within this customer")]
    ExternalIdTaken(ExternalId),
    /// Another member of the customer has the address.
    #[error("the e-mail address is taken within this customer")]
    EmailTaken(EmailAddress),
    /// The address of an individual customer's owner changes only together with the customer's.
    #[error("the address of an individual customer's owner is the customer's own")]
    EmailFollowsCustomer(EmailAddress),
    /// The change would leave the customer without an owner.
    #[error("a customer has exactly one owner")]
    OwnerRequired(MemberRole),
    /// The owner cannot be removed.
    #[error("the owner cannot be removed")]
    CannotRemoveOwner(MemberId),
}
