//! The page of an invitation's link. The secret is in the fragment of the address, which browsers send to nobody: the
//! script puts it into the form, and without script the person pastes it.
//!
//! Looking uses nothing up, so programs that open links do no harm. A person who is not signed in signs in first, and
//! then finds the invitation among those that wait.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::invitations::{InvitationAccept, InvitationDecline, InvitationKey, InvitationLookup};
use tenantry_app::{Error, Requester};
use tenantry_core::invitation::{InvitationError, InvitationStatus};

use crate::respond;
use crate::texts::Texts;
use crate::time::{Moment, moment};
use crate::view::{Gate, filled, initials, role_name};
use crate::visit::{Answer, Visit, done};
use crate::visitor::Visitor;
use crate::{Console, ROOT};

#[derive(Template)]
#[template(path = "gate/invitation_link.html")]
struct Ask {
    t: &'static Texts,
    gate: Gate,
    token: String,
    error: &'static str,
}

/// The form for the secret.
pub(super) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    ask_again(&visitor, StatusCode::OK, "", "")
}

fn ask_again(visitor: &Visitor, status: StatusCode, token: &str, error: &'static str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.invitations.gate, "");
    respond::page(status, &Ask { t, gate, token: token.to_owned(), error })
}

#[derive(Template)]
#[template(path = "gate/invitation.html")]
struct Invitation {
    t: &'static Texts,
    gate: Gate,
    token: String,
    initial: String,
    title: String,
    text: String,
    /// The invited address, in part.
    address: String,
    is_pending: bool,
    /// The address of the person who is signed in; empty without a session.
    signed_in: String,
    /// Whether that may be the invited address.
    is_mine: bool,
    expires: Moment,
}

/// Shows the invitation of the secret.
pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let token = form.text("token");
    match visitor.console.app.lookup_invitation(token).await {
        Ok(found) => match signed_in(&visitor).await {
            Ok(email) => invitation(&visitor, token, &found, email),
            Err(error) => respond::error(&visitor, &error),
        },
        Err(Error::Invitation(InvitationError::NotFound)) => {
            ask_again(&visitor, StatusCode::UNPROCESSABLE_ENTITY, token, visitor.t.invitations.unknown)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}

/// The address of the person who is signed in, and what the lookup of an invitation would show of it.
async fn signed_in(visitor: &Visitor) -> Result<Option<(String, String)>, Error> {
    let Ok(by) = visitor.requester().await else { return Ok(None) };
    let Some(user) = by.user() else { return Ok(None) };
    let person = visitor.console.app.person(user).await?;
    Ok(Some((person.email.to_string(), person.email.masked())))
}

fn invitation(
    visitor: &Visitor,
    token: &str,
    found: &InvitationLookup,
    person: Option<(String, String)>,
) -> Response {
    let (t, words) = (visitor.t, &visitor.t.invitations);
    let inviter = found.inviter_name.as_deref().unwrap_or(&found.organization_name);
    let role = role_name(t, found.role);
    let joined = filled(words.gate_title, &found.organization_name);
    let (title, text) = match found.status {
        InvitationStatus::Pending => (joined, filled(&filled(words.gate_lead, inviter), role)),
        InvitationStatus::Expired => {
            (words.gate_expired.to_owned(), filled(words.gate_expired_text, inviter))
        }
        InvitationStatus::Accepted => (words.gate_accepted.to_owned(), words.gate_accepted_text.to_owned()),
        InvitationStatus::Declined => {
            (words.gate_declined.to_owned(), filled(words.gate_expired_text, inviter))
        }
        InvitationStatus::Revoked => {
            (words.gate_revoked.to_owned(), filled(words.gate_expired_text, inviter))
        }
    };
    let is_mine = person.as_ref().is_some_and(|(_, masked)| *masked == found.masked_email);
    let page = Invitation {
        t,
        gate: Gate::new(&visitor.console, t, words.gate, ""),
        token: token.to_owned(),
        initial: initials(&found.organization_name).chars().take(1).collect(),
        title,
        text,
        address: found.masked_email.clone(),
        is_pending: found.status == InvitationStatus::Pending,
        signed_in: person.map(|(email, _)| email).unwrap_or_default(),
        is_mine,
        expires: moment(t, found.expires_at, visitor.now),
    };
    respond::page(StatusCode::OK, &page)
}

/// Accepts the invitation of the secret.
pub(super) async fn accept(visit: &Visit) -> Answer {
    let accept = InvitationAccept {
        by: visit.by.clone(),
        key: InvitationKey::Secret(visit.form.text("token").to_owned()),
        hash_key: visit.app().hash_key().clone(),
    };
    visit.write(accept).await?;
    done(&format!("{ROOT}/organizations"), "accepted")
}

/// Declines the invitation of the secret, with or without a session.
pub(super) async fn decline(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let decline = InvitationDecline {
        by: Requester::anonymous(Some(visitor.request_id.clone())),
        key: InvitationKey::Secret(form.text("token").to_owned()),
        hash_key: app.hash_key().clone(),
    };
    let (t, words) = (visitor.t, &visitor.t.invitations);
    match app.write(decline).await {
        Ok(_) => {
            let texts = (words.gate_declined, words.declined_thanks);
            respond::problem(&visitor.console, t, StatusCode::OK, texts, "")
        }
        Err(error) => respond::error(&visitor, &error),
    }
}
