//! Account members: the team that runs an account (docs/contracts/founding-operations.md, 2, and
//! docs/contracts/ahasend.md, 1.5).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tenantry_app::team::{TeamMemberAdd, TeamMemberRemove};
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{NewTeamMember, TeamMember, TeamRole};
use tenantry_core::values::PersonName;

use super::accounts::account;
use super::error::ErrorResponse;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::{AnyUuid, At, Email, Wire, name_list, wire_object};

const ROLES: &[&str] = &["Administrator", "Developer", "Analyst", "Billing Manager"];

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

/// The role's name here. The dialect has no owner: it shows one as an administrator.
const fn role_name(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner | TeamRole::Administrator => "Administrator",
        TeamRole::Developer => "Developer",
        TeamRole::Analyst => "Analyst",
        TeamRole::BillingManager => "Billing Manager",
    }
}

/// A display name; blank is none.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct DisplayName(#[schemars(with = "String")] Option<PersonName>);

impl Wire for DisplayName {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let text = String::read(value, at)?;
        at.accept(PersonName::parse(&text), value).map(Self)
    }
}

wire_object! {
    /// A person who is to join the team.
    AddMemberRequest {
        /// The person's address.
        email: Email,
        /// The person's display name, when they are new.
        name: Option<DisplayName>,
        /// The role.
        role: RoleName,
    }
}

/// A person's part in the team of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UserAccount")]
pub(crate) struct UserAccount {
    /// When the person joined.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the role last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
    /// The person.
    #[schemars(with = "AnyUuid")]
    user_id: UserId,
    /// The account.
    #[schemars(with = "AnyUuid")]
    account_id: OrganizationId,
    /// The role.
    #[schemars(with = "RoleName")]
    role: &'static str,
}

impl From<&TeamMember> for UserAccount {
    fn from(member: &TeamMember) -> Self {
        let TeamMember { organization, user, role, created_at, modified_at } = member;
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
    object: &'static str,
    /// The members, newest first.
    data: Vec<UserAccount>,
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let team = call.app.team(&call.by(), account(&call)?).await?;
    let data = team.iter().map(UserAccount::from).collect();
    Ok(call::json(StatusCode::OK, &AccountMembers { object: "list", data }))
}

pub(super) async fn add(call: Call) -> Result<Response, ErrorResponse> {
    let organization = account(&call)?;
    let mut input = call.input();
    let body = input.object();
    let AddMemberRequest { email, name, role } = input.finish(body)?;
    let new = NewTeamMember { email: email.0, name: name.and_then(|name| name.0), role: role.0 };
    let operation = TeamMemberAdd { by: call.by(), organization, new };
    let added = |member: &TeamMember| written(StatusCode::CREATED, &UserAccount::from(member));
    Ok(call.write_once(operation, added).await?)
}

pub(super) async fn remove(call: Call) -> Result<Response, ErrorResponse> {
    let organization = account(&call)?;
    let mut input = call.input();
    let user = input.path::<AnyUuid>("user_id");
    let user = UserId::new(input.finish(user).map_err(|_| ErrorResponse::Bad("invalid user_id"))?.0);
    call.app.write(TeamMemberRemove { by: call.by(), organization, user, may_leave: false }).await?;
    Ok(call::json(StatusCode::OK, &json!({"message": "member removed"})))
}
