//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::console::{ConsoleSessionEnd, NewSession, SignInComplete, SignInOutcome};
use tenantry_core::console::{CODE_S, SESSION_S};
use tenantry_core::values::EmailAddress;

use crate::respond::{self, redirect, with_cookie};
use crate::texts::Texts;
use crate::view::Gate;
use crate::visitor::{Visitor, next_page};
use crate::{Console, ROOT, cookies, guard};

/// The time for which a browser keeps its mark, in seconds: as long as browsers keep a cookie.
const BROWSER_S: i64 = 400 * 24 * 60 * 60;

#[derive(Template)]
#[template(path = "gate/sign_in.html")]
struct Ask<'a> {
    t: &'static Texts,
    gate: Gate,
    /// Whether browsers have passkeys at this address.
    passkeys: bool,
    /// The hidden fields of the form.
    hidden: [(&'static str, &'a str); 1],
    email: &'a str,
    error: &'a str,
}

/// The form for the address.
pub(crate) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let next = visitor.parameter("next");
    let t = visitor.t;
    let note = match visitor.parameter("after").as_str() {
        "sign-out" => t.sign_in.signed_out,
        _ if next.is_empty() => "",
        _ => t.sign_in.please,
    };
    ask_again(&visitor, StatusCode::OK, (next_page(&next), "", ""), note)
}

/// The form for the address with what was entered, what is wrong with it, and a note.
pub(super) fn ask_again(
    visitor: &Visitor,
    status: StatusCode,
    (next, email, error): (&str, &str, &str),
    note: &str,
) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.sign_in.title, note);
    let passkeys = visitor.console.relying_party.is_some();
    respond::page(status, &Ask { t, gate, passkeys, hidden: [("next", next)], email, error })
}

/// Mails a code, if a person has the address. The answer is the same if nobody has it.
pub(crate) async fn send(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let next = next_page(form.text("next"));
    let Ok(email) = EmailAddress::parse(form.text("email")) else {
        let fields = (next, form.text("email"), visitor.t.sign_in.invalid);
        return ask_again(&visitor, StatusCode::UNPROCESSABLE_ENTITY, fields, "");
    };
    match visitor.console.app.sign_in(email, visitor.language()).await {
        Ok(secret) => {
            let cookie = cookies::set(cookies::SIGN_IN, secret.expose(), CODE_S);
            with_cookie(redirect(&format!("{ROOT}/sign-in/code?next={next}")), &cookie)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}

#[derive(Template)]
#[template(path = "gate/code.html")]
struct Code<'a> {
    t: &'static Texts,
    gate: Gate,
    next: &'a str,
    error: &'a str,
}

/// The form for the code.
pub(crate) async fn code(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    if visitor.cookie(cookies::SIGN_IN).is_none() {
        return redirect(&format!("{ROOT}/sign-in"));
    }
    let next = visitor.parameter("next");
    code_again(&visitor, StatusCode::OK, next_page(&next), "")
}

fn code_again(visitor: &Visitor, status: StatusCode, next: &str, error: &str) -> Response {
    let t = visitor.t;
    respond::page(
        status,
        &Code { t, gate: Gate::new(&visitor.console, t, t.code.title, visitor.code_note()), next, error },
    )
}

/// Begins a session if the code is right.
pub(crate) async fn enter(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let complete =
        complete(&visitor, visitor.cookie(cookies::SIGN_IN).unwrap_or_default(), form.text("code"));
    let next = next_page(form.text("next"));
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    match visitor.console.app.write(complete).await {
        Ok(SignInOutcome::SignedIn(session)) => signed_in(&visitor, &session, next).await,
        Ok(SignInOutcome::Wrong) => code_again(&visitor, refused, next, visitor.t.code.wrong),
        Ok(SignInOutcome::Over) => code_again(&visitor, refused, next, visitor.t.code.over),
        Err(error) => respond::error(&visitor, &error),
    }
}

fn complete(visitor: &Visitor, secret: &str, code: &str) -> SignInComplete {
    SignInComplete {
        secret: secret.to_owned(),
        code: code.to_owned(),
        browser: visitor.browser(),
        language: visitor.language(),
        request_id: Some(visitor.request_id.clone()),
        hash_key: visitor.console.app.hash_key().clone(),
    }
}

#[derive(Template)]
#[template(path = "gate/recover.html")]
struct Recover<'a> {
    t: &'static Texts,
    gate: Gate,
    error: &'a str,
}

/// The form for the secret that the operator made.
pub(crate) async fn recover(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    recover_again(&visitor, StatusCode::OK, "")
}

fn recover_again(visitor: &Visitor, status: StatusCode, error: &str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.recover.title, "");
    respond::page(status, &Recover { t, gate, error })
}

/// Begins a session if the secret works.
pub(crate) async fn recovered(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    match visitor.console.app.write(complete(&visitor, form.text("token"), "")).await {
        Ok(SignInOutcome::SignedIn(session)) => signed_in(&visitor, &session, ROOT).await,
        Ok(SignInOutcome::Wrong | SignInOutcome::Over) => {
            recover_again(&visitor, StatusCode::UNPROCESSABLE_ENTITY, visitor.t.recover.over)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}

/// The response that begins a session, in the person's language. It ends the session that the browser had.
pub(crate) async fn signed_in(visitor: &Visitor, session: &NewSession, next: &str) -> Response {
    if let Err(error) = end_session(visitor).await {
        return respond::error(visitor, &error);
    }
    let NewSession { secret, language, mark } = session;
    let response = with_cookie(redirect(next), &cookies::set(cookies::SESSION, secret.expose(), SESSION_S));
    let language = cookies::set(cookies::LANGUAGE, language.as_str(), guard::LANGUAGE_S);
    let response = with_cookie(response, &language);
    let response = match mark {
        Some(mark) => with_cookie(response, &cookies::set(cookies::BROWSER, mark, BROWSER_S)),
        None => response,
    };
    with_cookie(response, &cookies::set(cookies::SIGN_IN, "", 0))
}

/// Ends the session, and the cookie in any case.
pub(crate) async fn out(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    if let Err(error) = end_session(&visitor).await {
        return respond::error(&visitor, &error);
    }
    let response = redirect(&format!("{ROOT}/sign-in?after=sign-out"));
    with_cookie(response, &cookies::set(cookies::SESSION, "", 0))
}

/// Ends the session of the request, if it has one.
async fn end_session(visitor: &Visitor) -> Result<(), tenantry_app::Error> {
    match visitor.requester().await {
        Ok(by) => visitor.console.app.write(ConsoleSessionEnd { by, session: None }).await,
        Err(_) => Ok(()),
    }
}
