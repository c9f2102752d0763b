//! Invitations: those of an organization, the gate of a link, and those that wait for the person.

mod gate;
mod invite;
mod list;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_core::ids::InvitationId;
use tenantry_core::invitation::{InvitationStatus, accept_url};
use tenantry_core::token::Secret;

use super::here;
use crate::Console;
use crate::screen::State;
use crate::texts::Texts;
use crate::visit::{Here, Visit, page};
use crate::visitor::Visitor;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("team/invitations"), get(page!(Here, list::list)))
        .route(&here("team/invite"), get(page!(Here, invite::new)).post(page!(Here, invite::create)))
        .route(&here("team/invitations/{id}/resend"), post(page!(Here, list::resend)))
        .route(&here("team/invitations/{id}/revoke"), post(page!(Here, list::revoke)))
        .route("/console/invitation", get(gate::ask).post(gate::show))
        .route("/console/invitation/accept", post(page!(Visit, gate::accept)))
        .route("/console/invitation/decline", post(gate::decline))
        .route("/console/invitations", get(page!(Visit, waiting::list)))
        .route("/console/invitations/{organization}/{id}/accept", post(page!(Visit, waiting::accept)))
        .route("/console/invitations/{organization}/{id}/decline", post(page!(Visit, waiting::decline)))
}

/// The link with which a person answers an invitation.
fn link(visitor: &Visitor, secret: &Secret) -> String {
    accept_url(&visitor.base(), secret.expose())
}

/// The invitation of the path.
fn id_of_path(here: &Here) -> Result<InvitationId, tenantry_app::Error> {
    Ok(InvitationId::new(here.visit.id("id")?))
}

fn state(t: &'static Texts, status: InvitationStatus) -> State {
    let words = &t.invitations;
    match status {
        InvitationStatus::Pending => State::new("warn", words.pending),
        InvitationStatus::Accepted => State::new("ok", words.accepted),
        InvitationStatus::Declined => State::new("bad", words.declined),
        InvitationStatus::Revoked => State::new("off", words.revoked),
        InvitationStatus::Expired => State::new("off", words.expired),
    }
}
