//! The form for a new organization of another person.

use tenantry_app::operator::Create;
use tenantry_core::organization::{NewOrganization, OrganizationChange};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};

use super::{path_of, to_list};
use crate::ROOT;
use crate::screen::{Block, Fault, FormView, Part, Reading, Screen, refused};
use crate::view::{Call, Section};
use crate::visit::{Answer, Visit, done, status};

/// The form.
pub(super) async fn new(visit: &Visit) -> Answer {
    visit.by.check_operator()?;
    if let Some(way) = visit.proof_first() {
        return Ok(way);
    }
    show(visit, Vec::new()).await
}

async fn show(visit: &Visit, faults: Vec<Fault>) -> Answer {
    let (t, words) = (visit.t, &visit.t.operator);
    let back = to_list(t);
    let action = format!("{ROOT}/operator/new-organization");
    let form = FormView::new(action, words.create, back.href.clone(), visit.form.clone(), faults.clone())
        .input("text", ("name", t.screens.name, ""), "autocomplete=off required maxlength=1000")
        .input(
            "text",
            ("slug", t.overview.slug, t.new_organization.slug_hint),
            "class=mono autocomplete=off spellcheck=false required maxlength=64",
        )
        .input(
            "email",
            ("owner", words.owner_email, words.owner_hint),
            "autocomplete=off spellcheck=false required maxlength=254",
        );
    let screen = Screen {
        back: Some(back),
        title: words.create.to_owned(),
        lead: words.create_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let command = Call::command(&[
        "tenantry",
        "organization",
        "create",
        "--name",
        "Acme GmbH",
        "--slug",
        "acme",
        "--owner-email",
        "jane@acme.example",
    ]);
    let page = visit.page(Section::AllOrganizations, words.create).await?.with(command);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Creates the organization.
pub(super) async fn create(visit: &Visit) -> Answer {
    visit.by.check_operator()?;
    let f = &visit.t.faults;
    let mut reading = Reading::new(&visit.form);
    let name = reading.field("name", OrganizationName::parse_new, f.organization_name);
    let slug = reading.field("slug", Slug::parse, f.slug);
    let owner = reading.field("owner", EmailAddress::parse, f.email);
    let (Some(name), Some(slug), Some(owner)) = (name, slug, owner) else {
        return show(visit, reading.faults).await;
    };
    let new = NewOrganization { name, slug, change: OrganizationChange::default() };
    match visit.write(Create { by: visit.by.clone(), owner, new }).await {
        Ok(made) => done(&path_of(&made.slug), "created"),
        Err(error) => show(visit, refused(visit.t, error)?).await,
    }
}
