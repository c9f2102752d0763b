//! The sessions of the person.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_app::Requester;
use tenantry_app::console::ConsoleSessionEnd;
use tenantry_core::audit::Actor;
use tenantry_core::console::ConsoleSession;
use tenantry_core::ids::UserTokenId;

use crate::respond::redirect;
use crate::screen::{Act, Block, Part, Row, Screen};
use crate::time::moment;
use crate::view::Section;
use crate::visit::{Answer, Visit, page};
use crate::{Console, ROOT};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/sessions", get(page!(Visit, list)))
        .route("/console/sessions/end-others", post(page!(Visit, end_others)))
        .route("/console/sessions/{id}/end", post(page!(Visit, end)))
}

/// The session of the request.
const fn current(by: &Requester) -> Option<UserTokenId> {
    match by.actor() {
        Actor::User(_, session) => Some(session),
        _ => None,
    }
}

/// The sessions that have not ended.
async fn list(visit: &Visit) -> Answer {
    let (t, now) = (visit.t, visit.visitor.now);
    let sessions = visit.app().console_sessions(&visit.by).await?;
    let mut acts = Vec::new();
    if sessions.len() > 1 {
        acts.push(Act::now(format!("{ROOT}/sessions/end-others"), t.sessions.end_others, "").quiet());
    }
    let row = |session: ConsoleSession| {
        let is_current = current(&visit.by) == Some(session.id);
        let used = if is_current { now } else { session.last_used_at.unwrap_or(session.created_at) };
        let name = session.browser.name;
        let end = Act::now(format!("{ROOT}/sessions/{}/end", session.id), t.sessions.end, "").quiet();
        Row {
            icon: "screen",
            tag: if is_current { t.sessions.this.to_owned() } else { String::new() },
            small: session.browser.address.unwrap_or_default(),
            time: Some(moment(t, used, now)),
            acts: if is_current { Vec::new() } else { vec![end] },
            ..Row::new(if name.is_empty() { t.sessions.unknown } else { &name })
        }
    };
    let screen = Screen {
        title: t.sessions.title.to_owned(),
        lead: t.sessions.lead.to_owned(),
        acts,
        parts: vec![Part::plain(Block::Rows(sessions.into_iter().map(row).collect()))],
        slim: true,
        ..Screen::default()
    };
    Ok(screen.show(t, visit.page(Section::Sessions, t.sessions.title).await?))
}

/// Ends a session of the person.
async fn end(visit: &Visit) -> Answer {
    let session = Some(UserTokenId::new(visit.id("id")?));
    visit.write(ConsoleSessionEnd { by: visit.by.clone(), session }).await?;
    Ok(redirect(&format!("{ROOT}/sessions")))
}

/// Ends all sessions of the person but the one of the request.
async fn end_others(visit: &Visit) -> Answer {
    let others = visit.app().console_sessions(&visit.by).await?.into_iter().map(|session| session.id);
    for id in others.filter(|id| current(&visit.by) != Some(*id)) {
        visit.write(ConsoleSessionEnd { by: visit.by.clone(), session: Some(id) }).await?;
    }
    Ok(redirect(&format!("{ROOT}/sessions")))
}
