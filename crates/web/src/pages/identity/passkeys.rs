//! The passkeys of the person.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::console::{AddedPasskey, PasskeyAdd, PasskeyRemove, PasskeyRename};
use tenantry_app::{Error, Requester};
use tenantry_core::ids::PasskeyId;
use tenantry_core::passkey::{CeremonyPurpose, Passkey};
use tenantry_core::values::PersonName;
use uuid::Uuid;

use super::{answer, begin, proved, proved_to, recovery_codes, relying_party, with_session};
use crate::respond::{self, redirect};
use crate::texts::Texts;
use crate::time::{Moment, moment};
use crate::view::{Page, Section, filled};
use crate::visitor::Visitor;
use crate::{Console, ROOT};

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[derive(Template)]
#[template(path = "person/passkeys.html")]
struct ListPage<'a> {
    t: &'static Texts,
    page: Page,
    /// Whether browsers have passkeys at this address.
    works_here: bool,
    any: bool,
    rows: Vec<Row>,
    recovery: String,
    error: &'a str,
}

struct Row {
    name: String,
    added: String,
    is_used: bool,
    used: Moment,
    actions: String,
    href: String,
}

/// The passkeys.
pub(crate) async fn list(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    match visitor.requester().await {
        Ok(by) => listed(&visitor, &by, StatusCode::OK, "").await,
        Err(response) => *response,
    }
}

async fn listed(visitor: &Visitor, by: &Requester, status: StatusCode, error: &str) -> Response {
    match list_page(visitor, by, error).await {
        Ok(page) => respond::page(status, &page),
        Err(error) => respond::error(visitor, &error),
    }
}

async fn list_page<'a>(visitor: &Visitor, by: &Requester, error: &'a str) -> Result<ListPage<'a>, Error> {
    let t = visitor.t;
    let app = &visitor.console.app;
    let row = |passkey: Passkey| Row {
        added: filled(t.passkeys.added, &moment(t, passkey.created_at, visitor.now).relative),
        is_used: passkey.last_used_at.is_some(),
        used: moment(t, passkey.last_used_at.unwrap_or(passkey.created_at), visitor.now),
        actions: filled(t.passkeys.actions, passkey.name.as_str()),
        href: format!("{ROOT}/passkeys/{}", passkey.id),
        name: passkey.name.to_string(),
    };
    let rows: Vec<Row> = app.passkeys(by).await?.into_iter().map(row).collect();
    let left = app.recovery_code_count(by).await?;
    Ok(ListPage {
        t,
        page: Page::of_person(visitor, by, Section::Passkeys, t.passkeys.title).await?,
        works_here: visitor.console.relying_party.is_some(),
        any: !rows.is_empty(),
        rows,
        recovery: filled(t.passkeys.recovery_left, &left.to_string()),
        error,
    })
}

/// A challenge for a new passkey.
pub(crate) async fn options(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    match visitor.requester().await {
        Ok(by) => begin(&visitor, by, CeremonyPurpose::Enrolment).await,
        Err(response) => *response,
    }
}

/// Adds a passkey, which is named after the browser until the person names it. Shows the recovery codes with the first.
pub(crate) async fn add(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let party = match relying_party(&visitor) {
        Ok(party) => party,
        Err(response) => return *response,
    };
    let browser = PersonName::parse(&visitor.browser().name).ok().flatten();
    let Some(name) = browser.or_else(|| PersonName::parse(visitor.t.sessions.unknown).ok().flatten()) else {
        return listed(&visitor, &by, REFUSED, visitor.t.passkeys.refused).await;
    };
    let add = PasskeyAdd { by: by.clone(), answer: answer(&visitor, party, &form), name };
    match visitor.console.app.write_as(&by, add).await {
        Ok(Some(AddedPasskey { session, recovery_codes })) if recovery_codes.is_empty() => {
            proved_to(&format!("{ROOT}/passkeys"), false, &session)
        }
        Ok(Some(AddedPasskey { session, recovery_codes })) => {
            match recovery_codes::shown(&visitor, &by, &recovery_codes).await {
                Ok(page) => with_session(page, &session),
                Err(error) => with_session(respond::error(&visitor, &error), &session),
            }
        }
        Ok(None) => listed(&visitor, &by, REFUSED, visitor.t.passkeys.refused).await,
        Err(error @ Error::LimitReached(_)) => listed(&visitor, &by, REFUSED, &error.to_string()).await,
        Err(error) => respond::error(&visitor, &error),
    }
}

/// The id of a path.
fn parsed(id: &str) -> Result<PasskeyId, Error> {
    id.parse::<Uuid>().map(PasskeyId::new).map_err(|_| Error::PasskeyNotFound)
}

/// The passkey of a path, and whether it is the person's last one.
async fn of_path(visitor: &Visitor, by: &Requester, id: &str) -> Result<(Passkey, bool), Error> {
    let id = parsed(id)?;
    let mine = visitor.console.app.passkeys(by).await?;
    let is_last = mine.len() == 1;
    let found = mine.into_iter().find(|passkey| passkey.id == id);
    Ok((found.ok_or(Error::PasskeyNotFound)?, is_last))
}

#[derive(Template)]
#[template(path = "person/passkey.html")]
struct OnePage<'a> {
    t: &'static Texts,
    page: Page,
    href: String,
    entered: &'a str,
    error: &'a str,
}

async fn one_page(
    visitor: &Visitor,
    by: &Requester,
    id: &str,
    status: StatusCode,
    entered: Option<(&str, &str)>,
) -> Response {
    let made = async {
        let (passkey, _) = of_path(visitor, by, id).await?;
        let page = Page::of_person(visitor, by, Section::Passkeys, passkey.name.as_str()).await?;
        let (entered, error) = entered.unwrap_or((passkey.name.as_str(), ""));
        let href = format!("{ROOT}/passkeys/{}", passkey.id);
        Ok(respond::page(status, &OnePage { t: visitor.t, page, href, entered, error }))
    };
    made.await.unwrap_or_else(|error| respond::error(visitor, &error))
}

/// The form for the name of a passkey.
pub(crate) async fn one(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    match visitor.requester().await {
        Ok(by) => one_page(&visitor, &by, &id, StatusCode::OK, None).await,
        Err(response) => *response,
    }
}

/// Gives a passkey another name.
pub(crate) async fn rename(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
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
        Ok(Some(name)) => name,
        Ok(None) => {
            let wrong = visitor.t.passkeys.name_missing;
            return one_page(&visitor, &by, &id, REFUSED, Some((entered, wrong))).await;
        }
        Err(invalid) => {
            let wrong = invalid.to_string();
            return one_page(&visitor, &by, &id, REFUSED, Some((entered, &wrong))).await;
        }
    };
    let renamed = match parsed(&id) {
        Ok(id) => visitor.console.app.write_as(&by, PasskeyRename { by: by.clone(), id, name }).await,
        Err(error) => Err(error),
    };
    match renamed {
        Ok(()) => redirect(&format!("{ROOT}/passkeys")),
        Err(error) => respond::error(&visitor, &error),
    }
}

#[derive(Template)]
#[template(path = "person/passkey_remove.html")]
struct RemovePage {
    t: &'static Texts,
    page: Page,
    href: String,
    is_last: bool,
}

/// Asks whether a passkey is to be removed.
pub(crate) async fn ask_remove(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    if let Err(response) = proved(&visitor, &by) {
        return *response;
    }
    let made = async {
        let t = visitor.t;
        let (passkey, is_last) = of_path(&visitor, &by, &id).await?;
        let title = filled(t.passkeys.remove_title, passkey.name.as_str());
        let page = Page::of_person(&visitor, &by, Section::Passkeys, &title).await?;
        let href = format!("{ROOT}/passkeys/{}", passkey.id);
        Ok(respond::page(StatusCode::OK, &RemovePage { t, page, href, is_last }))
    };
    made.await.unwrap_or_else(|error| respond::error(&visitor, &error))
}

/// Removes a passkey.
pub(crate) async fn remove(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    let by = match visitor.requester().await {
        Ok(by) => by,
        Err(response) => return *response,
    };
    let removed = match parsed(&id) {
        Ok(id) => visitor.console.app.write_as(&by, PasskeyRemove { by: by.clone(), id }).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => redirect(&format!("{ROOT}/passkeys")),
        Err(error) => respond::error(&visitor, &error),
    }
}
