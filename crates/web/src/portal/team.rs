//! The members of a team customer: add, change, remove, hand the account over.

use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::conditional::RowUseCase;
use tenantry_app::portal::{PortalMemberAdd, PortalMemberRemove, PortalMemberUpdate};
use tenantry_core::ids::MemberId;
use tenantry_core::member::{Member, MemberChange, MemberRole};
use tenantry_core::values::{EmailAddress, PersonName};

use super::view::{Section, show as show_screen};
use super::visit::Guest;
use crate::pages::customers::members::{role_name, role_text};
use crate::screen::{
    Act, Block, Cell, Choice, Column, Confirm, Fault, FormView, Link, Menu, Part, Reading, Screen, Table,
    address, refused,
};
use crate::time::moment;
use crate::view::{filled, pages};
use crate::visit::{Answer, done, status};
use crate::visitor::Form;

/// The members.
pub(super) async fn list(guest: &Guest) -> Answer {
    guest.need(guest.rights().team)?;
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let found = guest.app().portal_members(&guest.by, guest.rows()).await?;
    let columns = vec![
        Column::new(t.team.person),
        Column::new(t.team.role),
        Column::right(words.since),
        Column::right(""),
    ];
    let path = guest.site().to("team");
    let rows = found.items.iter().map(|member| row(guest, &path, member)).collect();
    let link = |page| address(&path, &[], page);
    let pages = pages(t, (guest.page_number(), found.total), (words.one, words.many), link);
    let add = guest.rights().add_members;
    let screen = Screen {
        title: words.team.to_owned(),
        lead: words.team_lead.to_owned(),
        acts: if add { vec![Act::to(format!("{path}/add"), words.add, "plus")] } else { Vec::new() },
        parts: vec![Part::plain(Block::Table(Table::new(columns, rows).paged(pages)))],
        ..Screen::default()
    };
    Ok(show_screen(screen, StatusCode::OK, t, guest.page(Section::Team, words.team)))
}

fn row(guest: &Guest, path: &str, member: &Member) -> Vec<Cell> {
    let t = guest.t;
    let email = member.email.to_string();
    let name = name_of(member);
    let role = role_name(t, member.role).to_owned();
    let is_self = is_self(guest, member);
    let at = format!("{path}/{}", member.id);
    let mut items = vec![(Act::to(at.clone(), t.screens.edit, "person"), false)];
    if guest.rights().transfer_ownership && !is_self {
        items.push((Act::to(format!("{at}/owner"), t.portal_pages.hand_over, "key"), false));
    }
    if !is_self && member.role != MemberRole::Owner {
        items.push((Act::to(format!("{at}/remove"), t.members.remove_button, "close"), true));
    }
    let small = if name == email { "" } else { &email };
    let person = Cell::Main {
        face: crate::view::initials(&name),
        mark: String::new(),
        note: if is_self { t.portal.you } else { "" },
        small: small.to_owned(),
        href: at,
        name: name.clone(),
    };
    vec![
        person,
        if member.role == MemberRole::Owner { Cell::Strong(role) } else { Cell::Tag(role) },
        Cell::Time(moment(t, member.created_at, guest.visit.visitor.now)),
        Cell::Menu(Menu { label: filled(t.screens.actions_of, &name), items }),
    ]
}

fn name_of(member: &Member) -> String {
    member.name.as_ref().map_or_else(|| member.email.to_string(), ToString::to_string)
}

fn is_self(guest: &Guest, member: &Member) -> bool {
    guest.known.caller.member.as_ref().is_some_and(|own| own.id == member.id)
}

/// The member of the path.
async fn of_path(guest: &Guest) -> Result<Member, Error> {
    let update = PortalMemberUpdate {
        by: guest.by.clone(),
        id: MemberId::new(guest.id()?),
        change: MemberChange::default(),
    };
    update.current(&mut guest.app().store().reader()?.tx()?).await
}

fn back(guest: &Guest) -> Link {
    Link { href: guest.site().to("team"), label: guest.t.portal_pages.team.to_owned() }
}

/// The roles that a person can get by a form: ownership is handed over on a page of its own.
fn roles(guest: &Guest) -> Vec<Choice> {
    let roles = [MemberRole::Member, MemberRole::BillingManager].into_iter();
    let choice = |role: MemberRole| {
        let chosen = role == MemberRole::Member;
        Choice::new(role.as_str(), role_name(guest.t, role)).with(role_text(guest.t, role)).chosen(chosen)
    };
    roles.map(choice).collect()
}

fn show(guest: &Guest, title: &str, lead: &str, (form, status): (FormView, StatusCode)) -> Response {
    let screen = Screen {
        back: Some(back(guest)),
        title: title.to_owned(),
        lead: lead.to_owned(),
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    show_screen(screen, status, guest.t, guest.page(Section::Team, title))
}

/// The form for a new member.
pub(super) async fn new(guest: &Guest) -> Answer {
    guest.need(guest.rights().add_members)?;
    Ok(new_again(guest, Form::default(), Vec::new()))
}

fn new_again(guest: &Guest, entered: Form, faults: Vec<Fault>) -> Response {
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let status = status(!faults.is_empty());
    let form = FormView::new(guest.site().to("team/add"), words.add, back(guest).href, entered, faults)
        .input(
            "email",
            ("email", t.screens.email, ""),
            "autocomplete=off inputmode=email required maxlength=254",
        )
        .input("text", ("name", t.screens.name, ""), "autocomplete=off maxlength=256")
        .radio(("role", t.team.role, ""), roles(guest));
    show(guest, words.add, words.add_lead, (form, status))
}

/// Adds a member.
pub(super) async fn add(guest: &Guest) -> Answer {
    guest.need(guest.rights().add_members)?;
    let (form, f) = (&guest.visit.form, &guest.t.faults);
    let mut reading = Reading::new(form);
    let email = reading.field("email", EmailAddress::parse, f.email);
    let name = reading.field("name", PersonName::parse, f.name).flatten();
    let role = reading.field("role", read_role, f.choice);
    let (Some(email), Some(role), false) = (email, role, reading.has_faults()) else {
        return Ok(new_again(guest, form.clone(), reading.faults));
    };
    match guest.write(PortalMemberAdd { by: guest.by.clone(), email, name, role }).await {
        Ok(_) => done(&guest.site().to("team"), "created"),
        Err(error) => Ok(new_again(guest, form.clone(), refused(guest.t, error)?)),
    }
}

fn read_role(name: &str) -> Result<MemberRole, ()> {
    MemberRole::from_name(name).filter(|role| *role != MemberRole::Owner).ok_or(())
}

/// The form for the changes of a member.
pub(super) async fn edit(guest: &Guest) -> Answer {
    guest.need(guest.rights().team)?;
    let member = of_path(guest).await?;
    let entered = Form::with(vec![
        ("name", member.name.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("role", member.role.as_str().to_owned()),
    ]);
    Ok(edit_again(guest, &member, entered, Vec::new()))
}

fn edit_again(guest: &Guest, member: &Member, entered: Form, faults: Vec<Fault>) -> Response {
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let status = status(!faults.is_empty());
    let action = guest.site().to(&format!("team/{}", member.id));
    let form = FormView::new(action, t.screens.save, back(guest).href, entered, faults).input(
        "text",
        ("name", t.screens.name, ""),
        "autocomplete=off maxlength=256",
    );
    let form = match has_role_field(guest, member) {
        true => form.radio(("role", t.team.role, ""), roles(guest)),
        false => form,
    };
    let lead = if is_self(guest, member) { words.own_role } else { words.edit_lead };
    show(guest, member.email.as_str(), lead, (form, status))
}

/// Whether the form offers another role: nobody changes their own, and the owner's changes by a transfer.
fn has_role_field(guest: &Guest, member: &Member) -> bool {
    !is_self(guest, member) && member.role != MemberRole::Owner
}

/// Changes a member.
pub(super) async fn save(guest: &Guest) -> Answer {
    guest.need(guest.rights().team)?;
    let member = of_path(guest).await?;
    let (form, f) = (&guest.visit.form, &guest.t.faults);
    let mut reading = Reading::new(form);
    let name = reading.field("name", PersonName::parse, f.name).flatten();
    let role = match reading.text("role") {
        "" => None,
        _ => reading.field("role", read_role, f.choice),
    };
    if reading.has_faults() {
        return Ok(edit_again(guest, &member, form.clone(), reading.faults));
    }
    let change = MemberChange { name, email: None, role };
    match guest.write(PortalMemberUpdate { by: guest.by.clone(), id: member.id, change }).await {
        Ok(_) => done(&guest.site().to("team"), "saved"),
        Err(error) => Ok(edit_again(guest, &member, form.clone(), refused(guest.t, error)?)),
    }
}

fn removal(guest: &Guest, member: &Member) -> Confirm {
    let words = &guest.t.members;
    Confirm {
        title: words.remove.to_owned(),
        lead: member.email.to_string(),
        consequences: vec![("warn", words.remove_text), ("ok", words.may_return)],
        word: member.email.to_string(),
        action: guest.site().to(&format!("team/{}/remove", member.id)),
        button: words.remove_button,
        back: back(guest),
    }
}

fn transfer(guest: &Guest, member: &Member) -> Confirm {
    let words = &guest.t.portal_pages;
    Confirm {
        title: words.hand_over.to_owned(),
        lead: filled(words.hand_over_lead, &name_of(member)),
        consequences: vec![
            ("warn", words.hand_over_new),
            ("warn", words.hand_over_you),
            ("bad", words.hand_over_back),
        ],
        word: member.email.to_string(),
        action: guest.site().to(&format!("team/{}/owner", member.id)),
        button: words.hand_over,
        back: back(guest),
    }
}

fn confirm(guest: &Guest, confirm: Confirm, faults: Vec<Fault>) -> Response {
    let status = status(!faults.is_empty());
    let frame = guest.page(Section::Team, &confirm.title);
    show_screen(confirm.screen(guest.t, &guest.visit.form, faults), status, guest.t, frame)
}

pub(super) async fn ask_removal(guest: &Guest) -> Answer {
    guest.need(guest.rights().team)?;
    Ok(confirm(guest, removal(guest, &of_path(guest).await?), Vec::new()))
}

/// Removes a member.
pub(super) async fn remove(guest: &Guest) -> Answer {
    guest.need(guest.rights().team)?;
    let member = of_path(guest).await?;
    let ask = removal(guest, &member);
    if let Some(fault) = ask.fault(guest.t, &guest.visit.form) {
        return Ok(confirm(guest, ask, vec![fault]));
    }
    match guest.write(PortalMemberRemove { by: guest.by.clone(), id: member.id }).await {
        Ok(()) => done(&guest.site().to("team"), "removed"),
        Err(error) => Ok(confirm(guest, ask, refused(guest.t, error)?)),
    }
}

pub(super) async fn ask_hand_over(guest: &Guest) -> Answer {
    guest.need(guest.rights().transfer_ownership)?;
    Ok(confirm(guest, transfer(guest, &of_path(guest).await?), Vec::new()))
}

/// Makes a member the owner.
pub(super) async fn hand_over(guest: &Guest) -> Answer {
    guest.need(guest.rights().transfer_ownership)?;
    let member = of_path(guest).await?;
    let ask = transfer(guest, &member);
    if let Some(fault) = ask.fault(guest.t, &guest.visit.form) {
        return Ok(confirm(guest, ask, vec![fault]));
    }
    let change = MemberChange { role: Some(MemberRole::Owner), ..MemberChange::default() };
    match guest.write(PortalMemberUpdate { by: guest.by.clone(), id: member.id, change }).await {
        Ok(_) => done(&guest.site().to("team"), "saved"),
        Err(error) => Ok(confirm(guest, ask, refused(guest.t, error)?)),
    }
}
