//! One customer: the members, the details, and a session of the portal.

use tenantry_app::sessions::{SessionCreate, SessionEnd, SessionsEnd};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::SessionId;
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::portal::{CustomerSession, MemberSelector};
use tenantry_store::{MemberFilter, Page, Paged};

use super::{kind_name, members, name_of, of_path, path_of, reference};
use crate::pages::audit_log;
use crate::screen::{
    Act, Block, Cell, Column, Danger, Fact, FactValue, Link, Menu, Part, Row, Screen, Shown, Table,
};
use crate::time::moment;
use crate::view::{Section, filled, pages};
use crate::visit::{Answer, Here, done};

/// Sessions of the portal that the page of a customer shows.
const SESSIONS: usize = 20;

/// The page of a customer.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ReadCustomers)?;
    let t = here.t;
    let customer = of_path(here).await?;
    let path = path_of(here, customer.id);
    let may_manage = here.may(TeamPermission::ManageCustomers);
    let can_add = may_manage && customer.kind == CustomerKind::Team && here.organization.members_enabled();
    let add = can_add.then(|| Act::to(format!("{path}/members/new"), t.members.add, "plus").quiet());
    let mut parts =
        vec![Part::titled(t.members.title, "", Block::Table(people(here, &customer).await?)).with(add)];
    let mut acts = Vec::new();
    if may_manage {
        acts.push(Act::now(format!("{path}/session"), t.customers.open_portal, "").quiet());
        acts.push(Act::to(format!("{path}/edit"), t.screens.edit, ""));
        parts.extend(sessions(here, &customer).await?);
        parts.extend(audit_log::history(here, customer.id.uuid()).await?);
        parts.push(Part::plain(Block::Dangers(dangers(here, &path))));
    }
    let name = name_of(&customer);
    let screen = Screen {
        back: Some(Link { href: here.to("customers"), label: t.customers.title.to_owned() }),
        tag: kind_name(t, customer.kind).to_owned(),
        lead: customer.contact().map(ToString::to_string).unwrap_or_default(),
        title: name.clone(),
        acts,
        parts,
        aside: facts(here, &customer),
        ..Screen::default()
    };
    let call = here.call("GET", format!("/v1/customers/{}", customer.id), "");
    let page = here.page(Section::Customers, &name).await?.with(call);
    Ok(screen.show(t, page))
}

/// The newest sessions of the portal, each with a button that ends it.
async fn sessions(here: &Here, customer: &Customer) -> Result<Option<Part>, Error> {
    let (t, words, now) = (here.t, &here.t.customers, here.visit.visitor.now);
    let found = here.app().customer_sessions(&here.by, &reference(here)?, SESSIONS).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let path = path_of(here, customer.id);
    let row = |(session, member): (CustomerSession, Option<Member>)| {
        let name = member.map_or_else(
            || name_of(customer),
            |member| member.name.as_ref().map_or_else(|| member.email.to_string(), ToString::to_string),
        );
        let end = Act::now(format!("{path}/sessions/{}/end", session.id), words.end_session, "").quiet();
        Row {
            icon: "screen",
            small: filled(words.session_until, &moment(t, session.expires_at, now).relative),
            time: Some(moment(t, session.created_at, now)),
            acts: vec![end],
            ..Row::new(&name)
        }
    };
    let rows = Block::Rows(found.into_iter().map(row).collect());
    let end_all = Act::now(format!("{path}/sign-out"), words.end_sessions, "").quiet();
    Ok(Some(Part::titled(words.sessions, words.sessions_text, rows).with(Some(end_all))))
}

/// Ends every session of the customer in the portal.
pub(super) async fn end_sessions(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let hash_key = here.visit.visitor.console.app.hash_key().clone();
    let end = SessionsEnd { by: here.by.clone(), customer: reference(here)?, member: None, hash_key };
    here.write(end).await?;
    done(&here.to(&format!("customers/{}", here.visit.in_path("id"))), "all_ended")
}

/// Ends a session of the portal.
pub(super) async fn end_session(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let session = SessionId::new(here.visit.id("session")?);
    let customer = reference(here)?;
    here.write(SessionEnd { by: here.by.clone(), customer, session }).await?;
    done(&here.to(&format!("customers/{}", here.visit.in_path("id"))), "ended")
}

fn dangers(here: &Here, path: &str) -> Vec<Danger> {
    let words = &here.t.customers;
    let danger = |title, text: &str, button, page| Danger {
        title,
        text: text.to_owned(),
        button,
        href: format!("{path}/{page}"),
    };
    vec![
        danger(words.delete, words.delete_text, words.delete_button, "delete"),
        danger(words.forget, words.forget_text, words.forget_button, "forget"),
    ]
}

fn facts(here: &Here, customer: &Customer) -> Vec<Fact> {
    let (t, now) = (here.t, here.visit.visitor.now);
    let time = |label, at| Fact::new(label, FactValue::Time(moment(t, at, now)));
    let external_id = customer.external_id.as_ref().map(ToString::to_string);
    let mut facts = vec![Fact::new(t.overview.id, FactValue::Id(customer.id.to_string()))];
    facts.extend(external_id.map(|id| Fact::new(t.customers.external_id, FactValue::Id(id))));
    let billing_name = customer.billing_name.as_ref().map_or("", |name| name.as_str());
    facts.extend(Fact::text(t.customers.billing_name, billing_name));
    if let Some(address) = &customer.billing_address {
        let lines =
            [address.line1(), address.line2(), address.postal_code(), address.city(), address.state()];
        let lines = lines.into_iter().flatten().chain([address.country().as_str()]);
        let text = lines.collect::<Vec<_>>().join(", ");
        facts.extend(Fact::text(t.customers.billing_address, &text));
    }
    facts.extend(Fact::text(t.customers.tax_id, customer.tax_id.as_ref().map_or("", |id| id.value())));
    facts.extend(Fact::text(t.customers.language, customer.locale.as_ref().map_or("", |tag| tag.as_str())));
    let metadata = customer.metadata.iter().map(|(key, value)| format!("{key} = {}", value.to_text()));
    let metadata: Vec<String> = metadata.collect();
    if !metadata.is_empty() {
        facts.push(Fact::new(t.customers.metadata, FactValue::Tags(metadata)));
    }
    facts.push(time(t.screens.created, customer.created_at));
    facts.extend(customer.modified_at.map(|at| time(t.customers.changed, at)));
    facts
}

/// Some members of a customer.
async fn members_of(
    here: &Here,
    customer: &Customer,
    role: Option<MemberRole>,
    page: Page,
) -> Result<Paged<Member>, Error> {
    let filter = MemberFilter {
        organizations: vec![here.organization.id],
        customer: Some(customer.id),
        role,
        oldest_first: true,
        ..MemberFilter::default()
    };
    here.app().members(&here.by, &filter, page).await
}

async fn people(here: &Here, customer: &Customer) -> Result<Table, Error> {
    let t = here.t;
    let found = members_of(here, customer, None, here.visit.rows()).await?;
    let path = path_of(here, customer.id);
    let may_manage = here.may(TeamPermission::ManageCustomers);
    let mut columns =
        vec![Column::new(t.team.person), Column::new(t.team.role), Column::right(t.screens.created)];
    if may_manage {
        columns.push(Column::right(""));
    }
    let row = |member: &Member| {
        let email = member.email.to_string();
        let name = member.name.as_ref().map_or_else(|| email.clone(), ToString::to_string);
        let role = members::role_name(t, member.role).to_owned();
        let small = if name == email { "" } else { &email };
        let mut cells = vec![
            Cell::person(&name, small, String::new()),
            if member.role == MemberRole::Owner { Cell::Strong(role) } else { Cell::Tag(role) },
            Cell::Time(moment(t, member.created_at, here.visit.visitor.now)),
        ];
        if may_manage {
            let at = format!("{path}/members/{}", member.id);
            let mut items = vec![(Act::to(at.clone(), t.screens.edit, "person"), false)];
            if member.role != MemberRole::Owner {
                items.push((Act::to(format!("{at}/remove"), t.members.remove_button, "close"), true));
            }
            cells.push(Cell::Menu(Menu { label: filled(t.screens.actions_of, &name), items }));
        }
        cells
    };
    let link = |page| crate::screen::address(&path, &[], page);
    let at = (here.visit.page_number(), found.total);
    let pages = pages(t, at, (t.members.one, t.members.many), link);
    Ok(Table::new(columns, found.items.iter().map(row).collect()).paged(pages))
}

/// Makes a session of the portal, and shows its secret once.
pub(super) async fn open_session(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let t = here.t;
    let customer = of_path(here).await?;
    let names_member = here.organization.profile.feature_settings.member_model_enabled
        && customer.kind == CustomerKind::Team;
    let member = match names_member {
        true => {
            let first = Page { offset: 0, limit: 1 };
            let owner = members_of(here, &customer, Some(MemberRole::Owner), first).await?;
            owner.items.first().map(|owner| MemberSelector::Id(owner.id))
        }
        false => None,
    };
    let named = member.clone();
    let create = SessionCreate {
        by: here.by.clone(),
        customer: reference(here)?,
        member,
        return_url: None,
        hash_key: here.app().hash_key().clone(),
    };
    let created = here.write(create).await?;
    let secret = created.secret.expose().to_owned();
    let address = format!("{}/v1/customer-portal/customers/me", here.visit.visitor.base());
    let shown = Shown {
        title: t.customers.session.to_owned(),
        lead: filled(t.customers.session_lead, &name_of(&customer)),
        example: (
            t.tokens.try_it,
            t.customers.session_try,
            format!("curl {address} \\\n  -H \"Authorization: Bearer {secret}\""),
        ),
        secret,
        back: Link { href: path_of(here, customer.id), label: name_of(&customer) },
        stored: t.tokens.stored,
    };
    let page = here.page(Section::Customers, t.customers.session).await?;
    let member = match named {
        Some(MemberSelector::Id(id)) => format!(", \"member_id\": \"{id}\""),
        _ => String::new(),
    };
    let body = format!("{{\"customer_id\": \"{}\"{member}}}", customer.id);
    let page = page.with(here.call("POST", "/v1/customer-sessions".to_owned(), &body));
    Ok(shown.screen().show(t, page))
}
