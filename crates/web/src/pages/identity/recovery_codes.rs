//! Recovery codes: signing in by one, and making new ones.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::console::{RecoveryCodeSignIn, RecoveryCodesCreate};
use tenantry_app::{Error, Requester};
use tenantry_core::token::Secret;

use crate::pages::sign_in::signed_in;
use crate::respond::{self, redirect};
use crate::texts::Texts;
use crate::view::{Gate, Page, Section};
use crate::visitor::{Visitor, next_page};
use crate::{Console, ROOT};

#[derive(Template)]
#[template(path = "gate/recovery_code.html")]
struct Ask<'a> {
    t: &'static Texts,
    gate: Gate,
    next: &'a str,
    error: &'a str,
}

/// The form for a recovery code.
pub(crate) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let next = visitor.parameter("next");
    ask_again(&visitor, StatusCode::OK, next_page(&next), "")
}

fn ask_again(visitor: &Visitor, status: StatusCode, next: &str, error: &str) -> Response {
    let t = visitor.t;
    let gate = Gate::new(&visitor.console, t, t.recovery.title, "");
    respond::page(status, &Ask { t, gate, next, error })
}

/// Begins a session if the code is right.
pub(crate) async fn sign_in(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let next = next_page(form.text("next"));
    let sign_in = RecoveryCodeSignIn {
        code: form.text("code").to_owned(),
        browser: visitor.browser(),
        language: visitor.language(),
        request_id: Some(visitor.request_id.clone()),
        hash_key: visitor.console.app.hash_key().clone(),
    };
    match visitor.console.app.write(sign_in).await {
        Ok(Some(session)) => signed_in(&visitor, &session, next).await,
        Ok(None) => ask_again(&visitor, StatusCode::UNPROCESSABLE_ENTITY, next, visitor.t.recovery.wrong),
        Err(error) => respond::error(&visitor, &error),
    }
}

#[derive(Template)]
#[template(path = "person/recovery_codes.html")]
struct CodesPage<'a> {
    t: &'static Texts,
    page: Page,
    codes: Vec<&'a str>,
    all: String,
}

/// The page that shows new codes. No other page ever does.
pub(super) async fn shown(visitor: &Visitor, by: &Requester, codes: &[Secret]) -> Result<Response, Error> {
    let t = visitor.t;
    let page = Page::of_person(visitor, by, Section::Passkeys, t.recovery_codes.title).await?;
    let codes: Vec<&str> = codes.iter().map(Secret::expose).collect();
    let all = codes.join("\n");
    Ok(respond::page(StatusCode::OK, &CodesPage { t, page, codes, all }))
}

/// Leads to the page of the passkeys, where the form stands.
pub(crate) async fn back() -> Response {
    redirect(&format!("{ROOT}/passkeys"))
}

/// Makes new recovery codes in place of those before.
pub(crate) async fn make(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let create = RecoveryCodesCreate { by: by.clone(), hash_key: app.hash_key().clone() };
    let made = match app.write_as(&by, create).await {
        Ok(codes) => shown(&visitor, &by, &codes).await,
        Err(error) => Err(error),
    };
    made.unwrap_or_else(|error| respond::error(&visitor, &error))
}
