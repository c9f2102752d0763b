//! One person of the team: another role, removal, and leaving by oneself.

use serde_json::json;
use tenantry_app::team::{TeamMemberLeave, TeamMemberRemove, TeamMemberSetRole};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::ids::UserId;
use tenantry_core::team::{RoleChange, TeamError, TeamMember, TeamRole};

use super::{name_of, read_role, role_choices};
use crate::ROOT;
use crate::pages::audit_log;
use crate::screen::{Block, Confirm, Danger, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::view::{Section, role_name};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// The membership of the path. The owner's is no subject of these pages.
async fn of_path(here: &Here) -> Result<TeamMember, Error> {
    here.check(TeamPermission::ManageTeam)?;
    let user = UserId::new(here.visit.id("user")?);
    let member = here.app().team_member(&here.by, here.organization.id, user).await?;
    if member.role == TeamRole::Owner { Err(TeamError::OwnerRoleFixed.into()) } else { Ok(member) }
}

fn path_of(here: &Here, member: &TeamMember) -> String {
    here.to(&format!("team/people/{}", member.user))
}

fn api_path(here: &Here, member: &TeamMember) -> String {
    format!("/v1/organizations/{}/members/{}", here.organization.id, member.user)
}

/// The page of a person.
pub(super) async fn show(here: &Here) -> Answer {
    let member = of_path(here).await?;
    let entered = Form::with(vec![("role", member.role.as_str().to_owned())]);
    show_again(here, &member, entered, Vec::new()).await
}

async fn show_again(here: &Here, member: &TeamMember, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words, path) = (here.t, &here.t.people, path_of(here, member));
    let form = FormView::new(path.clone(), words.change_role, String::new(), entered, faults.clone());
    let form = form.broad().radio(("role", t.team.role, ""), role_choices(t));
    let mut parts = vec![Part::titled(t.team.role, words.role_lead, Block::Form(form))];
    parts.extend(audit_log::history(here, member.user.uuid()).await?);
    if member.user != here.member.user {
        parts.push(Part::plain(Block::Dangers(vec![Danger {
            title: words.remove,
            text: words.remove_text.to_owned(),
            button: words.remove_button,
            href: format!("{path}/remove"),
        }])));
    }
    let screen = Screen {
        back: Some(Link { href: here.to("team"), label: t.team.title.to_owned() }),
        title: name_of(member),
        tag: role_name(t, member.role).to_owned(),
        lead: member.email.to_string(),
        slim: true,
        parts,
        ..Screen::default()
    };
    let call = here.call("PATCH", api_path(here, member), &json!({"role": "admin"}).to_string());
    let page = here.page(Section::Team, &name_of(member)).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Gives the person another role.
pub(super) async fn set_role(here: &Here) -> Answer {
    let (member, form) = (of_path(here).await?, &here.visit.form);
    let mut reading = Reading::new(form);
    let Some(to) = reading.field("role", read_role, here.t.faults.choice) else {
        return show_again(here, &member, form.clone(), reading.faults).await;
    };
    let set_role = TeamMemberSetRole {
        by: here.by.clone(),
        organization: here.organization.id,
        user: member.user,
        change: RoleChange { to, satisfied_by: &[] },
    };
    match here.write(set_role).await {
        Ok(_) => done(&here.to("team"), "saved"),
        Err(error) => show_again(here, &member, form.clone(), refused(here.t, error)?).await,
    }
}

fn removal(here: &Here, member: &TeamMember) -> Confirm {
    let (words, path) = (&here.t.people, path_of(here, member));
    Confirm {
        title: words.remove.to_owned(),
        lead: name_of(member),
        consequences: vec![("bad", words.remove_text), ("warn", words.tokens_stop), ("ok", words.may_return)],
        word: member.email.to_string(),
        action: format!("{path}/remove"),
        button: words.remove,
        back: Link { href: path, label: name_of(member) },
    }
}

async fn ask(here: &Here, confirm: Confirm, api_path: String, faults: Vec<Fault>) -> Answer {
    let page = here.page(Section::Team, &confirm.title).await?.with(here.call("DELETE", api_path, ""));
    let status = status(!faults.is_empty());
    Ok(confirm.screen(here.t, &here.visit.form, faults).show_as(status, here.t, page))
}

pub(super) async fn ask_remove(here: &Here) -> Answer {
    let member = of_path(here).await?;
    ask(here, removal(here, &member), api_path(here, &member), Vec::new()).await
}

/// Removes the person from the team.
pub(super) async fn remove(here: &Here) -> Answer {
    let member = of_path(here).await?;
    let (confirm, path) = (removal(here, &member), api_path(here, &member));
    if let Some(fault) = confirm.fault(here.t, &here.visit.form) {
        return ask(here, confirm, path, vec![fault]).await;
    }
    let (by, organization) = (here.by.clone(), here.organization.id);
    let remove = TeamMemberRemove { by, organization, user: member.user, may_leave: false };
    match here.write(remove).await {
        Ok(()) => done(&here.to("team"), "removed"),
        Err(error) => ask(here, confirm, path, refused(here.t, error)?).await,
    }
}

fn leaving(here: &Here) -> (Confirm, String) {
    let words = &here.t.people;
    let name = here.organization.name.to_string();
    let confirm = Confirm {
        title: words.leave.to_owned(),
        lead: name.clone(),
        consequences: vec![("bad", words.leave_text), ("warn", words.tokens_stop)],
        word: name.clone(),
        action: here.to("leave"),
        button: words.leave,
        back: Link { href: here.path.clone(), label: name },
    };
    (confirm, format!("/v1/organizations/{}/members/leave", here.organization.id))
}

pub(super) async fn ask_leave(here: &Here) -> Answer {
    let (confirm, path) = leaving(here);
    ask(here, confirm, path, Vec::new()).await
}

/// Removes the visitor from the team.
pub(super) async fn leave(here: &Here) -> Answer {
    let (confirm, path) = leaving(here);
    if let Some(fault) = confirm.fault(here.t, &here.visit.form) {
        return ask(here, confirm, path, vec![fault]).await;
    }
    let leave = TeamMemberLeave { by: here.by.clone(), organization: here.organization.id };
    match here.write(leave).await {
        Ok(()) => done(&format!("{ROOT}/organizations"), "left"),
        Err(error) => ask(here, confirm, path, refused(here.t, error)?).await,
    }
}
