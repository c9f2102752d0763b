//! Members of a customer: add, change, remove.

use serde_json::json;
use tenantry_app::members::{MemberCreate, MemberDelete, MemberRef, MemberUpdate};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::MemberId;
use tenantry_core::member::{InitialRole, Member, MemberChange, MemberRole, NewMember};
use tenantry_core::values::{EmailAddress, ExternalId, PersonName};

use super::{name_of, of_path, path_of, reference};
use crate::screen::{Block, Choice, Confirm, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::texts::Texts;
use crate::view::{Call, Section};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

pub(crate) const fn role_name(t: &'static Texts, role: MemberRole) -> &'static str {
    match role {
        MemberRole::Owner => t.members.owner,
        MemberRole::BillingManager => t.members.billing_manager,
        MemberRole::Member => t.members.member,
    }
}

pub(crate) const fn role_text(t: &'static Texts, role: MemberRole) -> &'static str {
    match role {
        MemberRole::Owner => t.members.owner_text,
        MemberRole::BillingManager => t.members.billing_manager_text,
        MemberRole::Member => t.members.member_text,
    }
}

/// The member of the path, of the customer of the path.
async fn member_of_path(here: &Here) -> Result<Member, Error> {
    here.app().member(&here.by, &member_reference(here)?).await
}

fn member_reference(here: &Here) -> Result<MemberRef, Error> {
    Ok(MemberRef::OfCustomer(reference(here)?, MemberId::new(here.visit.id("member")?)))
}

/// The form for a new member.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    show(here, &of_path(here).await?, None, Form::default(), Vec::new()).await
}

/// The form for the changes of a member.
pub(super) async fn edit(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let (customer, member) = (of_path(here).await?, member_of_path(here).await?);
    let entered = Form::with(vec![
        ("email", member.email.to_string()),
        ("name", member.name.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("role", member.role.as_str().to_owned()),
    ]);
    show(here, &customer, Some(&member), entered, Vec::new()).await
}

async fn show(
    here: &Here,
    customer: &Customer,
    of: Option<&Member>,
    entered: Form,
    faults: Vec<Fault>,
) -> Answer {
    let t = here.t;
    let path = path_of(here, customer.id);
    let back = Link { href: path.clone(), label: name_of(customer) };
    let at = of.map_or_else(|| "new".to_owned(), |member| member.id.to_string());
    let title = of.map_or(t.members.add.to_owned(), |member| member.email.to_string());
    let action = format!("{path}/members/{at}");
    let submit = if of.is_some() { t.screens.save } else { t.members.add };
    let mut form = FormView::new(action, submit, path, entered, faults.clone());
    // The address of one person is that of the customer.
    if of.is_none() || customer.kind == CustomerKind::Team {
        form = form.input("email", ("email", t.screens.email, ""), "autocomplete=off required maxlength=254");
    }
    form = form.input("text", ("name", t.screens.name, ""), "autocomplete=off maxlength=256");
    if of.is_none() {
        form =
            form.input("text", ("external_id", t.customers.external_id, ""), "class=mono autocomplete=off");
    }
    if customer.kind == CustomerKind::Team && of.is_none_or(|member| member.role != MemberRole::Owner) {
        let roles =
            MemberRole::ALL.into_iter().rev().filter(|role| of.is_some() || *role != MemberRole::Owner);
        let choice = |role: MemberRole| {
            let is_first = role == MemberRole::Member;
            Choice::new(role.as_str(), role_name(t, role)).with(role_text(t, role)).chosen(is_first)
        };
        form = form.radio(("role", t.team.role, ""), roles.map(choice).collect());
    }
    let screen = Screen {
        back: Some(back),
        title: title.clone(),
        lead: t.members.form_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let page = here.page(Section::Customers, &title).await?.with(call(here, customer, of));
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

fn call(here: &Here, customer: &Customer, of: Option<&Member>) -> Call {
    match of {
        Some(member) => {
            let path = format!("/v1/members/{}", member.id);
            here.call("PATCH", path, &json!({"role": "billing_manager"}).to_string())
        }
        None => {
            let path = format!("/v1/customers/{}/members", customer.id);
            here.call("POST", path, &json!({"email": "jane@example.com", "role": "member"}).to_string())
        }
    }
}

/// Adds a member.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let (customer, form, f) = (of_path(here).await?, &here.visit.form, &here.t.faults);
    let mut reading = Reading::new(form);
    let email = reading.field("email", EmailAddress::parse, f.email);
    let name = reading.field("name", PersonName::parse, f.name).flatten();
    let external_id = reading.field("external_id", ExternalId::parse, f.external_id).flatten();
    let role = match reading.text("role") {
        "billing_manager" => InitialRole::BillingManager,
        _ => InitialRole::Member,
    };
    let Some(email) = email.filter(|_| !reading.has_faults()) else {
        return show(here, &customer, None, form.clone(), reading.faults).await;
    };
    let new = NewMember { email, name, external_id, role };
    match here.write(MemberCreate { by: here.by.clone(), customer: reference(here)?, new }).await {
        Ok(_) => done(&path_of(here, customer.id), "created"),
        Err(error) => show(here, &customer, None, form.clone(), refused(here.t, error)?).await,
    }
}

/// Changes a member.
pub(super) async fn update(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let (customer, member) = (of_path(here).await?, member_of_path(here).await?);
    let (form, f) = (&here.visit.form, &here.t.faults);
    let mut reading = Reading::new(form);
    let change = MemberChange {
        email: reading.optional("email", EmailAddress::parse, f.email),
        name: reading.field("name", PersonName::parse, f.name).flatten(),
        role: reading.optional("role", |name| MemberRole::from_name(name).ok_or(()), f.choice),
    };
    if reading.has_faults() {
        return show(here, &customer, Some(&member), form.clone(), reading.faults).await;
    }
    match here.write(MemberUpdate { by: here.by.clone(), member: member_reference(here)?, change }).await {
        Ok(_) => done(&path_of(here, customer.id), "saved"),
        Err(error) => show(here, &customer, Some(&member), form.clone(), refused(here.t, error)?).await,
    }
}

fn confirm(here: &Here, customer: &Customer, member: &Member) -> Confirm {
    let path = path_of(here, customer.id);
    Confirm {
        title: here.t.members.remove.to_owned(),
        lead: member.email.to_string(),
        consequences: vec![("bad", here.t.members.remove_text), ("ok", here.t.members.may_return)],
        word: member.email.to_string(),
        action: format!("{path}/members/{}/remove", member.id),
        button: here.t.members.remove_button,
        back: Link { href: path, label: name_of(customer) },
    }
}

async fn ask(here: &Here, customer: &Customer, member: &Member, faults: Vec<Fault>) -> Answer {
    let call = here.call("DELETE", format!("/v1/members/{}", member.id), "");
    let page = here.page(Section::Customers, here.t.members.remove).await?.with(call);
    let status = status(!faults.is_empty());
    let screen = confirm(here, customer, member).screen(here.t, &here.visit.form, faults);
    Ok(screen.show_as(status, here.t, page))
}

pub(super) async fn ask_remove(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    ask(here, &of_path(here).await?, &member_of_path(here).await?, Vec::new()).await
}

/// Removes a member.
pub(super) async fn remove(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let (customer, member) = (of_path(here).await?, member_of_path(here).await?);
    if let Some(fault) = confirm(here, &customer, &member).fault(here.t, &here.visit.form) {
        return ask(here, &customer, &member, vec![fault]).await;
    }
    match here.write(MemberDelete { by: here.by.clone(), member: member_reference(here)? }).await {
        Ok(()) => done(&path_of(here, customer.id), "removed"),
        Err(error) => ask(here, &customer, &member, refused(here.t, error)?).await,
    }
}
