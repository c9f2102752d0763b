//! Handlers of the endpoints on teams.

use super::wire::{
    OrganizationMemberAdd, OrganizationMemberInvite, OrganizationMemberUpdate, OrganizationMemberView,
    OrganizationTransfer, ROLES, TransferOfferView,
};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::{AnyUuid, Uuid4};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::ownership::{OwnershipAccept, OwnershipOffer, OwnershipOfferEnd};
use tenantry_app::team::{
    InvitedMember, TeamMemberInvite, TeamMemberLeave, TeamMemberRemove, TeamMemberSetRole,
};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{NewTeamMember, TeamMember, TeamRole};

fn organization(call: &Call) -> Result<OrganizationId, ErrorResponse> {
    let mut input = Input::new(call);
    let id = input.path::<Uuid4>("id");
    Ok(OrganizationId::new(input.finish(id)?.0))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let people = call.app.team_oldest_first(&call.requester(), organization(&call)?).await?;
    Ok(page::single(&people, OrganizationMemberView::new))
}

pub(super) async fn roles(call: Call) -> Result<Response, ErrorResponse> {
    call.app.organization(&call.requester(), organization(&call)?).await?;
    Ok(response::json(StatusCode::OK, &ROLES))
}

async fn join(
    call: &Call,
    organization: OrganizationId,
    new: NewTeamMember,
) -> Result<Response, ErrorResponse> {
    let invite = TeamMemberInvite { by: call.requester(), organization, new };
    let joined = |invited: &InvitedMember| {
        let InvitedMember { member, is_new } = invited;
        let status = if *is_new { StatusCode::CREATED } else { StatusCode::OK };
        to_stored(status, &OrganizationMemberView::new(member))
    };
    Ok(call.write_once(invite, joined).await?)
}

pub(super) async fn invite(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationMemberInvite>();
    let (id, OrganizationMemberInvite { email }) = input.finish(id.zip(body))?;
    let new = NewTeamMember { email: email.0, name: None, role: TeamRole::Developer };
    join(&call, OrganizationId::new(id.0), new).await
}

pub(super) async fn add(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationMemberAdd>();
    let (id, OrganizationMemberAdd { email, name, role }) = input.finish(id.zip(body))?;
    let role = role.map_or(TeamRole::Developer, |role| role.0.to);
    let new = NewTeamMember { email: email.0, name: name.and_then(|name| name.0), role };
    join(&call, OrganizationId::new(id.0), new).await
}

fn shown(member: &TeamMember) -> Result<Vec<u8>, Error> {
    response::body(&OrganizationMemberView::new(member))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let user = input.path::<AnyUuid>("user_id");
    let (id, user) = input.finish(id.zip(user))?;
    let (organization, user) = (OrganizationId::new(id.0), UserId::new(user.0));
    let member = call.app.team_member(&call.requester(), organization, user).await?;
    Ok(response::json(StatusCode::OK, &OrganizationMemberView::new(&member)))
}

pub(super) async fn set_role(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let user = input.path::<AnyUuid>("user_id");
    let body = input.body::<OrganizationMemberUpdate>();
    let ((id, user), OrganizationMemberUpdate { role }) = input.finish(id.zip(user).zip(body))?;
    let (organization, user) = (OrganizationId::new(id.0), UserId::new(user.0));
    let operation = TeamMemberSetRole { by: call.requester(), organization, user, change: role.0 };
    let member = call.write_row(operation, shown).await?;
    Ok(response::json(StatusCode::OK, &OrganizationMemberView::new(&member)))
}

pub(super) async fn remove(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let user = input.path::<AnyUuid>("user_id");
    let (id, user) = input.finish(id.zip(user))?;
    let (organization, user) = (OrganizationId::new(id.0), UserId::new(user.0));
    let removal = TeamMemberRemove { by: call.requester(), organization, user, may_leave: true };
    call.write_row(removal, shown).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn leave(call: Call) -> Result<Response, ErrorResponse> {
    let organization = organization(&call)?;
    call.write(TeamMemberLeave { by: call.requester(), organization }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn transfer(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationTransfer>();
    let (id, OrganizationTransfer { user_id }) = input.finish(id.zip(body))?;
    let offer = OwnershipOffer {
        by: call.requester(),
        organization: OrganizationId::new(id.0),
        to: UserId::new(user_id.0),
    };
    let offered = |offered: &TeamMember| to_stored(StatusCode::ACCEPTED, &TransferOfferView::new(offered));
    Ok(call.write_once(offer, offered).await?)
}

pub(super) async fn get_transfer(call: Call) -> Result<Response, ErrorResponse> {
    let offered = call.app.ownership_offer(&call.requester(), organization(&call)?).await?;
    Ok(response::json(StatusCode::OK, &TransferOfferView::new(&offered)))
}

pub(super) async fn accept_transfer(call: Call) -> Result<Response, ErrorResponse> {
    let accept = OwnershipAccept { by: call.requester(), organization: organization(&call)? };
    let accepted = |owner: &TeamMember| to_stored(StatusCode::OK, &OrganizationMemberView::new(owner));
    Ok(call.write_once(accept, accepted).await?)
}

pub(super) async fn end_transfer(call: Call) -> Result<Response, ErrorResponse> {
    call.write(OwnershipOfferEnd { by: call.requester(), organization: organization(&call)? }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
