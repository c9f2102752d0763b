//! The team that runs an organization. AhaSend calls its people account members, Polar organization
//! members.
//!
//! Invariants: an organization has exactly one owner; neither the owner nor the caller's own membership
//! can be removed.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, UserId};
use crate::values::{EmailAddress, PersonName};

/// What a person may do in an organization they help to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Holds the organization; there is exactly one. AhaSend shows it as `Administrator`.
    Owner,
    /// May do everything but transfer ownership.
    Administrator,
    /// May work with customers and integrations.
    Developer,
    /// May look, not change.
    Analyst,
    /// May act on billing and payouts.
    BillingManager,
}

impl TeamRole {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Administrator, Self::Developer, Self::Analyst, Self::BillingManager];

    /// The role's name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Analyst => "analyst",
            Self::BillingManager => "billing_manager",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether the role lets a person change the organization itself and its team.
    #[must_use]
    pub const fn manages_organization(self) -> bool {
        matches!(self, Self::Owner | Self::Administrator)
    }

    /// Whether the role lets a person change customers and their members.
    #[must_use]
    pub const fn manages_customers(self) -> bool {
        matches!(self, Self::Owner | Self::Administrator | Self::Developer)
    }
}

/// A user's part in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeamMember {
    /// The tenant.
    pub organization: OrganizationId,
    /// The person.
    pub user: UserId,
    /// Role.
    pub role: TeamRole,
    /// When the person joined.
    pub created_at: Timestamp,
    /// When the role last changed; the time of joining until then.
    pub modified_at: Timestamp,
}

/// Who is to join a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeamMember {
    /// The person's address; a user is found, or made, by its key.
    pub email: EmailAddress,
    /// Display name for a user who is new.
    pub name: Option<PersonName>,
    /// Role.
    pub role: TeamRole,
}

/// Why a team could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TeamError {
    /// No such organization for the caller.
    #[error("account not found")]
    OrganizationNotFound,
    /// The person is in the team already.
    #[error("user is already a member of this account")]
    AlreadyMember,
    /// The person is not in the team.
    #[error("member not found")]
    NotFound,
    /// The owner cannot be removed.
    #[error("the account owner cannot be removed")]
    OwnerStays,
    /// The caller cannot remove themselves.
    #[error("you cannot remove yourself")]
    SelfStays,
}

/// Whether a person may be removed from a team; `caller` is the person behind the request, if any.
///
/// # Errors
/// When the person is the owner, or the caller.
pub fn remove(member: &TeamMember, caller: Option<UserId>) -> Result<(), TeamError> {
    if member.role == TeamRole::Owner {
        return Err(TeamError::OwnerStays);
    }
    if caller == Some(member.user) {
        return Err(TeamError::SelfStays);
    }
    Ok(())
}
