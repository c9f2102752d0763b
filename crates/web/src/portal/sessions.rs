//! The sessions of the person.

use axum::http::StatusCode;
use tenantry_app::portal_sessions::PortalSessionEnd;
use tenantry_core::ids::SessionId;
use tenantry_core::portal::CustomerSession;

use super::view::{Section, show as show_screen};
use super::visit::Guest;
use crate::respond::redirect;
use crate::screen::{Act, Block, Part, Row, Screen};
use crate::time::moment;
use crate::view::filled;
use crate::visit::{Answer, done};

/// The sessions that have not ended.
pub(super) async fn list(guest: &Guest) -> Answer {
    guest.need(guest.rights().sessions)?;
    let (t, words, now) = (guest.t, &guest.t.portal_pages, guest.visit.visitor.now);
    let row = |session: CustomerSession| {
        let is_current = session.id == guest.session().id;
        let act = match is_current {
            true => Act::now(guest.site().to("sign-out"), words.sign_out, ""),
            false => {
                Act::now(guest.site().to(&format!("sessions/{}/end", session.id)), words.session_end, "")
            }
        };
        let until = moment(t, session.expires_at, now).relative;
        Row {
            icon: "screen",
            tag: if is_current { words.session_this.to_owned() } else { String::new() },
            small: filled(t.customers.session_until, &until),
            time: Some(moment(t, session.created_at, now)),
            acts: vec![act.quiet()],
            ..Row::new(words.session)
        }
    };
    let sessions = guest.app().portal_sessions(&guest.by).await?;
    let screen = Screen {
        title: words.sessions.to_owned(),
        lead: words.sessions_lead.to_owned(),
        parts: vec![Part::plain(Block::Rows(sessions.into_iter().map(row).collect()))],
        ..Screen::default()
    };
    Ok(show_screen(screen, StatusCode::OK, t, guest.page(Section::Sessions, words.sessions)))
}

/// Ends a session of the person.
pub(super) async fn end(guest: &Guest) -> Answer {
    guest.need(guest.rights().sessions)?;
    let session = SessionId::new(guest.id()?);
    guest.write(PortalSessionEnd { by: guest.by.clone(), session: Some(session) }).await?;
    if session == guest.session().id {
        return Ok(redirect(&guest.site().to("sign-in?after=sign-out")));
    }
    done(&guest.site().to("sessions"), "ended")
}
