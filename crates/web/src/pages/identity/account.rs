//! The profile of the person, and the deletion of oneself.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::console::ProfileUpdate;
use tenantry_app::{Error, Requester};
use tenantry_core::user::{Language, UserError};
use tenantry_core::values::{EmailAddress, PersonName};

use super::proved;
use crate::respond::{self, redirect, with_cookie};
use crate::texts::Texts;
use crate::view::{Gate, LanguageLink, Page, Section, filled};
use crate::visitor::Visitor;
use crate::{Console, ROOT, cookies, guard};

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[derive(Template)]
#[template(path = "person/profile.html")]
struct ProfilePage {
    t: &'static Texts,
    page: Page,
    saved: bool,
    entered: String,
    name_error: String,
    languages: [LanguageLink; 2],
}

/// The profile.
pub(crate) async fn profile(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    match visitor.requester().await {
        Ok(by) => profile_page(&visitor, &by, StatusCode::OK, None).await,
        Err(response) => *response,
    }
}

async fn profile_page(
    visitor: &Visitor,
    by: &Requester,
    status: StatusCode,
    entered: Option<(String, String)>,
) -> Response {
    let made = async {
        let t = visitor.t;
        let user = visitor.console.app.person(by.user().ok_or(Error::CallerUnknown)?).await?;
        let stored = user.name.map(|name| name.to_string()).unwrap_or_default();
        let saved = entered.is_none() && visitor.parameter("after") == "save";
        let (entered, name_error) = entered.unwrap_or((stored, String::new()));
        let page = Page::of_person(visitor, by, Section::Profile, t.profile.title).await?;
        let languages = Gate::new(&visitor.console, t, "", "").languages;
        Ok(respond::page(status, &ProfilePage { t, page, saved, entered, name_error, languages }))
    };
    made.await.unwrap_or_else(|error| respond::error(visitor, &error))
}

/// Saves name and language.
pub(crate) async fn save(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let entered = form.text("name");
    let name = match PersonName::parse(entered) {
        Ok(name) => name,
        Err(invalid) => {
            let fields = Some((entered.to_owned(), invalid.to_string()));
            return profile_page(&visitor, &by, REFUSED, fields).await;
        }
    };
    let language = Language::from_tag(form.text("language"));
    let saved = visitor.console.app.write_as(&by, ProfileUpdate { by: by.clone(), name, language }).await;
    if let Err(error) = saved {
        return respond::error(&visitor, &error);
    }
    let response = redirect(&format!("{ROOT}/profile?after=save"));
    match language {
        Some(chosen) => {
            let cookie = cookies::set(cookies::LANGUAGE, chosen.as_str(), guard::LANGUAGE_S);
            with_cookie(response, &cookie)
        }
        None => response,
    }
}

#[derive(Template)]
#[template(path = "person/delete.html")]
struct DeletePage {
    t: &'static Texts,
    page: Page,
    /// The organizations that stand in the way, in words; empty when there are none.
    owns: String,
    confirm: String,
    entered: String,
    error: &'static str,
}

/// The entered values, and their faults.
#[derive(Default)]
struct Refusal {
    owns: String,
    entered: String,
    error: &'static str,
}

/// Asks whether the account is to be deleted.
pub(crate) async fn ask_delete(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    match proved(&visitor, &by) {
        Ok(()) => delete_page(&visitor, &by, StatusCode::OK, Refusal::default()).await,
        Err(response) => *response,
    }
}

async fn delete_page(visitor: &Visitor, by: &Requester, status: StatusCode, refusal: Refusal) -> Response {
    let made = async {
        let t = visitor.t;
        let page = Page::of_person(visitor, by, Section::Profile, t.self_deletion.title).await?;
        let confirm = filled(t.self_deletion.confirm, &page.person.email);
        let Refusal { owns, entered, error } = refusal;
        Ok(respond::page(status, &DeletePage { t, page, owns, confirm, entered, error }))
    };
    made.await.unwrap_or_else(|error| respond::error(visitor, &error))
}

/// Deletes the account of the person.
pub(crate) async fn delete(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let t = visitor.t;
    let entered = form.text("confirm").to_owned();
    let deleted = async {
        let app = &visitor.console.app;
        let user = app.person(by.user().ok_or(Error::CallerUnknown)?).await?;
        let is_theirs = EmailAddress::parse(&entered).is_ok_and(|address| address.key() == user.email.key());
        if is_theirs { app.delete_oneself(&by).await.map(|()| true) } else { Ok(false) }
    };
    match deleted.await {
        Ok(true) => {
            let texts = (t.self_deletion.deleted, t.self_deletion.deleted_text);
            let response = respond::problem(&visitor.console, t, StatusCode::OK, texts, "");
            with_cookie(response, &cookies::set(cookies::SESSION, "", 0))
        }
        Ok(false) => {
            let refusal = Refusal { entered, error: t.self_deletion.wrong, ..Refusal::default() };
            delete_page(&visitor, &by, REFUSED, refusal).await
        }
        Err(Error::User(UserError::OwnsOrganizations(owned))) => {
            let owns = filled(t.self_deletion.owns, &owned.join(", "));
            delete_page(&visitor, &by, REFUSED, Refusal { owns, entered, ..Refusal::default() }).await
        }
        Err(error) => respond::error(&visitor, &error),
    }
}
