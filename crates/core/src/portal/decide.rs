//! The rules of the customer portal (docs/contracts/polar/portal.md).

use super::{CustomerSession, PortalError, SESSION_DURATION_S};
use crate::Timestamp;
use crate::customer::{Customer, CustomerKind};
use crate::ids::{MemberId, SessionId};
use crate::member::{Member, MemberRole};
use crate::organization::Organization;
use crate::values::{EmailAddress, HttpUrl};

/// The way in which a request names a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberSelector {
    /// By id.
    Id(MemberId),
    /// By the id in the organization's own system.
    External(String),
}

/// The facts needed to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// The customer.
    pub customer: Customer,
    /// Whether the organization has the member model.
    pub member_model: bool,
    /// The member as named in the request, if one was named.
    pub named: Option<MemberSelector>,
    /// The member that was found by that name.
    pub member: Option<Member>,
    /// The customer's owner.
    pub owner: Option<Member>,
    /// Time of expiry of the token that starts the session. None when it does not expire.
    pub caller_expires_at: Option<Timestamp>,
}

/// A started session, with the address of its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedSession {
    /// The session.
    pub session: CustomerSession,
    /// Address of the member, or of the customer in a session without a member. A customer need not have one.
    pub email: Option<EmailAddress>,
}

/// Starts a session. In an organization with the member model it is the session of a member, otherwise that of the
/// customer. An individual customer's session without a named member is its owner's. It ends no later than the token that
/// starts it.
///
/// # Errors
/// - [`PortalError::MemberRequired`] for a team customer without a named member.
/// - [`PortalError::MemberUnknown`] when the named member is not one of the customer's.
/// - [`PortalError::MemberSessionsDisabled`] when a member is named in an organization without the member model.
pub fn start_session(
    facts: SessionFacts,
    return_url: Option<HttpUrl>,
    id: SessionId,
    now: Timestamp,
) -> Result<StartedSession, PortalError> {
    let SessionFacts { customer, member_model, named, member, owner, caller_expires_at } = facts;
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
    let end = now.plus_seconds(SESSION_DURATION_S);
    let session = CustomerSession {
        id,
        organization: customer.organization,
        created_at: now,
        expires_at: caller_expires_at.map_or(end, |expires_at| end.min(expires_at)),
        customer: customer.id,
        member: member.as_ref().map(|member| member.id),
        return_url,
    };
    let email = member.map_or(customer.email, |member| Some(member.email));
    Ok(StartedSession { session, email })
}

/// The facts needed to decide whether a member can manage members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberManagementFacts {
    /// The member's role.
    pub role: MemberRole,
    /// The kind of the member's customer.
    pub kind: CustomerKind,
}

/// Checks that a member can manage the members of their customer.
///
/// # Errors
/// - [`PortalError::MemberManagementNotAllowed`] when the role does not include it.
/// - [`PortalError::NotATeamCustomer`] when the customer is an individual.
pub fn manage_members(facts: MemberManagementFacts) -> Result<(), PortalError> {
    if !facts.role.can_manage_customer() {
        return Err(PortalError::MemberManagementNotAllowed);
    }
    if facts.kind == CustomerKind::Individual {
        return Err(PortalError::NotATeamCustomer);
    }
    Ok(())
}

/// Checks that a session can use billing. `role` is the member's role; none in a session without a member, which
/// always can.
///
/// # Errors
/// [`PortalError::BillingNotAllowed`] when the member's role does not include billing.
pub fn manage_billing(role: Option<MemberRole>) -> Result<(), PortalError> {
    if role.is_none_or(MemberRole::can_manage_customer) {
        Ok(())
    } else {
        Err(PortalError::BillingNotAllowed)
    }
}

/// Checks that `actor` can give `target` a role. The rule that a customer keeps its owner is in
/// [`crate::member::update`].
///
/// # Errors
/// - [`PortalError::CannotChangeOwnRole`] when both are the same member.
/// - [`PortalError::OnlyOwnerTransfers`] when the new role is the owner's and the actor is not the owner.
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

/// Checks that `actor` can remove `target`. The rule that the owner cannot be removed is in [`crate::member::delete`].
///
/// # Errors
/// [`PortalError::CannotRemoveSelf`] when both are the same member.
pub fn remove_member(actor: &Member, target: MemberId) -> Result<(), PortalError> {
    if actor.id == target { Err(PortalError::CannotRemoveSelf(target)) } else { Ok(()) }
}

/// Checks that the organization permits its customers to change their address.
///
/// # Errors
/// [`PortalError::EmailChangeDisabled`] when it does not.
pub fn allow_email_change(organization: &Organization) -> Result<(), PortalError> {
    let customer = organization.profile.customer_portal_settings.customer.as_ref();
    let allowed = customer.and_then(|customer| customer.allow_email_change).unwrap_or(false);
    if allowed { Ok(()) } else { Err(PortalError::EmailChangeDisabled) }
}

/// Checks that a customer can ask for a new address. The address may be taken at this time: that is checked when the
/// customer confirms it.
///
/// # Errors
/// - [`PortalError::TeamEmailFixed`] when the customer is a team.
/// - [`PortalError::EmailUnchanged`] when the customer already has the address.
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
