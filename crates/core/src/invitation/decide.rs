//! The rules for making, sending again, accepting, declining and revoking an invitation.

use super::{
    DEFAULT_LIFETIME_S, Invitation, InvitationError, InvitationState, InvitationStatus, MAX_LIFETIME_S,
    NewInvitation, PENDING_PER_ORGANIZATION, RESEND_AFTER_S, RESENDS,
};
use crate::Timestamp;
use crate::ids::{InvitationId, OrganizationId, UserId};
use crate::team::TeamRole;
use crate::user::User;
use crate::values::Lifetime;

/// The facts needed to invite a person.
#[derive(Debug, Clone)]
pub struct InviteFacts {
    /// The organization.
    pub organization: OrganizationId,
    /// The person who invites, if a person does.
    pub invited_by: Option<UserId>,
    /// Whether the person is in the team.
    pub is_member: bool,
    /// The stored pending invitation of the same address. It may have expired.
    pub pending: Option<Invitation>,
    /// Number of pending invitations of the organization.
    pub pending_count: u64,
}

/// The result of an [`invite`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invited {
    /// A new invitation. The expired one of the same address, if there is one, is revoked before it is stored.
    New(Box<Invitation>, Option<Box<Invitation>>),
    /// The pending invitation of the same address and role, which stays as it is.
    Pending(Box<Invitation>),
}

/// Invites a person. The invitation has no secret yet: [`renew`] counts each one.
///
/// # Errors
/// - [`InvitationError::OwnerRole`], [`InvitationError::LifetimeTooLong`].
/// - [`InvitationError::AlreadyMember`] when the person is in the team.
/// - [`InvitationError::OtherPending`] when the address has a pending invitation with another role.
/// - [`InvitationError::TooManyPending`] when the organization has [`PENDING_PER_ORGANIZATION`] pending ones.
pub fn invite(
    facts: InviteFacts,
    new: NewInvitation,
    id: InvitationId,
    now: Timestamp,
) -> Result<Invited, InvitationError> {
    let InviteFacts { organization, invited_by, is_member, pending, pending_count } = facts;
    let NewInvitation { email, name, role, expires_in, metadata } = new;
    if role == TeamRole::Owner {
        return Err(InvitationError::OwnerRole);
    }
    let lifetime = check_lifetime(expires_in)?;
    if is_member {
        return Err(InvitationError::AlreadyMember);
    }
    let is_replaced = |earlier: &Invitation| earlier.status(now) == InvitationStatus::Expired;
    let expired = match pending {
        Some(earlier) if is_replaced(&earlier) => Some(Box::new(earlier)),
        Some(earlier) if earlier.role == role => return Ok(Invited::Pending(Box::new(earlier))),
        Some(earlier) => return Err(InvitationError::OtherPending(earlier.id)),
        None => None,
    };
    if expired.is_none() && pending_count >= PENDING_PER_ORGANIZATION {
        return Err(InvitationError::TooManyPending(PENDING_PER_ORGANIZATION));
    }
    let invitation = Invitation {
        organization,
        id,
        created_at: now,
        modified_at: None,
        email,
        name,
        role,
        state: InvitationState::Pending,
        lifetime,
        expires_at: now.plus_seconds(lifetime.seconds()),
        settled_at: None,
        invited_by,
        accepted_by: None,
        issued_at: now,
        issue_count: 1,
        last_sent_at: None,
        sent_count: 0,
        metadata,
    };
    Ok(Invited::New(Box::new(invitation), expired))
}

/// The time for which an invitation can be accepted, [`DEFAULT_LIFETIME_S`] without one.
fn check_lifetime(expires_in: Option<Lifetime>) -> Result<Lifetime, InvitationError> {
    let lifetime = match expires_in {
        Some(lifetime) => Ok(lifetime),
        None => Lifetime::from_seconds(DEFAULT_LIFETIME_S),
    };
    let within = lifetime.ok().filter(|lifetime| lifetime.seconds() <= MAX_LIFETIME_S);
    within.ok_or(InvitationError::LifetimeTooLong)
}

/// Gives a pending invitation another secret, also after it has expired. Its time begins anew.
///
/// # Errors
/// - [`InvitationError::Settled`] when it is not pending.
/// - [`InvitationError::SentTooOften`] after [`RESENDS`] times.
/// - [`InvitationError::SentJustNow`] within [`RESEND_AFTER_S`] of the last secret.
pub fn renew(before: &Invitation, now: Timestamp) -> Result<Invitation, InvitationError> {
    check_pending(before, now)?;
    if before.issue_count > RESENDS {
        return Err(InvitationError::SentTooOften);
    }
    let retry_after_s = now.seconds_until(before.issued_at.plus_seconds(RESEND_AFTER_S));
    if retry_after_s > 0 {
        return Err(InvitationError::SentJustNow { retry_after_s });
    }
    Ok(Invitation {
        modified_at: Some(now),
        expires_at: now.plus_seconds(before.lifetime.seconds()),
        issued_at: now,
        issue_count: before.issue_count.saturating_add(1),
        ..before.clone()
    })
}

/// Ends a pending invitation in another state.
fn end(before: &Invitation, state: InvitationState, now: Timestamp) -> Invitation {
    Invitation { state, settled_at: Some(now), modified_at: Some(now), ..before.clone() }
}

/// Withdraws an expired invitation, so that another one for the same address can be stored.
#[must_use]
pub fn replace(expired: &Invitation, now: Timestamp) -> Invitation {
    end(expired, InvitationState::Revoked, now)
}

/// Withdraws an invitation, also after it has expired. One that was revoked or declined stays as it is.
///
/// # Errors
/// [`InvitationError::Settled`] when it was accepted.
pub fn revoke(before: &Invitation, now: Timestamp) -> Result<Invitation, InvitationError> {
    match before.state {
        InvitationState::Pending => Ok(end(before, InvitationState::Revoked, now)),
        InvitationState::Revoked | InvitationState::Declined => Ok(before.clone()),
        InvitationState::Accepted => Err(InvitationError::Settled(InvitationStatus::Accepted)),
    }
}

/// Declines an invitation. One that was declined stays as it is.
///
/// # Errors
/// - [`InvitationError::Settled`] when it was accepted or revoked.
/// - [`InvitationError::Expired`].
pub fn decline(before: &Invitation, now: Timestamp) -> Result<Invitation, InvitationError> {
    if before.state == InvitationState::Declined {
        return Ok(before.clone());
    }
    check_open(before, now)?;
    Ok(end(before, InvitationState::Declined, now))
}

/// The facts needed to accept an invitation.
#[derive(Debug, Clone)]
pub struct AcceptFacts<'a> {
    /// The person who accepts.
    pub user: &'a User,
    /// Whether the person has proved the address.
    pub is_proved: bool,
    /// Whether the organization, or its parent, is suspended.
    pub is_suspended: bool,
}

/// Checks that a person may accept an invitation. Returns whether it is to be settled now; an invitation that the same
/// person has accepted before stays as it is.
///
/// # Errors
/// - [`InvitationError::OtherAddress`], [`InvitationError::AddressUnproved`].
/// - [`InvitationError::Settled`], [`InvitationError::Expired`].
/// - [`InvitationError::Suspended`].
pub fn accept(
    invitation: &Invitation,
    facts: &AcceptFacts<'_>,
    now: Timestamp,
) -> Result<bool, InvitationError> {
    let AcceptFacts { user, is_proved, is_suspended } = facts;
    if invitation.accepted_by == Some(user.id) {
        return Ok(false);
    }
    if user.email.key() != invitation.email.key() {
        return Err(InvitationError::OtherAddress(invitation.email.masked()));
    }
    if !is_proved {
        return Err(InvitationError::AddressUnproved);
    }
    check_open(invitation, now)?;
    if *is_suspended { Err(InvitationError::Suspended) } else { Ok(true) }
}

/// Settles the pending invitation of a person who joined the team. It may have expired.
#[must_use]
pub fn settle(pending: &Invitation, user: UserId, now: Timestamp) -> Invitation {
    Invitation { accepted_by: Some(user), ..end(pending, InvitationState::Accepted, now) }
}

fn check_pending(invitation: &Invitation, now: Timestamp) -> Result<(), InvitationError> {
    match invitation.state {
        InvitationState::Pending => Ok(()),
        _ => Err(InvitationError::Settled(invitation.status(now))),
    }
}

fn check_open(invitation: &Invitation, now: Timestamp) -> Result<(), InvitationError> {
    check_pending(invitation, now)?;
    if invitation.expires_at <= now { Err(InvitationError::Expired) } else { Ok(()) }
}
