//! The rules for adding, changing and removing members.

use super::{Member, MemberChange, MemberError, MemberRole, NewMember};
use crate::Timestamp;
use crate::customer::{Customer, CustomerKind};
use crate::ids::MemberId;
use crate::values::{EmailAddress, ExternalId, PersonName};

/// The facts needed to add a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFacts {
    /// The customer that the member will belong to.
    pub customer: Customer,
    /// Whether the organization has enabled members.
    pub members_enabled: bool,
    /// The member of the customer that already has the address, if any.
    pub same_email: Option<Member>,
    /// Whether a member of the customer already has the external id.
    pub external_id_taken: bool,
}

/// The result of adding a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// A member with the address exists. Nothing changes.
    Existing(Member),
    /// The new member, to be saved.
    New(Member),
}

/// Adds a member. For an address that a member already has, returns that member unchanged.
///
/// # Errors
/// - [`MemberError::Disabled`] when the organization has not enabled members.
/// - [`MemberError::IndividualHasOneMember`] when the customer is an individual.
/// - [`MemberError::ExternalIdTaken`] when another member has the external id.
pub fn create(
    facts: CreateFacts,
    new: NewMember,
    id: MemberId,
    now: Timestamp,
) -> Result<Created, MemberError> {
    let CreateFacts { customer, members_enabled, same_email, external_id_taken } = facts;
    if !members_enabled {
        return Err(MemberError::Disabled);
    }
    if customer.kind == CustomerKind::Individual {
        return Err(MemberError::IndividualHasOneMember);
    }
    if let Some(existing) = same_email {
        return Ok(Created::Existing(existing));
    }
    let NewMember { email, name, external_id, role } = new;
    if let Some(taken) = external_id.as_ref().filter(|_| external_id_taken) {
        return Err(MemberError::ExternalIdTaken(taken.clone()));
    }
    Ok(Created::New(Member {
        id,
        organization: customer.organization,
        created_at: now,
        modified_at: None,
        customer_id: customer.id,
        email,
        name,
        external_id,
        role: role.into(),
    }))
}

/// The owner of a new customer. It has the customer's time of creation.
#[must_use]
pub fn owner_of_new_customer(
    customer: &Customer,
    id: MemberId,
    email: EmailAddress,
    name: Option<PersonName>,
    external_id: Option<ExternalId>,
) -> Member {
    Member {
        id,
        organization: customer.organization,
        created_at: customer.created_at,
        modified_at: None,
        customer_id: customer.id,
        email,
        name,
        external_id,
        role: MemberRole::Owner,
    }
}

/// The facts needed to change a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFacts {
    /// The member.
    pub member: Member,
    /// The kind of the member's customer.
    pub customer_kind: CustomerKind,
    /// The owner of the customer. It can be the member itself.
    pub owner: Option<Member>,
    /// Whether another member of the customer has the new address.
    pub email_taken: bool,
}

/// The rows that an update changes. The demoted owner is saved before the new one, so that the database never holds
/// two owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// After a transfer, the former owner, now a billing manager.
    pub demoted: Option<Member>,
    /// The member after the change.
    pub member: Member,
    /// Whether the member differs from before. If not, nothing is saved.
    pub changed: bool,
}

/// Changes a member's name, address or role. The role `owner` transfers ownership: the former owner becomes a billing
/// manager in the same step.
///
/// # Errors
/// - [`MemberError::EmailFollowsCustomer`] for a new address of an individual customer's owner.
/// - [`MemberError::EmailTaken`] when another member has the address.
/// - [`MemberError::OwnerRequired`] when the owner would get another role.
pub fn update(facts: UpdateFacts, change: MemberChange, now: Timestamp) -> Result<Updated, MemberError> {
    let UpdateFacts { member: before, customer_kind, owner, email_taken } = facts;
    let MemberChange { name, email, role } = change;
    let mut member = before.clone();
    if let Some(email) = email.filter(|email| *email != before.email) {
        if customer_kind == CustomerKind::Individual {
            return Err(MemberError::EmailFollowsCustomer(email));
        }
        if email_taken {
            return Err(MemberError::EmailTaken(email));
        }
        member.email = email;
    }
    if name.is_some() {
        member.name = name;
    }
    let mut demoted = None;
    match role {
        Some(MemberRole::Owner) if before.role != MemberRole::Owner => {
            demoted = owner.map(|owner| Member {
                role: MemberRole::BillingManager,
                modified_at: Some(now),
                ..owner
            });
            member.role = MemberRole::Owner;
        }
        Some(role) if before.role == MemberRole::Owner && role != MemberRole::Owner => {
            return Err(MemberError::OwnerRequired(role));
        }
        Some(role) => member.role = role,
        None => {}
    }
    let changed = member != before;
    if changed {
        member.modified_at = Some(now);
    }
    Ok(Updated { demoted, member, changed })
}

/// The facts needed to remove a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteFacts {
    /// The member's id.
    pub id: MemberId,
    /// The member's role.
    pub role: MemberRole,
}

/// Checks that a member can be removed.
///
/// # Errors
/// [`MemberError::CannotRemoveOwner`] when the member is the owner.
pub fn delete(facts: DeleteFacts) -> Result<(), MemberError> {
    match facts.role {
        MemberRole::Owner => Err(MemberError::CannotRemoveOwner(facts.id)),
        MemberRole::BillingManager | MemberRole::Member => Ok(()),
    }
}
