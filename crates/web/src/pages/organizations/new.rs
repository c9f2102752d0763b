//! The form for a new organization, whose owner the person becomes.

use serde_json::json;
use tenantry_app::Error;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_core::organization::{InitialState, NewOrganization, OrganizationChange};
use tenantry_core::values::{OrganizationName, Slug};

use crate::ROOT;
use crate::screen::{Block, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::view::Section;
use crate::visit::{Answer, Visit, done, status};

/// The form.
pub(super) async fn new(visit: &Visit) -> Answer {
    show(visit, Vec::new()).await
}

async fn show(visit: &Visit, faults: Vec<Fault>) -> Answer {
    let (t, words) = (visit.t, &visit.t.new_organization);
    let back = Link { href: format!("{ROOT}/organizations"), label: t.my_organizations.title.to_owned() };
    let action = format!("{ROOT}/new-organization");
    let form = FormView::new(action, words.create, back.href.clone(), visit.form.clone(), faults.clone())
        .input("text", ("name", t.screens.name, ""), "autocomplete=organization required maxlength=1000")
        .input(
            "text",
            ("slug", t.overview.slug, words.slug_hint),
            "class=mono autocomplete=off spellcheck=false required maxlength=64",
        );
    let screen = Screen {
        back: Some(back),
        title: words.title.to_owned(),
        lead: words.lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let body = json!({"name": "Acme GmbH", "slug": "acme"}).to_string();
    let call = visit.call("POST", "/v1/organizations".to_owned(), &body);
    let page = visit.page(Section::Organizations, words.title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Creates the organization.
pub(super) async fn create(visit: &Visit) -> Answer {
    let f = &visit.t.faults;
    let mut reading = Reading::new(&visit.form);
    let name = reading.field("name", OrganizationName::parse_new, f.organization_name);
    let slug = reading.field("slug", Slug::parse, f.slug);
    let (Some(name), Some(slug)) = (name, slug) else { return show(visit, reading.faults).await };
    let create = OrganizationCreate {
        by: visit.by.clone(),
        owner: OwnerRef::User(visit.by.user().ok_or(Error::CallerUnknown)?),
        new: NewOrganization { name, slug, change: OrganizationChange::default() },
        initial: InitialState::for_person(),
    };
    match visit.write(create).await {
        Ok(made) => done(&format!("{ROOT}/organizations/{}", made.slug), "created"),
        Err(error) => show(visit, refused(visit.t, error)?).await,
    }
}
