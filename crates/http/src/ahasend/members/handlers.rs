//! Handlers of the endpoints on account members.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tenantry_app::team::{TeamMemberAdd, TeamMemberRemove};
use tenantry_core::ids::UserId;
use tenantry_core::team::{NewTeamMember, TeamMember};

use super::wire::{AccountMembers, AddMemberRequest, UserAccount};
use crate::ahasend::errors::ErrorResponse;
use crate::ahasend::path::{self, account};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let team = call.app.team(&call.requester(), account(&call)?).await?;
    let data = team.iter().map(UserAccount::from).collect();
    Ok(response::json(StatusCode::OK, &AccountMembers { object: "list", data }))
}

pub(super) async fn add(call: Call) -> Result<Response, ErrorResponse> {
    let organization = account(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body();
    let AddMemberRequest { email, name, role } = input.finish(body)?;
    let new = NewTeamMember { email: email.0, name: name.and_then(|name| name.0), role: role.0 };
    let operation = TeamMemberAdd { by: call.requester(), organization, new };
    let added = |member: &TeamMember| to_stored(StatusCode::CREATED, &UserAccount::from(member));
    Ok(call.write_once(operation, added).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let organization = account(&call)?;
    let user = UserId::new(path::id(&call, "user_id", "invalid user_id")?);
    let member = call.app.team_member(&call.requester(), organization, user).await?;
    Ok(response::json(StatusCode::OK, &UserAccount::from(&member)))
}

pub(super) async fn remove(call: Call) -> Result<Response, ErrorResponse> {
    let organization = account(&call)?;
    let user = UserId::new(path::id(&call, "user_id", "invalid user_id")?);
    let removal = TeamMemberRemove { by: call.requester(), organization, user, may_leave: false };
    let shown = |member: &TeamMember| response::body(&UserAccount::from(member));
    call.write_row(removal, shown).await?;
    Ok(response::json(StatusCode::OK, &json!({"message": "member removed"})))
}
