//! Customers of an organization: one person (`individual`) or several people (`team`). See
//! docs/contracts/polar/customers.md.
//!
//! Invariants:
//! - Within an organization, the key of an e-mail address and an external id each occur once.
//! - An external id, once set, never changes.
//! - A team never becomes an individual again.
//! - A tax id is valid in the country of the billing address.

mod anonymize;
mod decide;
mod import;
mod table;

pub use anonymize::{AnonymousIdentity, anonymize_customer, anonymize_member};
pub use decide::{
    CreateFacts, Created, UpdateFacts, confirm_email, create, owner_with_customer_email, update, verify_email,
};
pub use import::{ImportCounts, ImportFormat, ImportState, OnMatch};

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, OrganizationId};
use crate::values::{Address, EmailAddress, ExternalId, Locale, Metadata, PersonName, TaxId};
use crate::{Patch, Timestamp};

/// The kind of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerKind {
    /// One person. The owner is the only member.
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

/// A customer (table `customers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Id.
    pub id: CustomerId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change; none when it never changed.
    pub modified_at: Option<Timestamp>,
    /// Time of deletion. A deleted customer is visible only in audit entries and webhooks.
    pub deleted_at: Option<Timestamp>,
    /// One person or several.
    pub kind: CustomerKind,
    /// E-mail address. Its key is unique within the organization. A team need not have one.
    pub email: Option<EmailAddress>,
    /// Whether the customer has confirmed the address.
    pub email_verified: bool,
    /// Display name.
    pub name: Option<PersonName>,
    /// The customer's id in the organization's own system: unique within the organization, set once.
    pub external_id: Option<ExternalId>,
    /// Free data of the organization.
    pub metadata: Metadata,
    /// Name on invoices, if it differs from the display name.
    pub billing_name: Option<PersonName>,
    /// Address on invoices.
    pub billing_address: Option<Address>,
    /// Tax id, valid in the country of the billing address.
    pub tax_id: Option<TaxId>,
    /// Language for mail and pages.
    pub locale: Option<Locale>,
    /// The owner's address, for a customer without an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<EmailAddress>,
}

impl Customer {
    /// The address at which the customer is contacted: its own, otherwise its owner's.
    #[must_use]
    pub fn contact(&self) -> Option<&EmailAddress> {
        self.email.as_ref().or(self.owner_email.as_ref())
    }
}

/// The owner of a new customer. An absent name or external id is taken from the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// Address.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// Id in the organization's own system.
    pub external_id: Option<ExternalId>,
}

/// The fields of a new customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// One person or several.
    pub kind: CustomerKind,
    /// E-mail address. Required unless a team names its owner.
    pub email: Option<EmailAddress>,
    /// Display name.
    pub name: Option<PersonName>,
    /// Id in the organization's own system.
    pub external_id: Option<ExternalId>,
    /// Free data of the organization.
    pub metadata: Metadata,
    /// Address on invoices.
    pub billing_address: Option<Address>,
    /// Tax id as sent; validated for the country of the billing address.
    pub tax_id: Option<String>,
    /// Language.
    pub locale: Option<Locale>,
    /// The owner; none when the owner has the customer's own address and name.
    pub owner: Option<NewOwner>,
}

impl NewCustomer {
    /// A customer with an address and without any other field.
    #[must_use]
    pub fn new(kind: CustomerKind, email: EmailAddress) -> Self {
        Self {
            kind,
            email: Some(email),
            name: None,
            external_id: None,
            metadata: Metadata::default(),
            billing_address: None,
            tax_id: None,
            locale: None,
            owner: None,
        }
    }
}

/// A partial update of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerChange {
    /// New e-mail address; cannot be cleared.
    pub email: Patch<EmailAddress>,
    /// New display name.
    pub name: Patch<PersonName>,
    /// New address on invoices. `null` is refused when the customer has an address, and otherwise changes nothing.
    pub billing_address: Patch<Address>,
    /// New tax id as sent.
    pub tax_id: Patch<String>,
    /// New language.
    pub locale: Patch<Locale>,
    /// New metadata; replaces the old as a whole.
    pub metadata: Option<Metadata>,
    /// External id; can be set only once.
    pub external_id: Patch<ExternalId>,
    /// New kind. Only the change from `individual` to `team` is possible.
    pub kind: Patch<CustomerKind>,
    /// New name on invoices.
    pub billing_name: Patch<PersonName>,
}

/// One reason for a refused creation or change of a customer.
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
    /// The external id is already set and cannot change.
    #[error("the external id cannot change")]
    ExternalIdImmutable(Option<ExternalId>),
    /// A team cannot become an individual.
    #[error("a team cannot become an individual")]
    TeamCannotBecomeIndividual(Option<CustomerKind>),
    /// A billing address can be replaced, not removed.
    #[error("the billing address cannot be removed")]
    BillingAddressRequired,
    /// A tax id needs a billing address, because its country determines the valid forms.
    #[error("a tax id needs a billing address")]
    TaxIdNeedsCountry,
    /// The tax id is not valid in the country of the billing address.
    #[error("the tax id is not valid in the country of the billing address")]
    TaxIdInvalid(String),
}

/// A refused creation, change or removal of a customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// The caller's organizations have no such customer.
    #[error("customer not found")]
    NotFound,
    /// The request violates these rules.
    #[error("the request violates {} rules", .0.len())]
    Invalid(Vec<CustomerViolation>),
    /// A deleted customer cannot be restored, for these reasons.
    #[error("the customer cannot be restored: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotRestorable(Vec<RestoreObstacle>),
}

/// A reason why a deleted customer cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreObstacle {
    /// Another customer has its address now.
    #[error("another customer has the email {0} now")]
    EmailTaken(EmailAddress),
    /// Another customer has its external id now.
    #[error("another customer has the external id {} now", .0.as_str())]
    ExternalIdTaken(ExternalId),
    /// Its personal data are being removed.
    #[error("its personal data are being removed")]
    BeingAnonymized,
}

/// Checks that a deleted customer can be restored.
///
/// # Errors
/// [`CustomerError::NotRestorable`] with every obstacle.
pub fn check_restore(
    customer: &Customer,
    is_being_anonymized: bool,
    [email_taken, external_id_taken]: [bool; 2],
) -> Result<(), CustomerError> {
    let email = customer.email.clone().filter(|_| email_taken).map(RestoreObstacle::EmailTaken);
    let external_id = customer.external_id.clone().filter(|_| external_id_taken);
    let external_id = external_id.map(RestoreObstacle::ExternalIdTaken);
    let anonymized = is_being_anonymized.then_some(RestoreObstacle::BeingAnonymized);
    let obstacles: Vec<_> = email.into_iter().chain(external_id).chain(anonymized).collect();
    if obstacles.is_empty() { Ok(()) } else { Err(CustomerError::NotRestorable(obstacles)) }
}
