//! The change of a customer's address: the request, and the page of the mail's link.
//!
//! The secret of the mail is in the fragment of the address, which browsers send to nobody. Opening the link changes
//! nothing.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::email_updates::EmailUpdateRequest;
use tenantry_core::portal::PortalError;
use tenantry_core::values::EmailAddress;

use super::view::{Frame, Section, show as show_screen};
use super::visit::{Guest, Visit};
use crate::respond::{self, redirect};
use crate::screen::{Block, Fault, FormView, Note, Part, Reading, Screen, refused};
use crate::texts::Texts;
use crate::view::filled;
use crate::visit::{Answer, status};
use crate::visitor::Form;

/// The form for the new address.
pub(super) async fn ask(guest: &Guest) -> Answer {
    guest.need(guest.rights().email_change)?;
    Ok(show(guest, Form::default(), Vec::new()))
}

fn show(guest: &Guest, entered: Form, faults: Vec<Fault>) -> Response {
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let status = status(!faults.is_empty());
    let now = guest.known.caller.customer.email.as_ref().map(ToString::to_string).unwrap_or_default();
    let hint = filled(words.email_now, &now);
    let mut parts = Vec::new();
    if !guest.visit.visitor.parameter("sent").is_empty() {
        parts.push(Part::plain(Block::Note(Note {
            kind: "ok",
            icon: "mail",
            title: words.email_sent.to_owned(),
            text: words.email_sent_text.to_owned(),
            acts: Vec::new(),
        })));
    }
    let form = FormView::new(guest.site().to("email"), words.email_send, String::new(), entered, faults)
        .input(
            "email",
            ("email", words.email_new, &hint),
            "autocomplete=email inputmode=email required maxlength=254",
        );
    parts.push(Part::plain(Block::Form(form)));
    let screen = Screen {
        title: words.email.to_owned(),
        lead: words.email_lead.to_owned(),
        parts,
        ..Screen::default()
    };
    show_screen(screen, status, t, guest.page(Section::Email, words.email))
}

/// Mails the proof to the new address.
pub(super) async fn send(guest: &Guest) -> Answer {
    guest.need(guest.rights().email_change)?;
    let form = &guest.visit.form;
    let mut reading = Reading::new(form);
    let Some(email) = reading.field("email", EmailAddress::parse, guest.t.faults.email) else {
        return Ok(show(guest, form.clone(), reading.faults));
    };
    let hash_key = guest.app().hash_key().clone();
    match guest.write(EmailUpdateRequest { by: guest.by.clone(), email, hash_key }).await {
        Ok(()) => Ok(redirect(&guest.site().to("email?sent=1"))),
        Err(error) => Ok(show(guest, form.clone(), refused(guest.t, error)?)),
    }
}

#[derive(Template)]
#[template(path = "portal/email_update.html")]
struct Confirm<'a> {
    t: &'static Texts,
    frame: Frame,
    text: String,
    token: &'a str,
    error: &'a str,
}

fn confirm_again(visit: &Visit, status: StatusCode, token: &str, error: &str) -> Response {
    let (t, words) = (visit.t, &visit.t.portal_pages);
    let frame = Frame::of_gate(&visit.visitor, Some(&visit.site), words.email_confirm, "");
    let text = filled(words.email_confirm_text, visit.site.name());
    respond::page(status, &Confirm { t, frame, text, token, error })
}

/// The form for the secret of the mail.
pub(super) async fn confirm(visit: &Visit) -> Answer {
    Ok(confirm_again(visit, StatusCode::OK, "", ""))
}

/// Changes the address, and signs the person in.
pub(super) async fn confirmed(visit: &Visit) -> Answer {
    let (words, token) = (&visit.t.portal_pages, visit.form.text("token"));
    let by = (Some(visit.visitor.request_id.clone()), visit.visitor.client());
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let here = Some(visit.site.organization.id);
    match visit.app().email_update_verify(token.to_owned(), here, by).await {
        Ok(secret) => Ok(visit.signed_in(&secret)),
        Err(Error::Portal(PortalError::EmailUpdateInvalid)) => {
            Ok(confirm_again(visit, refused, token, words.email_over))
        }
        Err(Error::Portal(PortalError::EmailTaken)) => {
            Ok(confirm_again(visit, refused, token, words.email_taken))
        }
        Err(error) => Err(error),
    }
}
