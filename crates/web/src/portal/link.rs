//! The link of a session, which the organization's product made (`POST /v1/customer-sessions`).
//!
//! The link holds the secret of the session. Opening it changes nothing: the page has a form that hands the secret over,
//! and the answer is a cookie. A script sends the form at once, unless the browser is signed in as somebody else, and
//! takes the secret out of the address.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::portal_sessions::PortalVisit;

use super::overview;
use super::respond::{not_found, problem};
use super::view::Frame;
use super::visit::{Guest, Visit};
use crate::Console;
use crate::respond::page;
use crate::texts::Texts;
use crate::view::filled;
use crate::visit::Answer;
use crate::visitor::parameter;

/// The parameter of a link, and the field of the form.
const TOKEN: &str = "customer_session_token";

/// The first page: the overview, or the form of a link.
pub(super) async fn home(State(console): State<Arc<Console>>, request: Request) -> Response {
    match parameter(request.uri().query(), TOKEN) {
        Some(token) => match Visit::of(console, request).await {
            Ok(visit) => {
                let answer = open(&visit, &token).await;
                visit.respond(answer)
            }
            Err(response) => *response,
        },
        None => match Guest::of(console, request).await {
            Ok(guest) => overview::show(&guest),
            Err(response) => *response,
        },
    }
}

#[derive(Template)]
#[template(path = "portal/link.html")]
struct Link<'a> {
    t: &'static Texts,
    frame: Frame,
    token: &'a str,
    text: String,
    /// Whether the secret is entered by hand, or comes from the fragment of the address.
    asks: bool,
    /// Whether a script sends the form at once.
    at_once: bool,
    error: &'a str,
}

fn link<'a>(visit: &Visit, token: &'a str) -> Link<'a> {
    let text = filled(visit.t.portal.link_lead, visit.site.name());
    let frame = Frame::of_gate(&visit.visitor, Some(&visit.site), visit.t.portal.link_title, "");
    Link { t: visit.t, frame, token, text, asks: false, at_once: true, error: "" }
}

/// The form of a link.
async fn open(visit: &Visit, token: &str) -> Answer {
    let Some((_, next)) = visit.person(token).await? else { return Ok(over(visit)) };
    let link = link(visit, token);
    let link = match current(visit).await? {
        Some(now) if !is_same(&now, &next) => {
            let text = filled(visit.t.portal.link_other, &name_of(&now));
            Link { text, at_once: false, ..link }
        }
        _ => link,
    };
    Ok(page(StatusCode::OK, &link))
}

/// The person who is signed in.
async fn current(visit: &Visit) -> Result<Option<PortalVisit>, Error> {
    match visit.session() {
        Some(secret) => Ok(visit.person(secret).await?.map(|(_, known)| known)),
        None => Ok(None),
    }
}

fn is_same(one: &PortalVisit, other: &PortalVisit) -> bool {
    let who = |visit: &PortalVisit| (visit.caller.session.customer, visit.caller.session.member);
    who(one) == who(other)
}

fn name_of(visit: &PortalVisit) -> String {
    let caller = &visit.caller;
    let email = caller.member.as_ref().map(|member| &member.email).or_else(|| caller.customer.contact());
    email.map(ToString::to_string).unwrap_or_default()
}

fn over(visit: &Visit) -> Response {
    let words = &visit.t.portal;
    let text = filled(words.link_over_text, visit.site.name());
    let to = visit.site.to("sign-in");
    let on = (to.as_str(), visit.t.sign_in.title);
    problem(&visit.visitor, Some(&visit.site), StatusCode::UNPROCESSABLE_ENTITY, (words.link_over, &text), on)
}

/// The form for the secret in the fragment of an address.
pub(super) async fn ask(visit: &Visit) -> Answer {
    Ok(page(StatusCode::OK, &Link { asks: true, at_once: false, ..link(visit, "") }))
}

/// Gives the browser the session of a link.
pub(super) async fn take(visit: &Visit) -> Answer {
    let token = visit.form.text(TOKEN);
    match visit.person(token).await? {
        Some(_) => Ok(visit.site.signed_in(token)),
        None if token.is_empty() => Ok(not_found(&visit.visitor, &visit.site)),
        None => Ok(over(visit)),
    }
}
