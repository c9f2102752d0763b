//! The fresh proof of a person in a session.
//!
//! | what needs the proof | it comes to the proof by | and goes on after it by |
//! |---|---|---|
//! | a page | 303, its path in `next` | 303 to the page |
//! | a form | 307, which sends its fields along | 307, which sends them to the form's path |
//!
//! In between, every form of the proof keeps the interrupted form in one field, so a person does not enter it twice. Without
//! script this holds for a mailed code and for a recovery code.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Requester;
use tenantry_app::console::{
    PasskeyStepUp, RecoveryCodeStepUp, StepUpComplete, StepUpOutcome, StepUpRequest,
};
use tenantry_core::console::CODE_S;
use tenantry_core::passkey::CeremonyPurpose;

use super::{answer, begin, proved_to, relying_party};
use crate::respond::{self, redirect, with_cookie};
use crate::texts::Texts;
use crate::view::Gate;
use crate::visitor::{Form, KEPT, Visitor, next_page};
use crate::{Console, ROOT, cookies};

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[derive(Template)]
#[template(path = "gate/step_up.html")]
struct Ask<'a> {
    t: &'static Texts,
    gate: Gate,
    next: &'a str,
    /// The hidden fields of the form.
    hidden: Vec<(&'static str, &'a str)>,
    keeps_form: bool,
    error: &'a str,
    has_passkey: bool,
    /// Whether browsers have passkeys at this address.
    works_here: bool,
}

/// Asks for a proof. With a fresh one it leads on at once.
pub(crate) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let next = visitor.parameter("next");
    let next = next_page(&next);
    // A session by code sees more after a proof by a passkey, even if it is fresh.
    let would_show_more = by.hidden_organizations() > 0 && by.has_passkey();
    if by.check_proof(visitor.now).is_ok() && !would_show_more {
        return redirect(next);
    }
    ask_again(&visitor, &by, StatusCode::OK, Way { next, kept: None }, "")
}

/// Asks for a proof, and keeps the form that needs it.
pub(crate) async fn keep(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form.to_text(),
        Err(response) => return *response,
    };
    let next = visitor.parameter("next");
    ask_again(&visitor, &by, StatusCode::OK, Way { next: next_page(&next), kept: Some(&form) }, "")
}

/// The page to which a proof leads, and the form that it sends there.
#[derive(Clone, Copy)]
struct Way<'a> {
    next: &'a str,
    kept: Option<&'a str>,
}

impl<'a> Way<'a> {
    /// The way that a form of the proof names.
    fn of(form: &'a Form) -> Self {
        Self { next: next_page(form.text("next")), kept: form.kept() }
    }

    /// The fields that name the way in a form of the proof.
    fn hidden(self) -> Vec<(&'static str, &'a str)> {
        [("next", self.next)].into_iter().chain(self.kept.map(|kept| (KEPT, kept))).collect()
    }
}

fn ask_again(visitor: &Visitor, by: &Requester, status: StatusCode, way: Way<'_>, error: &str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.step_up.title, "");
    let has_passkey = by.has_passkey();
    let works_here = visitor.console.relying_party.is_some();
    let (next, hidden, keeps_form) = (way.next, way.hidden(), way.kept.is_some());
    respond::page(status, &Ask { t, gate, next, hidden, keeps_form, error, has_passkey, works_here })
}

/// A challenge for a passkey of the person.
pub(crate) async fn options(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    match visitor.requester().await {
        Ok(by) => begin(&visitor, by, CeremonyPurpose::StepUp).await,
        Err(response) => *response,
    }
}

/// Notes the proof if the answer of the passkey is right.
pub(crate) async fn by_passkey(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, by, form) = match sender(console, request).await {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    let party = match relying_party(&visitor) {
        Ok(party) => party,
        Err(response) => return *response,
    };
    let step_up = PasskeyStepUp { by: by.clone(), answer: answer(&visitor, party, &form) };
    let way = Way::of(&form);
    match visitor.console.app.write_as(&by, step_up).await {
        Ok(Some(secret)) => proved_to(way.next, way.kept.is_some(), &secret),
        Ok(None) => ask_again(&visitor, &by, REFUSED, way, visitor.t.passkey_sign_in.refused),
        Err(error) => respond::error(&visitor, &error),
    }
}

/// The person in the session, and the form that they sent.
async fn sender(
    console: Arc<Console>,
    request: Request,
) -> Result<(Visitor, Requester, Form), Box<Response>> {
    let (visitor, body) = Visitor::of(console, request);
    let by = visitor.requester().await?;
    let form = visitor.sent_form(body).await?;
    Ok((visitor, by, form))
}

/// Mails a code to the person.
pub(crate) async fn send(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, by, form) = match sender(console, request).await {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let (language, hash_key) = (visitor.language(), app.hash_key().clone());
    let send = StepUpRequest { by: by.clone(), language, hash_key };
    match app.write_as(&by, send).await {
        Ok(secret) => {
            let way = Way::of(&form);
            let cookie = cookies::set(cookies::SIGN_IN, secret.expose(), CODE_S);
            let response = match way.kept {
                Some(_) => code_again(&visitor, StatusCode::OK, way, ""),
                None => redirect(&format!("{ROOT}/step-up/code?next={}", way.next)),
            };
            with_cookie(response, &cookie)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}

#[derive(Template)]
#[template(path = "gate/step_up_code.html")]
struct Code<'a> {
    t: &'static Texts,
    gate: Gate,
    next: &'a str,
    hidden: Vec<(&'static str, &'a str)>,
    keeps_form: bool,
    error: &'a str,
}

fn code_again(visitor: &Visitor, status: StatusCode, way: Way<'_>, error: &str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.step_up.enter, visitor.code_note());
    let (next, hidden, keeps_form) = (way.next, way.hidden(), way.kept.is_some());
    respond::page(status, &Code { t, gate, next, hidden, keeps_form, error })
}

/// The form for the code.
pub(crate) async fn code(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    if let Err(response) = visitor.requester().await {
        return *response;
    }
    let next = visitor.parameter("next");
    code_again(&visitor, StatusCode::OK, Way { next: next_page(&next), kept: None }, "")
}

/// Notes the proof if the code is right.
pub(crate) async fn enter(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, by, form) = match sender(console, request).await {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let complete = StepUpComplete {
        by: by.clone(),
        secret: visitor.cookie(cookies::SIGN_IN).unwrap_or_default().to_owned(),
        code: form.text("code").to_owned(),
        hash_key: app.hash_key().clone(),
    };
    let way = Way::of(&form);
    match app.write_as(&by, complete).await {
        Ok(StepUpOutcome::Proved(secret)) => proved_to(way.next, way.kept.is_some(), &secret),
        Ok(StepUpOutcome::Wrong) => code_again(&visitor, REFUSED, way, visitor.t.code.wrong),
        Ok(StepUpOutcome::Over) => code_again(&visitor, REFUSED, way, visitor.t.code.over),
        Err(error) => respond::error(&visitor, &error),
    }
}

#[derive(Template)]
#[template(path = "gate/step_up_recovery_code.html")]
struct RecoveryCode<'a> {
    t: &'static Texts,
    gate: Gate,
    next: &'a str,
    hidden: Vec<(&'static str, &'a str)>,
    keeps_form: bool,
    error: &'a str,
}

fn recovery_code_again(visitor: &Visitor, status: StatusCode, way: Way<'_>, error: &str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.recovery.title, "");
    let (next, hidden, keeps_form) = (way.next, way.hidden(), way.kept.is_some());
    respond::page(status, &RecoveryCode { t, gate, next, hidden, keeps_form, error })
}

/// The form for a recovery code.
pub(crate) async fn recovery_code(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    if let Err(response) = visitor.requester().await {
        return *response;
    }
    let next = visitor.parameter("next");
    recovery_code_again(&visitor, StatusCode::OK, Way { next: next_page(&next), kept: None }, "")
}

/// Notes the proof if the recovery code is right. A form without a code comes from the page before, and brings the form
/// that is kept.
pub(crate) async fn enter_recovery_code(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, by, form) = match sender(console, request).await {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    let way = Way::of(&form);
    if !form.has("code") {
        return recovery_code_again(&visitor, StatusCode::OK, way, "");
    }
    let app = &visitor.console.app;
    let (code, hash_key) = (form.text("code").to_owned(), app.hash_key().clone());
    match app.write_as(&by, RecoveryCodeStepUp { by: by.clone(), code, hash_key }).await {
        Ok(Some(secret)) => proved_to(way.next, way.kept.is_some(), &secret),
        Ok(None) => recovery_code_again(&visitor, REFUSED, way, visitor.t.recovery.wrong),
        Err(error) => respond::error(&visitor, &error),
    }
}
