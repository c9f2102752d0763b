//! The change of one's own address.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Requester;
use tenantry_app::console::{AddressChangeComplete, AddressChangeOutcome, AddressChangeRequest};
use tenantry_core::console::CODE_S;
use tenantry_core::values::EmailAddress;

use super::proved;
use crate::respond::{self, redirect, with_cookie};
use crate::texts::Texts;
use crate::view::{Page, Section};
use crate::visitor::Visitor;
use crate::{Console, ROOT, cookies};

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[derive(Template)]
#[template(path = "person/address.html")]
struct AddressPage<'a> {
    t: &'static Texts,
    page: Page,
    lead: &'static str,
    action: String,
    button: &'static str,
    /// Whether it asks for the code, not for the address.
    asks_code: bool,
    note: &'static str,
    email: &'a str,
    error: &'a str,
}

async fn address_page(
    visitor: &Visitor,
    by: &Requester,
    status: StatusCode,
    (asks_code, email, error): (bool, &str, &str),
) -> Response {
    let t = visitor.t.address_of_step(asks_code);
    match Page::of_person(visitor, by, Section::Profile, t.0).await {
        Ok(page) => {
            let action = format!("{ROOT}/profile/address{}", if asks_code { "/code" } else { "" });
            let (_, lead, button) = t;
            let note = if asks_code { visitor.code_note() } else { "" };
            let t = visitor.t;
            let page = AddressPage { t, page, lead, action, button, asks_code, note, email, error };
            respond::page(status, &page)
        }
        Err(error) => respond::error(visitor, &error),
    }
}

impl Texts {
    /// Title, lead and button of a step.
    const fn address_of_step(&self, asks_code: bool) -> (&'static str, &'static str, &'static str) {
        let t = &self.address;
        if asks_code { (t.code_title, t.code_lead, t.submit) } else { (t.title, t.lead, t.send) }
    }
}

/// The form for the new address.
pub(crate) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    step(console, request, false).await
}

/// The form for the code.
pub(crate) async fn code(State(console): State<Arc<Console>>, request: Request) -> Response {
    step(console, request, true).await
}

async fn step(console: Arc<Console>, request: Request, asks_code: bool) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    match proved(&visitor, &by) {
        Ok(()) => address_page(&visitor, &by, StatusCode::OK, (asks_code, "", "")).await,
        Err(response) => *response,
    }
}

/// Mails a code to the new address.
pub(crate) async fn send(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let Ok(email) = EmailAddress::parse(form.text("email")) else {
        let fields = (false, form.text("email"), visitor.t.sign_in.invalid);
        return address_page(&visitor, &by, REFUSED, fields).await;
    };
    let app = &visitor.console.app;
    let (language, hash_key) = (visitor.language(), app.hash_key().clone());
    let send = AddressChangeRequest { by: by.clone(), email, language, hash_key };
    match app.write_as(&by, send).await {
        Ok(secret) => {
            let cookie = cookies::set(cookies::SIGN_IN, secret.expose(), CODE_S);
            with_cookie(redirect(&format!("{ROOT}/profile/address/code")), &cookie)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}

/// Changes the address if the code is right.
pub(crate) async fn enter(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let complete = AddressChangeComplete {
        by: by.clone(),
        secret: visitor.cookie(cookies::SIGN_IN).unwrap_or_default().to_owned(),
        code: form.text("code").to_owned(),
        language: visitor.language(),
        hash_key: app.hash_key().clone(),
    };
    let t = visitor.t;
    match app.change_own_address(complete).await {
        Ok(AddressChangeOutcome::Changed) => {
            let response = redirect(&format!("{ROOT}/profile?after=save"));
            with_cookie(response, &cookies::set(cookies::SIGN_IN, "", 0))
        }
        Ok(AddressChangeOutcome::Wrong) => {
            address_page(&visitor, &by, REFUSED, (true, "", t.code.wrong)).await
        }
        Ok(AddressChangeOutcome::Over) => address_page(&visitor, &by, REFUSED, (true, "", t.code.over)).await,
        Err(error) => respond::error(&visitor, &error),
    }
}
