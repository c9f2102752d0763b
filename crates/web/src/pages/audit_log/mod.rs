//! The audit log of an organization: the list with its filters, one entry, and the history of one object.

mod entry;
mod list;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tenantry_app::{Error, audit_log};
use tenantry_store::{AuditFilter, AuditRecord, Edge, Keyset};
use uuid::Uuid;

use super::here;
use crate::Console;
use crate::screen::{Act, Block, Event, Part};
use crate::texts::AuditTexts;
use crate::time::{Moment, moment};
use crate::visit::{Here, page};

/// Entries of the history that a page of an object shows.
const HISTORY: usize = 10;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("audit-log"), get(page!(Here, list::list)))
        .route(&here("audit-log/export.csv"), get(page!(Here, list::export)))
        .route(
            &here("audit-log/retention"),
            get(page!(Here, retention::show)).post(page!(Here, retention::save)),
        )
        .route(&here("audit-log/{id}"), get(page!(Here, entry::show)))
}

/// An entry in a list.
struct Row {
    action: String,
    href: String,
    actor: String,
    /// The list of the actor's entries. Empty for an actor without an id.
    actor_href: String,
    subject: String,
    subject_href: String,
    address: String,
    at: Moment,
}

/// The rows of entries, with the names of people and tokens.
async fn rows(here: &Here, list_href: &str, entries: &[AuditRecord]) -> Result<Vec<Row>, Error> {
    let (t, now) = (here.t, here.visit.visitor.now);
    let actors: BTreeSet<Uuid> = entries.iter().filter_map(|entry| entry.actor).collect();
    let names = here.app().audit_actor_names(&here.by, here.organization.id, actors).await?;
    let of = |name: &str, id: Uuid| format!("{list_href}?{name}={id}");
    let row = |entry: &AuditRecord| Row {
        action: entry.action.clone(),
        href: format!("{list_href}/{}", entry.id),
        actor: actor_name(&t.audit, entry, &names),
        actor_href: entry.actor.map(|actor| of("actor", actor)).unwrap_or_default(),
        subject: subject_name(entry),
        subject_href: of("subject", entry.subject),
        address: entry.client_address.clone().unwrap_or_default(),
        at: moment(t, entry.at, now),
    };
    Ok(entries.iter().map(row).collect())
}

/// The name of an actor: of a person or token, if the organization knows it, else the kind.
fn actor_name(t: &AuditTexts, entry: &AuditRecord, names: &BTreeMap<Uuid, String>) -> String {
    // A token need not have a label.
    if let Some(name) = entry.actor.and_then(|actor| names.get(&actor)).filter(|name| !name.is_empty()) {
        return name.clone();
    }
    let kind = match entry.actor_kind.as_str() {
        "operator" => t.operator,
        "user" => t.user,
        "access_token" => t.access_token,
        "customer" => t.customer,
        "member" => t.member,
        _ => t.system,
    };
    kind.to_owned()
}

/// The name of the changed object in its image, else its id.
fn subject_name(entry: &AuditRecord) -> String {
    let images = [&entry.after, &entry.before];
    let mut images =
        images.into_iter().flatten().filter_map(|image| serde_json::from_str::<Value>(image).ok());
    let name = images.find_map(|image| {
        let text = |field: &str| image.get(field)?.as_str().map(str::to_owned);
        ["name", "label", "email", "url"].into_iter().find_map(text).filter(|name| !name.is_empty())
    });
    name.unwrap_or_else(|| entry.subject.to_string())
}

/// The newest changes of one object, for a person who may read the log.
pub(crate) async fn history(here: &Here, subject: Uuid) -> Result<Option<Part>, Error> {
    if here.check(audit_log::PERMISSION).is_err() {
        return Ok(None);
    }
    let t = &here.t.audit;
    let filter = AuditFilter { subject: Some(subject), ..AuditFilter::default() };
    let keyset = Keyset { edge: Edge::Newest, limit: HISTORY };
    let found = here.app().audit_entries(&here.by, here.organization.id, &filter, keyset).await?;
    let list_href = here.to("audit-log");
    let rows = rows(here, &list_href, &found.items).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let event = |Row { actor, action, href, at, .. }| Event { actor, action, href, at };
    let events = Block::Timeline(rows.into_iter().map(event).collect());
    let all = Act::to(format!("{list_href}?subject={subject}"), t.whole_history, "").quiet();
    Ok(Some(Part::titled(t.history, "", events).with(Some(all))))
}
