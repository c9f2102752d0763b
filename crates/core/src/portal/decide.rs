//! The rules of the portal, as pure functions of facts.

use super::{CustomerSession, PortalError, SESSION_DURATION_S};
use crate::Timestamp;
use crate::customer::{Customer, CustomerKind};
use crate::ids::{MemberId, SessionId};
use crate::member::{Member, MemberRole};
use crate::organization::Organization;
use crate::values::{EmailAddress, HttpUrl};

/// How a request for a session names a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberSelector {
    /// By id.
    Id(MemberId),
    /// By the id in the organization's own system.
    External(String),
}

/// What must be known to begin a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// The customer.
    pub customer: Customer,
    /// Whether the organization has the member model.
    pub member_model: bool,
    /// How a member was named, if one was.
    pub named: Option<MemberSelector>,
    /// The member of the customer who is so named.
    pub member: Option<Member>,
    /// The customer's owner.
    pub owner: Option<Member>,
}

/// A session that begins, and the address of whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedSession {
    /// The session.
    pub session: CustomerSession,
    /// Address of the member, or of the customer, which may have none.
    pub email: Option<EmailAddress>,
}

/// Begins a session: a member's where the organization has the member model, else the customer's.
///
/// # Errors
/// When a member is needed, is not the customer's, or is named where there are no member sessions.
pub fn start_session(
    facts: SessionFacts,
    return_url: Option<HttpUrl>,
    id: SessionId,
    now: Timestamp,
) -> Result<StartedSession, PortalError> {
    let SessionFacts { customer, member_model, named, member, owner } = facts;
    let member = match (member_model, named) {
        (false, Some(named)) => return Err(PortalError::MemberSessionsDisabled(named)),
        (false, None) => None,
        (true, Some(named)) => {
            let own = member.filter(|member| member.customer_id == customer.id);
            Some(own.ok_or(PortalError::MemberUnknown(named))?)
        }
        (true, None) if customer.kind == CustomerKind::Team => return Err(PortalError::MemberRequired),
        (true, None) => Some(owner.ok_or(PortalError::MemberRequired)?),
    };
    let session = CustomerSession {
        id,
        organization: customer.organization,
        created_at: now,
        expires_at: now.plus_seconds(SESSION_DURATION_S),
        customer: customer.id,
        member: member.as_ref().map(|member| member.id),
        return_url,
    };
    let email = member.map_or(customer.email, |member| Some(member.email));
    Ok(StartedSession { session, email })
}

/// Who wants to manage members, and of what kind their customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberManagementFacts {
    /// Their role.
    pub role: MemberRole,
    /// Their customer's kind.
    pub kind: CustomerKind,
}

/// Whether a member may manage the members of their customer.
///
/// # Errors
/// When their role does not reach so far, or the customer is an individual.
pub fn manage_members(facts: MemberManagementFacts) -> Result<(), PortalError> {
    if !facts.role.can_manage_customer() {
        return Err(PortalError::MemberManagementNotAllowed);
    }
    if facts.kind == CustomerKind::Individual {
        return Err(PortalError::NotATeamCustomer);
    }
    Ok(())
}

/// Whether a session reaches billing; a customer's own always does.
///
/// # Errors
/// When its member's role does not.
pub fn manage_billing(role: Option<MemberRole>) -> Result<(), PortalError> {
    if role.is_none_or(MemberRole::can_manage_customer) {
        Ok(())
    } else {
        Err(PortalError::BillingNotAllowed)
    }
}

/// Whether `actor` may give `target` a role; whether the customer keeps an owner is a rule of members.
///
/// # Errors
/// When it is the actor's own, or ownership is not the actor's to give.
pub fn change_member(actor: &Member, target: &Member, role: Option<MemberRole>) -> Result<(), PortalError> {
    let Some(role) = role.filter(|role| *role != target.role) else { return Ok(()) };
    if actor.id == target.id {
        return Err(PortalError::CannotChangeOwnRole(target.id));
    }
    if role == MemberRole::Owner && actor.role != MemberRole::Owner {
        return Err(PortalError::OnlyOwnerTransfers);
    }
    Ok(())
}

/// Whether `actor` may remove `target`; that the owner stays is a rule of members.
///
/// # Errors
/// When the two are one.
pub fn remove_member(actor: &Member, target: MemberId) -> Result<(), PortalError> {
    if actor.id == target { Err(PortalError::CannotRemoveSelf(target)) } else { Ok(()) }
}

/// Whether the organization lets its customers change their address.
///
/// # Errors
/// When it does not.
pub fn allow_email_change(organization: &Organization) -> Result<(), PortalError> {
    let customer = organization.profile.customer_portal_settings.customer.as_ref();
    let allowed = customer.and_then(|customer| customer.allow_email_change).unwrap_or(false);
    if allowed { Ok(()) } else { Err(PortalError::EmailChangeDisabled) }
}

/// Whether an address can become a customer's; whether it is free is asked when it is proved.
///
/// # Errors
/// When the customer is a team, or has the address already.
pub fn check_new_email(customer: &Customer, email: &EmailAddress) -> Result<(), PortalError> {
    if customer.kind == CustomerKind::Team {
        return Err(PortalError::TeamEmailFixed(email.clone()));
    }
    if customer.email.as_ref().is_some_and(|current| current.key() == email.key()) {
        return Err(PortalError::EmailUnchanged(email.clone()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
