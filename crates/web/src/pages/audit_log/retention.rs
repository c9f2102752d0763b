//! The days for which an organization keeps its audit log.

use serde_json::json;
use tenantry_app::audit_log::{AuditLogRetention, AuditLogRetentionSet, PERMISSION};

use crate::screen::{Block, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::view::{Section, filled};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// The form.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(PERMISSION)?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    let AuditLogRetention { days, .. } = stored(here).await?;
    let days = days.map(|days| days.to_string()).unwrap_or_default();
    show_again(here, Form::with(vec![("days", days)]), Vec::new()).await
}

async fn stored(here: &Here) -> Result<AuditLogRetention, tenantry_app::Error> {
    here.app().audit_log_retention(&here.by, here.organization.id).await
}

async fn show_again(here: &Here, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.audit);
    let hint = match here.app().audit_days() {
        Some(most) => filled(words.days_at_most, &most.to_string()),
        None => words.days_for_good.to_owned(),
    };
    let back = Link { href: here.to("audit-log"), label: words.title.to_owned() };
    let action = here.to("audit-log/retention");
    let form = FormView::new(action, t.screens.save, back.href.clone(), entered, faults.clone()).input(
        "text",
        ("days", words.days, &hint),
        "inputmode=numeric autocomplete=off maxlength=5",
    );
    let screen = Screen {
        back: Some(back),
        title: words.retention.to_owned(),
        lead: words.retention_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let path = format!("/v1/audit-log/retention?organization_id={}", here.organization.id);
    let call = here.call("PUT", path, &json!({"days": 365}).to_string());
    let page = here.page(Section::AuditLog, words.retention).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Sets the days, or clears the setting.
pub(super) async fn save(here: &Here) -> Answer {
    here.check(PERMISSION)?;
    let form = &here.visit.form;
    let bounds = here.app().audit_days_bounds();
    let wrong = filled(here.t.audit.days_wrong, &bounds.start().to_string());
    let wrong = filled(&wrong, &bounds.end().to_string());
    let in_bounds = |text: &str| text.parse().ok().and_then(|days| here.app().audit_days_of(days)).ok_or(());
    let mut reading = Reading::new(form);
    let days = reading.optional("days", in_bounds, &wrong);
    if reading.has_faults() {
        return show_again(here, form.clone(), reading.faults).await;
    }
    let (by, organization) = (here.by.clone(), here.organization.id);
    match here.write(AuditLogRetentionSet { by, organization, days }).await {
        Ok(()) => done(&here.to("audit-log/retention"), "saved"),
        Err(error) => show_again(here, form.clone(), refused(here.t, error)?).await,
    }
}
