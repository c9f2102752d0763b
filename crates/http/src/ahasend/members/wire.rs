//! Wire types of account members.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::values::PersonName;

use crate::wire::{AnyUuid, Email, Validation, Wire, name_list, wire_object};

pub(super) const ROLES: &[&str] = &["Administrator", "Developer", "Analyst", "Billing Manager"];

name_list! {
    /// A role in the team of an account.
    RoleName(TeamRole) as "enum" of ROLES, by |name| match name {
        "Administrator" => Some(TeamRole::Administrator),
        "Developer" => Some(TeamRole::Developer),
        "Analyst" => Some(TeamRole::Analyst),
        "Billing Manager" => Some(TeamRole::BillingManager),
        _ => None,
    }
}

/// The role's name here. The dialect has no owner: it shows the owner as an administrator.
pub(super) const fn role_name(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner | TeamRole::Administrator => "Administrator",
        TeamRole::Developer => "Developer",
        TeamRole::Analyst => "Analyst",
        TeamRole::BillingManager => "Billing Manager",
    }
}

/// A display name. Blank means none.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct DisplayName(#[schemars(with = "String")] pub(super) Option<PersonName>);

impl Wire for DisplayName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        at.accept(PersonName::parse(&text), value).map(Self)
    }
}

wire_object! {
    /// A user to add to the team.
    AddMemberRequest {
        /// E-mail address of the user.
        email: Email,
        /// Display name of a new user. Ignored for an existing user.
        name: Option<DisplayName>,
        /// The role.
        role: RoleName,
    }
}

/// A membership in the team of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UserAccount")]
pub(crate) struct UserAccount {
    /// When the user joined.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When the role last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) updated_at: Timestamp,
    /// The user.
    #[schemars(with = "AnyUuid")]
    pub(super) user_id: UserId,
    /// The account.
    #[schemars(with = "AnyUuid")]
    pub(super) account_id: OrganizationId,
    /// The role.
    #[schemars(with = "RoleName")]
    pub(super) role: &'static str,
}

impl From<&TeamMember> for UserAccount {
    fn from(member: &TeamMember) -> Self {
        let TeamMember { organization, user, role, created_at, modified_at, .. } = member;
        Self {
            created_at: *created_at,
            updated_at: *modified_at,
            user_id: *user,
            account_id: *organization,
            role: role_name(*role),
        }
    }
}

/// The team of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccountMembersResponse")]
pub(crate) struct AccountMembers {
    /// Always `list`.
    pub(super) object: &'static str,
    /// The members, newest first.
    pub(super) data: Vec<UserAccount>,
}
