//! The team of an organization: the users who administer it. AhaSend calls them account members
//! (docs/contracts/ahasend.md), Polar calls them organization members.
//!
//! Invariants:
//! - An organization has exactly one owner. The owner cannot leave or be removed, and the owner's role changes only
//!   when the ownership is transferred.
//! - A person becomes the owner by accepting an offer of the owner, never through another caller's request alone.
//! - A team always has an owner or an administrator.

mod decide;

pub use decide::{
    OWNERSHIP_OFFER_DAYS, RoleChange, TeamFacts, Transferred, accept_ownership, leave, offer_ownership,
    remove, set_role, transfer,
};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, UserId};
use crate::values::{EmailAddress, PersonName};

/// The role of a user in an organization. It determines the user's permissions in both dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Owns the organization. There is exactly one. AhaSend shows the role as `Administrator`.
    Owner,
    /// Has every permission except to transfer the ownership.
    Administrator,
    /// Manages customers and integrations.
    Developer,
    /// Can read, but not change anything.
    Analyst,
    /// Manages billing and payouts.
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

    /// Whether the role has every right of another one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == other
            || (other != Self::Owner
                && TeamPermission::ALL.iter().all(|right| self.grants(*right) || !other.grants(*right)))
    }

    /// Whether the role includes a permission. This applies to users only: the scopes of an organization's token alone
    /// decide what that token can do.
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
            TeamPermission::TransferOwnership => matches!(self, Self::Owner),
        }
    }

    /// Whether the role can manage the organization. Every team has at least one such member.
    #[must_use]
    pub const fn can_manage_organization(self) -> bool {
        self.grants(TeamPermission::ManageOrganization)
    }
}

/// A permission that a role can include.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TeamPermission {
    /// Read customers and their members.
    ReadCustomers,
    /// Change customers and their members.
    ManageCustomers,
    /// List the team.
    ReadTeam,
    /// Add people to the team, remove them, and change their roles.
    ManageTeam,
    /// Change the organization and its tokens, and read its audit log.
    ManageOrganization,
    /// Make another person the owner.
    TransferOwnership,
}

impl TeamPermission {
    /// Every permission.
    pub const ALL: [Self; 6] = [
        Self::ReadCustomers,
        Self::ManageCustomers,
        Self::ReadTeam,
        Self::ManageTeam,
        Self::ManageOrganization,
        Self::TransferOwnership,
    ];
}

/// The membership of a user in the team of an organization (table `team_members`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeamMember {
    /// The tenant.
    pub organization: OrganizationId,
    /// The user.
    pub user: UserId,
    /// Address in the spelling of this organization.
    pub email: EmailAddress,
    /// Display name in this organization.
    pub name: Option<PersonName>,
    /// Role.
    pub role: TeamRole,
    /// Time of joining.
    pub created_at: Timestamp,
    /// Time of the last change of the role, initially the time of joining.
    pub modified_at: Timestamp,
    /// The end of an offer of the ownership. None when the ownership is not offered to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered_until: Option<Timestamp>,
}

impl TeamMember {
    /// Whether the ownership is offered to the user at `now`.
    #[must_use]
    pub fn is_offered_ownership(&self, now: Timestamp) -> bool {
        self.offered_until.is_some_and(|until| until > now)
    }
}

/// A person to be added to a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeamMember {
    /// The person's address. The user with the same key is added; if there is none, one is created.
    pub email: EmailAddress,
    /// Display name, used when the user is created.
    pub name: Option<PersonName>,
    /// Role.
    pub role: TeamRole,
}

/// A refused change of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TeamError {
    /// The caller has no such organization.
    #[error("account not found")]
    OrganizationNotFound,
    /// The user is already in the team.
    #[error("user is already a member of this account")]
    AlreadyMember,
    /// Nobody is added to this team without accepting an invitation.
    #[error("people join this account by invitation: invite the person instead")]
    InvitationRequired,
    /// The user is not in the team.
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
    /// The only member of a team cannot leave.
    #[error("the only member cannot leave")]
    OnlyMember,
    /// The user is the owner already.
    #[error("the user is the owner of the account already")]
    AlreadyOwner,
    /// The ownership is not offered to the user, or the offer has ended.
    #[error("the ownership of the account is not offered to this user")]
    NotOffered,
    /// The last member who can manage the organization must keep the role and stay.
    #[error("the account needs at least one administrator")]
    LastManager,
}
