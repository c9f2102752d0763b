//! A customer of an organization: one person (`individual`) or several (`team`).
//!
//! Invariants: an e-mail (by its key) and an external id occur once in an organization; an external id is
//! written once; a team never turns back into an individual.

mod anonymize;
mod decide;

pub use anonymize::{AnonymousIdentity, anonymize_customer, anonymize_member};
pub use decide::{
    CreateFacts, Created, UpdateFacts, confirm_email, create, owner_with_customer_email, update,
};

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, OrganizationId};
use crate::values::{Address, EmailAddress, ExternalId, Locale, Metadata, PersonName, TaxId};
use crate::{Patch, Timestamp};

/// Whether a customer is one person or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerKind {
    /// One person; the only member is the owner.
    Individual,
    /// Several people.
    Team,
}

impl CustomerKind {
    /// The kind's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Team => "team",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Individual, Self::Team].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Id.
    pub id: CustomerId,
    /// The tenant.
    pub organization: OrganizationId,
    /// When the customer was created.
    pub created_at: Timestamp,
    /// When the customer last changed.
    pub modified_at: Option<Timestamp>,
    /// When the customer was deleted; such a row is seen in audit entries and webhooks alone.
    pub deleted_at: Option<Timestamp>,
    /// One person or several.
    pub kind: CustomerKind,
    /// Address, unique within the organization by its key. A team may have none.
    pub email: Option<EmailAddress>,
    /// Whether the person has shown that they read mail at that address.
    pub email_verified: bool,
    /// Display name.
    pub name: Option<PersonName>,
    /// The customer's id in the organization's own system, unique within it, written once.
    pub external_id: Option<ExternalId>,
    /// The organization's own notes.
    pub metadata: Metadata,
    /// Name on invoices, when it differs from the display name.
    pub billing_name: Option<PersonName>,
    /// Address on invoices.
    pub billing_address: Option<Address>,
    /// Tax number, valid for the country of the billing address.
    pub tax_id: Option<TaxId>,
    /// Language for mail and pages.
    pub locale: Option<Locale>,
    /// The owner's address, where the customer has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<EmailAddress>,
}

impl Customer {
    /// The address that stands for the customer: its own, else its owner's.
    #[must_use]
    pub fn contact(&self) -> Option<&EmailAddress> {
        self.email.as_ref().or(self.owner_email.as_ref())
    }
}

/// The person who will own a new customer; what is missing is taken from the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// Address.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// Id in the organization's own system.
    pub external_id: Option<ExternalId>,
}

/// What a new customer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// One person or several.
    pub kind: CustomerKind,
    /// Address; needed unless a team names its owner.
    pub email: Option<EmailAddress>,
    /// Display name.
    pub name: Option<PersonName>,
    /// Id in the organization's own system.
    pub external_id: Option<ExternalId>,
    /// Notes.
    pub metadata: Metadata,
    /// Address on invoices.
    pub billing_address: Option<Address>,
    /// Tax number as typed; checked against the country of the billing address.
    pub tax_id: Option<String>,
    /// Language.
    pub locale: Option<Locale>,
    /// The owner, where it is not the customer itself.
    pub owner: Option<NewOwner>,
}

/// A partial update of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerChange {
    /// New address; cannot be cleared.
    pub email: Patch<EmailAddress>,
    /// New display name.
    pub name: Patch<PersonName>,
    /// New address on invoices; `null` leaves it as it is when none was ever set, else is refused.
    pub billing_address: Patch<Address>,
    /// New tax number as typed.
    pub tax_id: Patch<String>,
    /// New language.
    pub locale: Patch<Locale>,
    /// New notes, replacing all of the old.
    pub metadata: Option<Metadata>,
    /// External id; can be set once.
    pub external_id: Patch<ExternalId>,
    /// New kind; `individual` to `team` alone.
    pub kind: Patch<CustomerKind>,
    /// New name on invoices.
    pub billing_name: Patch<PersonName>,
}

/// One reason why a customer could not be created or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerViolation {
    /// Another customer of the organization has the address.
    #[error("the e-mail address is taken")]
    EmailTaken(EmailAddress),
    /// Another customer of the organization has the external id.
    #[error("the external id is taken")]
    ExternalIdTaken(ExternalId),
    /// A team without an address of its own must name its owner.
    #[error("the owner needs an e-mail address")]
    OwnerNeedsEmail,
    /// The external id is written once.
    #[error("the external id cannot change")]
    ExternalIdImmutable(Option<ExternalId>),
    /// A team does not turn back into an individual.
    #[error("a team stays a team")]
    TeamCannotBecomeIndividual(Option<CustomerKind>),
    /// A billing address can be replaced, not removed.
    #[error("the billing address cannot be removed")]
    BillingAddressRequired,
    /// A tax number needs a country to be checked against.
    #[error("a tax number needs a billing address")]
    TaxIdNeedsCountry,
    /// The tax number is not valid in the country.
    #[error("the tax number is not valid")]
    TaxIdInvalid(String),
}

/// Why a customer could not be created, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// No such customer in the caller's organizations.
    #[error("customer not found")]
    NotFound,
    /// The request breaks these rules.
    #[error("{} rules are broken", .0.len())]
    Invalid(Vec<CustomerViolation>),
}
