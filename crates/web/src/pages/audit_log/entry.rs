//! One entry of the audit log.

use std::collections::BTreeSet;

use askama::Template;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use tenantry_app::{Error, audit_log};
use tenantry_core::ids::AuditId;
use tenantry_store::AuditRecord;
use uuid::Uuid;

use super::actor_name;
use crate::respond;
use crate::texts::Texts;
use crate::time::moment;
use crate::view::{Page, Section, filled};
use crate::visit::{Answer, Here};
use crate::visitor::Visitor;

/// Characters of a value that the page shows.
const VALUE_CHARACTERS: usize = 400;

#[derive(Template)]
#[template(path = "organization/audit_entry.html")]
struct EntryPage {
    t: &'static Texts,
    page: Page,
    back: String,
    action: String,
    lead: String,
    changes: Vec<Change>,
    facts: Vec<Fact>,
}

struct Change {
    field: String,
    before: String,
    after: String,
}

struct Fact {
    label: &'static str,
    value: String,
    is_id: bool,
}

/// One entry.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(audit_log::PERMISSION)?;
    let (t, app, visitor) = (here.t, here.app(), &here.visit.visitor);
    let id = AuditId::new(here.visit.in_path("id").parse().map_err(|_| Error::AuditEntryNotFound)?);
    // The requester is restricted to the organization, so that another one's entry is unknown.
    let entry = app.audit_entry(&here.by, id).await?;
    let page = here.page(Section::AuditLog, &entry.action).await?;
    let page = page.with_call(visitor, format!("/v1/audit-log/{id}"));
    let back = here.to("audit-log");
    let actors = entry.actor.into_iter().collect();
    let names = app.audit_actor_names(&here.by, here.organization.id, actors).await?;
    let name = actor_name(&t.audit, &entry, &names);
    let mut letters = name.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let lead = filled(t.audit.entry_lead, &capital);
    let facts = facts(visitor, &entry, name);
    let (action, changes) = (entry.action.clone(), changes(&entry));
    Ok(respond::page(StatusCode::OK, &EntryPage { t, page, back, action, lead, changes, facts }))
}

fn facts(visitor: &Visitor, entry: &AuditRecord, actor: String) -> Vec<Fact> {
    let t = &visitor.t.audit;
    let text = |label, value: Option<String>| value.map(|value| Fact { label, value, is_id: false });
    let id = |label, id: Option<Uuid>| id.map(|id| Fact { label, value: id.to_string(), is_id: true });
    let facts = [
        text(t.when, Some(moment(visitor.t, entry.at, visitor.now).exact)),
        text(t.actor, Some(actor)),
        id(t.actor, entry.actor),
        id(t.subject, Some(entry.subject)),
        id(t.credential, entry.credential),
        text(t.address, entry.client_address.clone()),
        text(t.agent, entry.user_agent.clone()),
        text(t.request, entry.request_id.clone()),
        id(t.entry, Some(entry.id.uuid())),
    ];
    facts.into_iter().flatten().collect()
}

/// The fields of both images, side by side.
fn changes(entry: &AuditRecord) -> Vec<Change> {
    let image = |image: &Option<String>| -> Map<String, Value> {
        image.as_deref().and_then(|image| serde_json::from_str(image).ok()).unwrap_or_default()
    };
    let (before, after) = (image(&entry.before), image(&entry.after));
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |field: &String| Change {
        field: field.clone(),
        before: shown(before.get(field)),
        after: shown(after.get(field)),
    };
    fields.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

/// A value as text. Nothing for null and for no value.
fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    if text.chars().nth(VALUE_CHARACTERS).is_none() {
        return text;
    }
    text.chars().take(VALUE_CHARACTERS).chain(['…']).collect()
}
