//! The team that runs an organization (docs/contracts/polar/organizations.md, 3). It is the same team as the account
//! members of the AhaSend dialect.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::team::{TeamMemberInvite, TeamMemberLeave, TeamMemberRemove, TeamMemberSetRole};
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{NewTeamMember, RoleChange, TeamError, TeamMember, TeamRole};
use tenantry_core::values::EmailAddress;

use super::error::{ErrorResponse, plain};
use super::inputs::NameText;
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::{AnyUuid, Email, Uuid4, name_list, wire_object};

/// Roles that can be given, in the contract's order.
const ASSIGNABLE: &[&str] = &["admin", "finance", "member"];

name_list! {
    /// A role that can be given.
    AssignableRole(RoleChange) as "literal_error" of ASSIGNABLE, by role_change
}

/// The role of that name. An analyst, whom the dialect cannot name, counts as a member: who writes back the
/// role that they read changes nothing.
fn role_change(name: &str) -> Option<RoleChange> {
    let (to, satisfied_by): (TeamRole, &'static [TeamRole]) = match name {
        "admin" => (TeamRole::Administrator, &[]),
        "finance" => (TeamRole::BillingManager, &[]),
        "member" => (TeamRole::Developer, &[TeamRole::Analyst]),
        _ => return None,
    };
    Some(RoleChange { to, satisfied_by })
}

/// The role's name here.
const fn role_name(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => "owner",
        TeamRole::Administrator => "admin",
        TeamRole::Developer | TeamRole::Analyst => "member",
        TeamRole::BillingManager => "finance",
    }
}

wire_object! {
    /// A person who is to join the team.
    OrganizationMemberInvite {
        /// The person's address.
        email: Email,
    }
}

wire_object! {
    /// A person who is to join the team, with their role.
    OrganizationMemberAdd {
        /// The person's address.
        email: Email,
        /// The person's display name, when they are new.
        name: Option<NameText>,
        /// The role; `member` unless it is given.
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

/// A person in the team of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationMember", transform = crate::openapi::always_whole)]
pub(crate) struct OrganizationMemberView<'a> {
    /// The person.
    #[schemars(with = "AnyUuid")]
    user_id: UserId,
    /// When the person joined.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// The person's address.
    email: &'a str,
    /// Always `null`: Tenantry keeps no pictures of people.
    avatar_url: Option<&'a str>,
    /// The role.
    #[schemars(extend("enum" = ["owner", "admin", "finance", "member"]))]
    role: &'static str,
}

impl<'a> OrganizationMemberView<'a> {
    fn new(member: &TeamMember, email: &'a EmailAddress) -> Self {
        let TeamMember { user, role, created_at, .. } = member;
        Self {
            user_id: *user,
            created_at: *created_at,
            email: email.as_str(),
            avatar_url: None,
            role: role_name(*role),
        }
    }
}

/// A role and what it may do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationRole", transform = crate::openapi::always_whole)]
pub(crate) struct RoleView {
    /// The role's name.
    id: &'static str,
    /// What it may do, sorted.
    permissions: &'static [&'static str],
}

const EVERYTHING: &[&str] = &[
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

/// The roles in the contract's order. Of the permissions, Tenantry enforces those on the organization, its
/// members and its customers; the others are of things it does not hold.
const ROLES: [RoleView; 4] = [
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

fn organization(call: &Call) -> Result<OrganizationId, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    Ok(OrganizationId::new(input.finish(id)?.0))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let people = call.app.team_people(&call.by(), organization(&call)?).await?;
    Ok(page::whole(&people, |(member, email)| OrganizationMemberView::new(member, email)))
}

pub(super) async fn roles(call: Call) -> Result<Response, ErrorResponse> {
    call.app.organization(&call.by(), organization(&call)?).await?;
    Ok(call::json(StatusCode::OK, &ROLES))
}

async fn join(
    call: &Call,
    organization: OrganizationId,
    new: NewTeamMember,
) -> Result<Response, ErrorResponse> {
    let invite = TeamMemberInvite { by: call.by(), organization, new };
    let joined = |(member, email, is_new): &(TeamMember, EmailAddress, bool)| {
        let status = if *is_new { StatusCode::CREATED } else { StatusCode::OK };
        written(status, &OrganizationMemberView::new(member, email))
    };
    Ok(call.write_once(invite, joined).await?)
}

pub(super) async fn invite(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationMemberInvite>();
    let (id, OrganizationMemberInvite { email }) = input.finish(id.zip(body))?;
    let new = NewTeamMember { email: email.0, name: None, role: TeamRole::Developer };
    join(&call, OrganizationId::new(id.0), new).await
}

pub(super) async fn add(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationMemberAdd>();
    let (id, OrganizationMemberAdd { email, name, role }) = input.finish(id.zip(body))?;
    let role = role.map_or(TeamRole::Developer, |role| role.0.to);
    let new = NewTeamMember { email: email.0, name: name.and_then(|name| name.0), role };
    join(&call, OrganizationId::new(id.0), new).await
}

pub(super) async fn set_role(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let user = input.path::<AnyUuid>("user_id");
    let body = input.body::<OrganizationMemberUpdate>();
    let ((id, user), OrganizationMemberUpdate { role }) = input.finish(id.zip(user).zip(body))?;
    let (organization, user) = (OrganizationId::new(id.0), UserId::new(user.0));
    let operation = TeamMemberSetRole { by: call.by(), organization, user, change: role.0 };
    let (member, email) = call.app.write(operation).await?;
    Ok(call::json(StatusCode::OK, &OrganizationMemberView::new(&member, &email)))
}

pub(super) async fn remove(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let user = input.path::<AnyUuid>("user_id");
    let (id, user) = input.finish(id.zip(user))?;
    let (organization, user) = (OrganizationId::new(id.0), UserId::new(user.0));
    call.app.write(TeamMemberRemove { by: call.by(), organization, user, may_leave: true }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn leave(call: Call) -> Result<Response, ErrorResponse> {
    let organization = organization(&call)?;
    call.app.write(TeamMemberLeave { by: call.by(), organization }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}

/// The answer to a team that could not be changed.
pub(super) fn refusal(error: TeamError) -> Response {
    let forbidden = |detail: &str| plain(StatusCode::FORBIDDEN, "NotPermitted", detail);
    match error {
        TeamError::OrganizationNotFound | TeamError::NotFound => {
            plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found")
        }
        TeamError::AlreadyMember => {
            plain(StatusCode::CONFLICT, "ResourceAlreadyExists", "This person is in the team already.")
        }
        TeamError::CannotRemoveOwner => forbidden("The owner of an organization cannot be removed."),
        TeamError::CannotRemoveSelf => forbidden("Nobody can remove themselves: leave instead."),
        TeamError::OwnerRoleFixed => forbidden("The owner of an organization keeps that role."),
        TeamError::OwnerCannotLeave => forbidden("The owner of an organization cannot leave it."),
        TeamError::OnlyMember => forbidden("The only person in the team cannot leave."),
        TeamError::LastManager => plain(
            StatusCode::FORBIDDEN,
            "OrganizationWouldHaveNoAdmins",
            "Somebody must be left in the team who manages the organization.",
        ),
    }
}

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
                // An analyst is shown as a member and has less than one.
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
