//! The list of entries with its filters, and the file with all that match.

use askama::Template;
use axum::http::StatusCode;
use serde_json::Value;
use tenantry_app::cursors::CursorScope;
use tenantry_app::{App, Error, Requester, TeamPermission, audit_log};
use tenantry_core::Timestamp;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_store::{AuditFilter, AuditRecord, Edge, Keyset};
use uuid::Uuid;

use super::{Row, rows};
use crate::pages::export::{self, Exported};
use crate::respond;
use crate::texts::Texts;
use crate::view::{Page, Pages, ROWS, Section};
use crate::visit::{Answer, Here};
use crate::visitor::Visitor;

/// The name of the list in cursors. It is that of the API: a cursor works in both.
const LIST: &str = "audit-log";
/// The actions that the list offers.
const ACTIONS: [&str; 35] = [
    "access_token.created",
    "access_token.deleted",
    "access_token.rotated",
    "access_token.updated",
    "audit_log.retention_updated",
    "customer.anonymized",
    "customer.created",
    "customer.deleted",
    "customer.restored",
    "customer.updated",
    "customer_import.stopped",
    "invitation.accepted",
    "invitation.created",
    "invitation.declined",
    "invitation.resent",
    "invitation.revoked",
    "member.created",
    "member.deleted",
    "member.restored",
    "member.updated",
    "organization.created",
    "organization.deleted",
    "organization.imported",
    "organization.passkey_rule_updated",
    "organization.suspended",
    "organization.undeleted",
    "organization.unsuspended",
    "organization.updated",
    "team_member.created",
    "team_member.deleted",
    "team_member.updated",
    "webhook_endpoint.created",
    "webhook_endpoint.deleted",
    "webhook_endpoint.rotated",
    "webhook_endpoint.updated",
];

#[derive(Template)]
#[template(path = "organization/audit_log.html")]
struct ListPage {
    t: &'static Texts,
    page: Page,
    list_href: String,
    /// The file with the entries that match the filters.
    export_href: String,
    actor: String,
    subject: String,
    actions: Vec<ActionOption>,
    date_from: String,
    date_to: String,
    entries: Vec<Row>,
    pages: Pages,
}

struct ActionOption {
    value: &'static str,
    label: &'static str,
    selected: bool,
}

impl Exported for AuditRecord {
    type Filter = AuditFilter;
    const PERMISSION: TeamPermission = audit_log::PERMISSION;
    const FILE: &'static str = "attachment; filename=\"audit-log.csv\"";
    const COLUMNS: &'static [&'static str] = Self::COLUMNS;

    async fn next(
        app: &App,
        by: &Requester,
        (organization, filter): (OrganizationId, &AuditFilter),
        after: Option<Uuid>,
    ) -> Result<Vec<Self>, Error> {
        app.audit_entries_after(by, organization, filter.clone(), after.map(AuditId::new)).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn cells(&self) -> Vec<String> {
        self.cells()
    }
}

/// Answers with the entries that match the filters as a file.
pub(super) async fn export(here: &Here) -> Answer {
    let filter = Asked::of(&here.visit.visitor).filter();
    export::export::<AuditRecord>(here, filter, &here.to("audit-log")).await
}

/// The filters that a request asks for, with the texts of the form. Text that is no value of a filter finds nothing.
struct Asked {
    actor: String,
    subject: String,
    action: String,
    from: String,
    to: String,
}

impl Asked {
    fn of(visitor: &Visitor) -> Self {
        let text = |name| visitor.parameter(name).trim().to_owned();
        Self {
            actor: text("actor"),
            subject: text("subject"),
            action: text("action"),
            from: text("from"),
            to: text("to"),
        }
    }

    fn filter(&self) -> AuditFilter {
        let id = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap_or(Uuid::nil()));
        AuditFilter {
            actor: id(&self.actor),
            subject: id(&self.subject),
            action: Some(self.action.clone()).filter(|action| !action.is_empty()),
            from: day(&self.from),
            // The last day is part of the range.
            before: day(&self.to).map(|at| at.plus_seconds(24 * 60 * 60)),
        }
    }

    /// The address of a page of the list with these filters.
    fn href(&self, list_href: &str, edge: Option<(&str, &str)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let Self { actor, subject, action, from, to } = self;
        let filters =
            [("actor", actor), ("subject", subject), ("action", action), ("from", from), ("to", to)];
        query.extend_pairs(filters.into_iter().filter(|(_, text)| !text.is_empty()));
        query.extend_pairs(edge);
        match query.finish() {
            none if none.is_empty() => list_href.to_owned(),
            query => format!("{list_href}?{query}"),
        }
    }
}

/// The beginning of a day in UTC, as a date field writes it.
fn day(text: &str) -> Option<Timestamp> {
    serde_json::from_value(Value::from(format!("{text}T00:00:00Z"))).ok()
}

/// The list of entries.
pub(super) async fn list(here: &Here) -> Answer {
    here.check(audit_log::PERMISSION)?;
    let (t, app, visitor) = (here.t, here.app(), &here.visit.visitor);
    let asked = Asked::of(visitor);
    let organization = here.organization.id;
    let of = CursorScope { organization, list: LIST };
    let position = |name| app.open_cursor(of, &visitor.parameter(name));
    let edge = match (position("after"), position("before")) {
        (Some(after), _) => Edge::After(after),
        (None, Some(before)) => Edge::Before(before),
        (None, None) => Edge::Newest,
    };
    let keyset = Keyset { edge, limit: usize::try_from(ROWS).unwrap_or(usize::MAX) };
    let found = app.audit_entries(&here.by, organization, &asked.filter(), keyset).await?;
    let page = here.page(Section::AuditLog, t.audit.title).await?;
    let page = page.with_call(visitor, format!("/v1/audit-log?organization_id={organization}"));
    let page =
        page.with_call(visitor, format!("/v1/audit-log/export?format=jsonl&organization_id={organization}"));
    let list_href = here.to("audit-log");
    let export_href = asked.href(&format!("{list_href}/export.csv"), None);
    let link = |name: &str, at: Option<Uuid>| -> Result<String, Error> {
        let Some(at) = at else { return Ok(String::new()) };
        Ok(asked.href(&list_href, Some((name, &app.cursor(of, at)?))))
    };
    let pages = Pages {
        text: String::new(),
        previous: link("before", found.newer)?,
        next: link("after", found.older)?,
    };
    let entries = rows(here, &list_href, &found.items).await?;
    let actions = actions(t, &asked.action);
    let Asked { actor, subject, from: date_from, to: date_to, .. } = asked;
    let list = ListPage {
        t,
        page,
        list_href,
        export_href,
        actor,
        subject,
        actions,
        date_from,
        date_to,
        entries,
        pages,
    };
    Ok(respond::page(StatusCode::OK, &list))
}

fn actions(t: &'static Texts, chosen: &str) -> Vec<ActionOption> {
    let any = ActionOption { value: "", label: t.audit.any_action, selected: chosen.is_empty() };
    let option = |value| ActionOption { value, label: value, selected: value == chosen };
    std::iter::once(any).chain(ACTIONS.into_iter().map(option)).collect()
}
