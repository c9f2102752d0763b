//! Wire types of teams.

use crate::polar::values::NameText;
use crate::wire::{AnyUuid, Email, Uuid4, name_list, wire_object};
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{RoleChange, TeamMember, TeamRole};

/// Roles that can be given, in the contract's order.
pub(super) const ASSIGNABLE: &[&str] = &["admin", "finance", "member"];

name_list! {
    /// A role that can be given.
    AssignableRole(RoleChange) as "literal_error" of ASSIGNABLE, by role_change
}

/// The role of that name. The dialect shows an analyst as a member, so a client that sends back the role that it read
/// changes nothing.
pub(super) fn role_change(name: &str) -> Option<RoleChange> {
    let (to, satisfied_by): (TeamRole, &'static [TeamRole]) = match name {
        "admin" => (TeamRole::Administrator, &[]),
        "finance" => (TeamRole::BillingManager, &[]),
        "member" => (TeamRole::Developer, &[TeamRole::Analyst]),
        _ => return None,
    };
    Some(RoleChange { to, satisfied_by })
}

/// The role's name here.
pub(in crate::polar) const fn role_name(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => "owner",
        TeamRole::Administrator => "admin",
        TeamRole::Developer | TeamRole::Analyst => "member",
        TeamRole::BillingManager => "finance",
    }
}

wire_object! {
    /// A user to add to the team.
    OrganizationMemberInvite {
        /// E-mail address of the user.
        email: Email,
    }
}

wire_object! {
    /// A user to add to the team, with a role.
    OrganizationMemberAdd {
        /// E-mail address of the user.
        email: Email,
        /// Display name in this organization. Ignored for a user in the team.
        name: Option<NameText>,
        /// The role; by default `member`.
        role: Option<AssignableRole>,
    }
}

wire_object! {
    /// Another role.
    OrganizationMemberUpdate {
        /// The role.
        role: AssignableRole,
    }
}

wire_object! {
    /// The person to whom the owner offers the organization.
    OrganizationTransfer {
        /// The user, who is in the team.
        user_id: AnyUuid,
    }
}

/// An offer of the ownership of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationTransferOffer", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct TransferOfferView {
    /// The organization.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// The user that has the offer.
    #[schemars(with = "AnyUuid")]
    pub(super) user_id: UserId,
    /// The end of the offer. Null after it has ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) expires_at: Option<Timestamp>,
}

impl TransferOfferView {
    pub(super) const fn new(offered: &TeamMember) -> Self {
        Self {
            organization_id: offered.organization,
            user_id: offered.user,
            expires_at: offered.offered_until,
        }
    }
}

/// A member of the team of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationMember", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct OrganizationMemberView<'a> {
    /// The user.
    #[schemars(with = "AnyUuid")]
    pub(super) user_id: UserId,
    /// When the user joined.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// E-mail address of the user, as this organization spells it.
    pub(super) email: &'a str,
    /// Always `null`: Tenantry stores no pictures of users.
    pub(super) avatar_url: Option<&'a str>,
    /// The role.
    #[schemars(extend("enum" = ["owner", "admin", "finance", "member"]))]
    pub(super) role: &'static str,
}

impl<'a> OrganizationMemberView<'a> {
    pub(super) fn new(member: &'a TeamMember) -> Self {
        let TeamMember { user, role, created_at, email, .. } = member;
        Self {
            user_id: *user,
            created_at: *created_at,
            email: email.as_str(),
            avatar_url: None,
            role: role_name(*role),
        }
    }
}

/// A role and its permissions.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationRole", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct RoleView {
    /// The role's name.
    pub(super) id: &'static str,
    /// The scopes, sorted.
    pub(super) permissions: &'static [&'static str],
}

pub(super) const EVERYTHING: &[&str] = &[
    "analytics:manage",
    "analytics:read",
    "custom_fields:manage",
    "custom_fields:read",
    "customers:manage",
    "customers:read",
    "events:ingest",
    "finance:manage",
    "finance:read",
    "members:manage",
    "members:read",
    "organization:manage",
    "products:manage",
    "products:read",
    "sales:manage",
    "sales:read",
];

/// The roles in the contract's order. Tenantry enforces the permissions on the organization, its members and its
/// customers. The others are about objects that it does not have.
pub(super) const ROLES: [RoleView; 4] = [
    RoleView {
        id: "member",
        permissions: &[
            "analytics:manage",
            "analytics:read",
            "custom_fields:manage",
            "custom_fields:read",
            "customers:manage",
            "customers:read",
            "events:ingest",
            "members:read",
            "products:manage",
            "products:read",
            "sales:manage",
            "sales:read",
        ],
    },
    RoleView { id: "admin", permissions: EVERYTHING },
    RoleView { id: "owner", permissions: EVERYTHING },
    RoleView {
        id: "finance",
        permissions: &[
            "analytics:read",
            "custom_fields:read",
            "customers:read",
            "finance:manage",
            "finance:read",
            "products:read",
            "sales:manage",
            "sales:read",
        ],
    },
];

#[cfg(test)]
mod tests {
    use tenantry_core::team::TeamPermission;

    use super::*;

    #[test]
    fn the_published_roles_are_those_that_are_enforced() {
        let rights = [
            (TeamPermission::ReadCustomers, "customers:read"),
            (TeamPermission::ManageCustomers, "customers:manage"),
            (TeamPermission::ReadTeam, "members:read"),
            (TeamPermission::ManageTeam, "members:manage"),
            (TeamPermission::ManageOrganization, "organization:manage"),
        ];
        for role in TeamRole::ALL {
            let published = ROLES.iter().find(|published| published.id == role_name(role)).unwrap();
            for (right, permission) in rights {
                let shown = published.permissions.contains(&permission);
                // An analyst is shown as a member and has fewer permissions than a member.
                let less = role == TeamRole::Analyst && right == TeamPermission::ManageCustomers;
                assert_eq!(role.grants(right), shown && !less, "{role:?} {right:?}");
            }
        }
    }

    #[test]
    fn a_role_written_back_is_no_change() {
        for role in TeamRole::ALL.into_iter().filter(|role| *role != TeamRole::Owner) {
            let change = role_change(role_name(role)).unwrap();
            assert!(change.to == role || change.satisfied_by.contains(&role), "{role:?}");
        }
    }
}
