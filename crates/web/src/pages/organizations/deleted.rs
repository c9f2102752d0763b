//! The way back for a deleted organization.

use tenantry_app::Error;
use tenantry_app::organization_deletion::OrganizationUndelete;
use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::ROOT;
use crate::screen::{Block, Fault, FormView, Link, Note, Part, Reading, Screen, refused};
use crate::view::{Section, filled};
use crate::visit::{Answer, Visit, done, status};
use crate::visitor::Form;

/// The form for the id. The address of the page can have it.
pub(super) async fn ask(visit: &Visit) -> Answer {
    let id = visit.visitor.parameter("id");
    show(visit, Form::with(vec![("id", id)]), Vec::new()).await
}

async fn show(visit: &Visit, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words) = (visit.t, &visit.t.deleted);
    let back = Link { href: format!("{ROOT}/organizations"), label: t.my_organizations.title.to_owned() };
    let id = entered.text("id").to_owned();
    let mut parts = Vec::new();
    if id.parse::<Uuid>().is_ok() && faults.is_empty() {
        parts.push(Part::plain(Block::Note(Note {
            kind: "ok",
            icon: "check",
            title: words.just_now.to_owned(),
            text: filled(words.just_now_text, &id),
            acts: Vec::new(),
        })));
    }
    let action = format!("{ROOT}/deleted-organization");
    let form = FormView::new(action, words.submit, back.href.clone(), entered, faults.clone()).input(
        "text",
        ("id", t.overview.id, words.id_hint),
        "class=mono autocomplete=off spellcheck=false required maxlength=36",
    );
    parts.push(Part::plain(Block::Form(form)));
    let screen = Screen {
        back: Some(back),
        title: words.title.to_owned(),
        lead: words.lead.to_owned(),
        slim: true,
        parts,
        ..Screen::default()
    };
    let id = if id.parse::<Uuid>().is_ok() { id } else { "{id}".to_owned() };
    let call = visit.call("POST", format!("/v1/organizations/{id}/undelete"), "");
    let page = visit.page(Section::Organizations, words.title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Brings the organization back.
pub(super) async fn undelete(visit: &Visit) -> Answer {
    let mut reading = Reading::new(&visit.form);
    let id = reading.field("id", |text| text.parse::<Uuid>(), visit.t.faults.uuid);
    let Some(id) = id else { return show(visit, visit.form.clone(), reading.faults).await };
    let undelete = OrganizationUndelete { by: visit.by.clone(), id: OrganizationId::new(id) };
    let faults = match visit.write(undelete).await {
        Ok(back) => return done(&format!("{ROOT}/organizations/{}", back.slug), "restored"),
        Err(Error::OrganizationNotFound) => vec![Fault::new("id", visit.t.deleted.unknown)],
        Err(error) => refused(visit.t, error)?,
    };
    show(visit, visit.form.clone(), faults).await
}
