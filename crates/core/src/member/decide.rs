//! The rules of membership, as pure functions of facts.

use super::{Member, MemberChange, MemberError, MemberRole, NewMember};
use crate::Timestamp;
use crate::customer::{Customer, CustomerKind};
use crate::ids::MemberId;
use crate::values::{EmailAddress, ExternalId, PersonName};

/// What must be known to add a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFacts {
    /// The customer that the member is to belong to.
    pub customer: Customer,
    /// Whether the organization has members at all.
    pub members_enabled: bool,
    /// The member of the customer that has the address already.
    pub same_email: Option<Member>,
    /// Whether a member of the customer has the external id already.
    pub external_id_taken: bool,
}

/// How an addition ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The address was a member's already: nothing changed.
    Existing(Member),
    /// A new member, to be stored.
    New(Member),
}

/// Adds a member; the same address again finds the member who has it.
///
/// # Errors
/// When members are off, the customer is an individual (its owner is all it has), or the external id is
/// taken.
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

/// The owner that a customer is born with, at the customer's own time of creation.
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

/// What must be known to change a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFacts {
    /// The member.
    pub member: Member,
    /// The kind of their customer.
    pub customer_kind: CustomerKind,
    /// The customer's owner; the member may be it.
    pub owner: Option<Member>,
    /// Whether another member of the customer has the new address.
    pub email_taken: bool,
}

/// The rows that an update changes. Demotion is stored before promotion: there is never a second owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The former owner, now a billing manager, after a transfer.
    pub demoted: Option<Member>,
    /// The member as it is now.
    pub member: Member,
    /// Whether the member differs from before; when not, nothing is stored.
    pub changed: bool,
}

/// Changes a member's name, address or role. The role `owner` transfers ownership in one step.
///
/// # Errors
/// When the owner would be demoted, the address is taken, or it is an individual customer's.
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

/// What must be known to remove a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteFacts {
    /// The member's id.
    pub id: MemberId,
    /// The member's role.
    pub role: MemberRole,
}

/// Whether a member may be removed.
///
/// # Errors
/// When the member is the owner.
pub fn delete(facts: DeleteFacts) -> Result<(), MemberError> {
    match facts.role {
        MemberRole::Owner => Err(MemberError::CannotRemoveOwner(facts.id)),
        MemberRole::BillingManager | MemberRole::Member => Ok(()),
    }
}
