//! Invitations: a person is asked to join the team of an organization, and joins by accepting.
//!
//! | state | leaves it by |
//! |---|---|
//! | pending | accepting, declining, revoking; the same person joining the team another way |
//! | accepted, declined, revoked | |
//!
//! A pending invitation whose time has passed is shown as expired. Nothing is stored when it expires; sending it again
//! gives it new time.
//!
//! Invariants:
//! - An organization has at most one pending invitation for an address ([`EmailAddress::key`]).
//! - A person accepts an invitation only with an address that the person has proved and that is the invitation's.
//! - Nobody becomes an owner by an invitation.
//! - An invitation outlives the membership of the person who made it, and ends with its organization.

mod decide;

pub use decide::{
    AcceptFacts, InviteFacts, Invited, accept, decline, invite, renew, replace, revoke, settle,
};

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::Timestamp;
use crate::ids::{InvitationId, OrganizationId, UserId};
use crate::team::TeamRole;
use crate::values::{EmailAddress, Lifetime, Metadata, PersonName};

/// Seconds for which an invitation can be accepted, unless the inviter says otherwise.
pub const DEFAULT_LIFETIME_S: i64 = 7 * 24 * 60 * 60;
/// The most seconds for which an invitation can be accepted.
pub const MAX_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Seconds between two secrets of one invitation.
pub const RESEND_AFTER_S: i64 = 60;
/// Times that an invitation is sent again.
pub const RESENDS: u32 = 5;
/// Invitations that the organizations of one owner make in an hour, those that are sent again included.
pub const INVITATIONS_PER_HOUR: u32 = 250;
/// Invitations, and invitations sent again, from the organizations of one owner to one address in a day, also without a
/// mail. So no owner has so many for an address that those of others are not seen.
pub const INVITATIONS_PER_ADDRESS_A_DAY: u32 = 10;
/// Mails with invitations that one address gets in a day, from all organizations.
pub const MAILS_PER_ADDRESS_A_DAY: u32 = 3;
/// Pending invitations of one organization, expired ones included.
pub const PENDING_PER_ORGANIZATION: u64 = 1_000;
/// Seconds for which an invitation is kept after it was settled, or has expired.
pub const RETENTION_S: i64 = 30 * 24 * 60 * 60;

/// The page of the console on which an invitation is accepted or declined.
const PAGE: &str = "/console/invitation";

/// The link with which a person answers an invitation. The secret is in its fragment, which no server and no referrer
/// sees. `public_url` is the address at which people reach the server.
#[must_use]
pub fn accept_url(public_url: &str, secret: &str) -> String {
    format!("{}{PAGE}#{secret}", public_url.trim_end_matches('/'))
}

/// The stored state of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// It can be accepted until it expires.
    Pending,
    /// The person joined the team.
    Accepted,
    /// The person does not want to join.
    Declined,
    /// The organization withdrew it.
    Revoked,
}

impl InvitationState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::Declined, Self::Revoked];

    /// The state's name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The state of an invitation as it is shown: a pending one is expired once its time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvitationStatus {
    /// It can be accepted.
    Pending,
    /// The person joined the team.
    Accepted,
    /// The person does not want to join.
    Declined,
    /// The organization withdrew it.
    Revoked,
    /// It was not accepted in time.
    Expired,
}

impl InvitationStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Accepted, Self::Declined, Self::Revoked, Self::Expired];
    /// The names of all of them, in the same order.
    pub const NAMES: [&'static str; 5] = ["pending", "accepted", "declined", "revoked", "expired"];

    /// The status's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for InvitationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invitation to the team of an organization (table `invitations`). Its secret is in the mail, and nowhere else.
///
/// Serialized for the audit log, it has the address masked and no name, so that the log needs no change when the person
/// is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// The tenant.
    pub organization: OrganizationId,
    /// Id.
    pub id: InvitationId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last sent again or settled.
    pub modified_at: Option<Timestamp>,
    /// The address of the person, in the spelling of the inviter.
    #[serde(serialize_with = "masked")]
    pub email: EmailAddress,
    /// The person's name in the team.
    #[serde(skip)]
    pub name: Option<PersonName>,
    /// The role that the person gets.
    pub role: TeamRole,
    /// The stored state.
    pub state: InvitationState,
    /// The time for which it can be accepted, counted from each secret.
    #[serde(skip)]
    pub lifetime: Lifetime,
    /// The end of the time in which it can be accepted.
    pub expires_at: Timestamp,
    /// When it was accepted, declined or revoked.
    pub settled_at: Option<Timestamp>,
    /// The person who made it; none when a token of the organization or the operator did.
    pub invited_by: Option<UserId>,
    /// The person who accepted it.
    pub accepted_by: Option<UserId>,
    /// When it got its present secret.
    #[serde(skip)]
    pub issued_at: Timestamp,
    /// Number of its secrets so far.
    pub issue_count: u32,
    /// When a mail with its secret was last queued.
    pub last_sent_at: Option<Timestamp>,
    /// Number of mails.
    pub sent_count: u32,
    /// Data of the organization.
    pub metadata: Metadata,
}

fn masked<S: Serializer>(email: &EmailAddress, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&email.masked())
}

impl Invitation {
    /// The state as it is shown at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        match self.state {
            InvitationState::Pending if self.expires_at <= now => InvitationStatus::Expired,
            InvitationState::Pending => InvitationStatus::Pending,
            InvitationState::Accepted => InvitationStatus::Accepted,
            InvitationState::Declined => InvitationStatus::Declined,
            InvitationState::Revoked => InvitationStatus::Revoked,
        }
    }

    /// The time of settling, if it was settled this way.
    #[must_use]
    pub fn settled_as(&self, state: InvitationState) -> Option<Timestamp> {
        self.settled_at.filter(|_| self.state == state)
    }

    /// The time from which the row is not kept any more.
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        self.settled_at.unwrap_or(self.expires_at).plus_seconds(RETENTION_S)
    }
}

/// A person to be invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// The person's address.
    pub email: EmailAddress,
    /// The person's name in the team.
    pub name: Option<PersonName>,
    /// The role that the person gets.
    pub role: TeamRole,
    /// The time for which it can be accepted; none for [`DEFAULT_LIFETIME_S`].
    pub expires_in: Option<Lifetime>,
    /// Data of the organization.
    pub metadata: Metadata,
}

/// A refused step of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// No invitation has this id or secret.
    #[error("invitation not found")]
    NotFound,
    /// Nobody is invited as an owner.
    #[error("nobody is invited as an owner: invite the person with another role, then offer the ownership")]
    OwnerRole,
    /// The time for accepting is too long.
    #[error("an invitation can be accepted for at most 30 days")]
    LifetimeTooLong,
    /// The person is in the team.
    #[error("this person is in the team already")]
    AlreadyMember,
    /// The address has a pending invitation with another role.
    #[error("this address has a pending invitation with another role: revoke that one first")]
    OtherPending(InvitationId),
    /// The organization has too many pending invitations.
    #[error("an organization has at most {0} pending invitations: revoke one that is not needed")]
    TooManyPending(u64),
    /// Too many invitations were made in the last hour, or to one address in the last day.
    #[error("too many invitations were made in the last hour, or to this address today: wait")]
    TooMany {
        /// Seconds after which there is room for another one.
        retry_after_s: u64,
    },
    /// The address got too many mails with invitations in the last day.
    #[error(
        "this address gets no further mail with an invitation today: wait, or pass the link on yourself (send_email: false)"
    )]
    TooManyMails {
        /// Seconds after which there is room for another one.
        retry_after_s: u64,
    },
    /// The invitation was sent a moment ago.
    #[error("the invitation was sent a moment ago: wait before you send it again")]
    SentJustNow {
        /// Seconds after which it can be sent again.
        retry_after_s: u64,
    },
    /// The invitation was sent again too often.
    #[error("the invitation was sent again {} times already: revoke it and make another one", RESENDS)]
    SentTooOften,
    /// The invitation is not pending any more. [`InvitationStatus::Pending`] does not occur.
    #[error("the invitation is {0} already")]
    Settled(InvitationStatus),
    /// The invitation was not accepted in time.
    #[error("the invitation has expired: ask the organization to send it again")]
    Expired,
    /// The person has not proved the address.
    #[error("prove your address first: sign in to the console once with a mailed code")]
    AddressUnproved,
    /// The invitation is for another address, of which a part is shown.
    #[error("the invitation is for {0}, which is not your address")]
    OtherAddress(String),
    /// The organization is suspended.
    #[error("the organization is suspended: nobody can join it now")]
    Suspended,
}

#[cfg(test)]
mod tests;
