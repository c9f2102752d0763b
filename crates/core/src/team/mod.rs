//! The team that runs an organization. AhaSend calls its people account members, Polar organization
//! members.
//!
//! Invariants: an organization has exactly one owner, whose role cannot change and who can neither be
//! removed nor leave; there is always somebody who manages the organization.

mod decide;

pub use decide::{RoleChange, TeamFacts, leave, remove, set_role};

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

    /// Whether the role gives a person a right. An organization's own token is not asked: it has what its
    /// scopes allow.
    #[must_use]
    pub const fn grants(self, permission: TeamPermission) -> bool {
        match permission {
            TeamPermission::ReadCustomers => true,
            TeamPermission::ManageCustomers => {
                matches!(self, Self::Owner | Self::Administrator | Self::Developer)
            }
            TeamPermission::ReadTeam => !matches!(self, Self::BillingManager),
            TeamPermission::ManageTeam | TeamPermission::ManageOrganization => {
                matches!(self, Self::Owner | Self::Administrator)
            }
        }
    }

    /// Whether the role is one of those of which every organization needs somebody.
    #[must_use]
    pub const fn can_manage_organization(self) -> bool {
        self.grants(TeamPermission::ManageOrganization)
    }
}

/// What a person's role can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TeamPermission {
    /// Seeing customers.
    ReadCustomers,
    /// Changing customers and their members.
    ManageCustomers,
    /// Seeing who is in the team.
    ReadTeam,
    /// Adding people to the team, removing them, and changing their roles.
    ManageTeam,
    /// Changing the organization itself and its tokens.
    ManageOrganization,
}

impl TeamPermission {
    /// Every right.
    pub const ALL: [Self; 5] = [
        Self::ReadCustomers,
        Self::ManageCustomers,
        Self::ReadTeam,
        Self::ManageTeam,
        Self::ManageOrganization,
    ];
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
    CannotRemoveOwner,
    /// The caller cannot remove themselves.
    #[error("you cannot remove yourself")]
    CannotRemoveSelf,
    /// The owner's role cannot change.
    #[error("the role of the account owner cannot change")]
    OwnerRoleFixed,
    /// The owner cannot leave.
    #[error("the account owner cannot leave")]
    OwnerCannotLeave,
    /// The only person of a team cannot leave.
    #[error("the only member cannot leave")]
    OnlyMember,
    /// Nobody would be left to manage the organization.
    #[error("somebody must be left to manage the account")]
    LastManager,
}
