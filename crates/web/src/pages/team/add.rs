//! The form that adds a person to the team.

use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::team::TeamMemberAdd;
use tenantry_core::team::NewTeamMember;
use tenantry_core::values::{EmailAddress, PersonName};

use super::{read_role, role_choices};
use crate::screen::{Block, Fault, FormView, Link, Note, Part, Reading, Screen, refused};
use crate::view::Section;
use crate::visit::{Answer, Here, done, status};

/// The form.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    show(here, Vec::new()).await
}

async fn show(here: &Here, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.people);
    let back = Link { href: here.to("team"), label: t.team.title.to_owned() };
    let entered = here.visit.form.clone();
    let form = FormView::new(here.to("team/add"), words.add, back.href.clone(), entered, faults.clone())
        .broad()
        .input("email", ("email", t.screens.email, ""), "autocomplete=off required maxlength=254")
        .input("text", ("name", t.screens.name, words.name_hint), "autocomplete=off maxlength=256")
        .radio(("role", t.team.role, ""), role_choices(t));
    let mut parts = Vec::new();
    if !here.visit.visitor.console.sends_mail {
        let (title, text) = (String::new(), t.ui.mail_in_log.to_owned());
        let note = Note { kind: "warn", icon: "mail", title, text, acts: Vec::new() };
        parts.push(Part::plain(Block::Note(note)));
    }
    parts.push(Part::plain(Block::Form(form)));
    let screen = Screen {
        back: Some(back),
        title: words.add.to_owned(),
        lead: words.add_lead.to_owned(),
        slim: true,
        parts,
        ..Screen::default()
    };
    let body = json!({"email": "jane@example.com", "name": "Jane Doe", "role": "member"}).to_string();
    let path = format!("/v1/organizations/{}/members", here.organization.id);
    let page = here.page(Section::Team, words.add).await?.with(here.call("POST", path, &body));
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Adds the person.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    let f = &here.t.faults;
    let mut reading = Reading::new(&here.visit.form);
    let email = reading.field("email", EmailAddress::parse, f.email);
    let name = reading.field("name", PersonName::parse, f.name);
    let role = reading.field("role", read_role, f.choice);
    let (Some(email), Some(name), Some(role)) = (email, name, role) else {
        return show(here, reading.faults).await;
    };
    let (by, organization) = (here.by.clone(), here.organization.id);
    let add = TeamMemberAdd { by, organization, new: NewTeamMember { email, name, role } };
    match here.write(add).await {
        Ok(_) => done(&here.to("team"), "created"),
        Err(error) => show(here, refused(here.t, error)?).await,
    }
}
