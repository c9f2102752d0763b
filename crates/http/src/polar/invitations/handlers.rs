//! Handlers of the endpoints on invitations.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::invitations::{
    InvitationAccept, InvitationCreate, InvitationDecline, InvitationDetails, InvitationKey,
    InvitationResend, InvitationRevoke, IssuedInvitation,
};
use tenantry_core::ids::{InvitationId, OrganizationId};
use tenantry_store::{InvitationFilter, InvitationSortKey, StoredResponse};

use super::wire::{
    InvitationAcceptBody, InvitationCreateBody, InvitationIssuedView, InvitationLookupView,
    InvitationResendBody, InvitationTokenBody, InvitationView, StatusName, UserInvitationView,
};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::{PlainText, Uuid4};

fn row(input: &mut Input<'_>) -> Option<(OrganizationId, InvitationId)> {
    let id = input.path::<Uuid4>("id");
    let invitation = input.path::<Uuid4>("invitation_id");
    let (id, invitation) = id.zip(invitation)?;
    Some((OrganizationId::new(id.0), InvitationId::new(invitation.0)))
}

/// The rendering of an invitation that was made, or found, or sent again.
fn issued(
    call: &Call,
    made: StatusCode,
) -> impl Fn(&IssuedInvitation) -> Result<StoredResponse, Error> + Send + Sync + 'static {
    let (app, public_url) = (Arc::clone(&call.app), Arc::clone(&call.public_url));
    move |issued| {
        let status = if issued.is_new { made } else { StatusCode::OK };
        to_stored(status, &InvitationIssuedView::new(issued, app.now(), &public_url))
    }
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<InvitationCreateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let (new, send_email) = body.split();
    let create = InvitationCreate {
        by: call.requester(),
        organization: OrganizationId::new(id.0),
        new,
        send_email,
        hash_key: call.app.hash_key().clone(),
    };
    Ok(call.write_once(create, issued(&call, StatusCode::CREATED)).await?)
}

pub(super) async fn resend(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let row = row(&mut input);
    let body = input.body::<InvitationResendBody>();
    let ((organization, invitation), InvitationResendBody { send_email }) = input.finish(row.zip(body))?;
    let resend = InvitationResend {
        by: call.requester(),
        organization,
        invitation,
        send_email: send_email.unwrap_or(true),
        hash_key: call.app.hash_key().clone(),
    };
    Ok(call.write_once(resend, issued(&call, StatusCode::OK)).await?)
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, InvitationSortKey)] = &[
        ("created_at", InvitationSortKey::CreatedAt),
        ("email", InvitationSortKey::Email),
        ("expires_at", InvitationSortKey::ExpiresAt),
    ];
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let status = input.query::<StatusName>("status");
    let query = input.query::<PlainText>("query");
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let ((((id, status), query), page), order) =
        input.finish(id.zip(status).zip(query).zip(page).zip(order))?;
    let filter = InvitationFilter { status: status.map(|status| status.0), query };
    let organization = OrganizationId::new(id.0);
    let found = call.app.invitations(&call.requester(), organization, &filter, &order, page).await?;
    let now = call.app.now();
    Ok(page::response(&found, page, |details| InvitationView::new(details, now)))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let row = row(&mut input);
    let (organization, id) = input.finish(row)?;
    let details = call.app.invitation(&call.requester(), organization, id).await?;
    Ok(response::json(StatusCode::OK, &InvitationView::new(&details, call.app.now())))
}

pub(super) async fn revoke(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let row = row(&mut input);
    let (organization, invitation) = input.finish(row)?;
    let app = Arc::clone(&call.app);
    let shown = move |details: &InvitationDetails| response::body(&InvitationView::new(details, app.now()));
    let revoke = InvitationRevoke { by: call.requester(), organization, invitation };
    call.write_row(revoke, shown).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn lookup(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<InvitationTokenBody>();
    let InvitationTokenBody { token } = input.finish(body)?;
    let found = call.app.lookup_invitation(&token.0).await?;
    Ok(response::json(StatusCode::OK, &InvitationLookupView::from(&found)))
}

pub(super) async fn accept(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<InvitationAcceptBody>();
    let InvitationAcceptBody(key) = input.finish(body)?;
    let hash_key = call.app.hash_key().clone();
    let app = Arc::clone(&call.app);
    let accepted = move |details: &InvitationDetails| {
        to_stored(StatusCode::OK, &UserInvitationView::new(details, app.now()))
    };
    Ok(call.write_once(InvitationAccept { by: call.requester(), key, hash_key }, accepted).await?)
}

pub(super) async fn decline(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<InvitationTokenBody>();
    let InvitationTokenBody { token } = input.finish(body)?;
    // A stranger with a wrong token does not reach the writer.
    call.app.lookup_invitation(&token.0).await?;
    let (key, hash_key) = (InvitationKey::Secret(token.0), call.app.hash_key().clone());
    let declined = call.write(InvitationDecline { by: call.requester(), key, hash_key }).await?;
    Ok(response::json(StatusCode::OK, &InvitationLookupView::of(&declined, call.app.now())))
}

pub(super) async fn mine(call: Call) -> Result<Response, ErrorResponse> {
    let waiting = call.app.invitations_for(&call.requester()).await?;
    let now = call.app.now();
    Ok(page::single(&waiting, |details| UserInvitationView::new(details, now)))
}
