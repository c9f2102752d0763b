//! The rules for creating and changing customers (docs/contracts/polar/customers.md).

use super::{
    Customer, CustomerChange, CustomerError, CustomerKind, CustomerViolation, NewCustomer, NewOwner,
};
use crate::ids::{CustomerId, MemberId, OrganizationId};
use crate::member::{self, Member};
use crate::values::{Address, EmailAddress, TaxId};
use crate::{Patch, Timestamp};

/// The facts needed to create a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateFacts {
    /// The organization.
    pub organization: OrganizationId,
    /// Whether another customer has the address.
    pub email_taken: bool,
    /// Whether another customer has the external id.
    pub external_id_taken: bool,
}

/// A new customer and its owner. The owner is created even while the organization has not enabled members, so that
/// enabling them later needs no migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The customer.
    pub customer: Customer,
    /// Its owner.
    pub owner: Member,
}

/// Creates a customer together with its owner.
///
/// # Errors
/// [`CustomerError::Invalid`] with every violation about address and external id, or with one about the tax id or
/// the owner's address.
pub fn create(
    facts: CreateFacts,
    new: NewCustomer,
    id: CustomerId,
    owner_id: MemberId,
    now: Timestamp,
) -> Result<Created, CustomerError> {
    let mut violations = Vec::new();
    if let Some(email) = new.email.as_ref().filter(|_| facts.email_taken) {
        violations.push(CustomerViolation::EmailTaken(email.clone()));
    }
    if let Some(external_id) = new.external_id.as_ref().filter(|_| facts.external_id_taken) {
        violations.push(CustomerViolation::ExternalIdTaken(external_id.clone()));
    }
    refuse_violations(violations)?;
    let tax_id = new.tax_id.map(|typed| tax_id(&typed, new.billing_address.as_ref())).transpose()?;
    let mut customer = Customer {
        id,
        organization: facts.organization,
        created_at: now,
        modified_at: None,
        deleted_at: None,
        kind: new.kind,
        email: new.email,
        email_verified: false,
        name: new.name,
        external_id: new.external_id,
        metadata: new.metadata,
        billing_name: None,
        billing_address: new.billing_address,
        tax_id,
        locale: new.locale,
        owner_email: None,
    };
    let owner = owner(&customer, new.owner, owner_id)?;
    if customer.email.is_none() {
        customer.owner_email = Some(owner.email.clone());
    }
    Ok(Created { customer, owner })
}

fn owner(customer: &Customer, named: Option<NewOwner>, id: MemberId) -> Result<Member, CustomerError> {
    let (email, name, external_id) = match named {
        Some(NewOwner { email, name, external_id }) => (Some(email), name, external_id),
        None => (None, None, None),
    };
    let email = email
        .or_else(|| customer.email.clone())
        .ok_or_else(|| CustomerError::Invalid(vec![CustomerViolation::OwnerNeedsEmail]))?;
    let name = name.or_else(|| customer.name.clone());
    let external_id = external_id.or_else(|| customer.external_id.clone());
    Ok(member::owner_of_new_customer(customer, id, email, name, external_id))
}

/// The facts needed to change a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFacts {
    /// The customer before the change.
    pub customer: Customer,
    /// Whether another customer has the new address.
    pub email_taken: bool,
    /// Whether another customer has the new external id.
    pub external_id_taken: bool,
}

/// Changes a customer. Without an effective change the result equals the customer before.
///
/// # Errors
/// [`CustomerError::Invalid`] with every violation. The tax id is checked only when there is no other violation.
pub fn update(facts: UpdateFacts, change: CustomerChange, now: Timestamp) -> Result<Customer, CustomerError> {
    let UpdateFacts { customer: before, email_taken, external_id_taken } = facts;
    let CustomerChange {
        email,
        name,
        billing_address,
        tax_id,
        locale,
        metadata,
        external_id,
        kind,
        billing_name,
    } = change;
    let mut after = before.clone();
    let violations = [
        change_email(&mut after, email, email_taken),
        change_billing_address(&mut after, billing_address),
        change_external_id(&mut after, external_id, external_id_taken),
        change_kind(&mut after, kind),
    ];
    refuse_violations(violations.into_iter().filter_map(Result::err).collect())?;
    name.apply(&mut after.name);
    locale.apply(&mut after.locale);
    billing_name.apply(&mut after.billing_name);
    if let Some(metadata) = metadata {
        after.metadata = metadata;
    }
    change_tax_id(&before, &mut after, tax_id)?;
    if after != before {
        after.modified_at = Some(now);
    }
    Ok(after)
}

fn change_email(
    customer: &mut Customer,
    email: Patch<EmailAddress>,
    taken: bool,
) -> Result<(), CustomerViolation> {
    let Some(email) = email.value() else { return Ok(()) };
    let same = customer.email.as_ref().is_some_and(|current| current.key() == email.key());
    if same {
        return Ok(());
    }
    if taken {
        return Err(CustomerViolation::EmailTaken(email));
    }
    customer.email = Some(email);
    customer.email_verified = false;
    customer.owner_email = None;
    Ok(())
}

fn change_billing_address(customer: &mut Customer, address: Patch<Address>) -> Result<(), CustomerViolation> {
    if address == Patch::Null && customer.billing_address.is_some() {
        return Err(CustomerViolation::BillingAddressRequired);
    }
    address.apply(&mut customer.billing_address);
    Ok(())
}

fn change_external_id(
    customer: &mut Customer,
    external_id: Patch<crate::values::ExternalId>,
    taken: bool,
) -> Result<(), CustomerViolation> {
    let wanted = match external_id {
        Patch::Absent => return Ok(()),
        Patch::Null => None,
        Patch::Value(value) => Some(value),
    };
    if wanted == customer.external_id {
        return Ok(());
    }
    if customer.external_id.is_some() {
        return Err(CustomerViolation::ExternalIdImmutable(wanted));
    }
    match wanted {
        Some(wanted) if taken => Err(CustomerViolation::ExternalIdTaken(wanted)),
        wanted => {
            customer.external_id = wanted;
            Ok(())
        }
    }
}

fn change_kind(customer: &mut Customer, kind: Patch<CustomerKind>) -> Result<(), CustomerViolation> {
    let wanted = match kind {
        Patch::Absent => return Ok(()),
        Patch::Null => None,
        Patch::Value(kind) => Some(kind),
    };
    if customer.kind == CustomerKind::Team && wanted != Some(CustomerKind::Team) {
        return Err(CustomerViolation::TeamCannotBecomeIndividual(wanted));
    }
    customer.kind = wanted.unwrap_or(customer.kind);
    Ok(())
}

fn change_tax_id(before: &Customer, after: &mut Customer, typed: Patch<String>) -> Result<(), CustomerError> {
    after.tax_id = match typed {
        Patch::Value(typed) if !typed.trim().is_empty() => {
            Some(tax_id(&typed, after.billing_address.as_ref())?)
        }
        Patch::Value(_) | Patch::Null => None,
        // The new address can be in another country, so the existing tax id is validated again.
        Patch::Absent if after.billing_address != before.billing_address => before
            .tax_id
            .as_ref()
            .map(|current| tax_id(current.value(), after.billing_address.as_ref()))
            .transpose()?,
        Patch::Absent => return Ok(()),
    };
    Ok(())
}

fn tax_id(typed: &str, address: Option<&Address>) -> Result<TaxId, CustomerError> {
    let address =
        address.ok_or_else(|| CustomerError::Invalid(vec![CustomerViolation::TaxIdNeedsCountry]))?;
    TaxId::parse(typed, address.country())
        .map_err(|_| CustomerError::Invalid(vec![CustomerViolation::TaxIdInvalid(typed.to_owned())]))
}

fn refuse_violations(violations: Vec<CustomerViolation>) -> Result<(), CustomerError> {
    if violations.is_empty() { Ok(()) } else { Err(CustomerError::Invalid(violations)) }
}

/// Sets an address that the customer has confirmed.
#[must_use]
pub fn confirm_email(before: &Customer, email: EmailAddress, now: Timestamp) -> Customer {
    Customer { email: Some(email), email_verified: true, modified_at: Some(now), ..before.clone() }
}

/// Notes that the customer reads mail at the address.
#[must_use]
pub fn verify_email(before: &Customer, now: Timestamp) -> Customer {
    Customer { email_verified: true, modified_at: Some(now), ..before.clone() }
}

/// The owner of an individual customer with the customer's new address. None for a team and when the address did not
/// change.
#[must_use]
pub fn owner_with_customer_email(before: &Customer, after: &Customer, owner: &Member) -> Option<Member> {
    let email = after.email.as_ref().filter(|email| before.email.as_ref() != Some(*email))?;
    (before.kind == CustomerKind::Individual).then(|| Member {
        email: email.clone(),
        modified_at: after.modified_at,
        ..owner.clone()
    })
}
