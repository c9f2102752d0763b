//! The list of the team.

use std::iter::once;

use tenantry_app::TeamPermission;
use tenantry_core::organization::TeamAdmission;
use tenantry_core::team::{TeamMember, TeamRole};

use super::{name_of, offer_note, tabs};
use crate::screen::{Act, Block, Cell, Column, Empty, Filters, Menu, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{ROWS, Section, filled, initials, pages, role_name};
use crate::visit::{Answer, Here};

/// The people of the team.
pub(super) async fn list(here: &Here) -> Answer {
    let t = here.t;
    let team = here.app().team_oldest_first(&here.by, here.organization.id).await?;
    let (query, role) = (here.visit.visitor.parameter("query"), here.visit.visitor.parameter("role"));
    let chosen = TeamRole::from_name(&role);
    let found: Vec<_> = team.iter().filter(|member| matches(member, &query, chosen)).collect();
    let skipped = usize::try_from(here.visit.rows().offset).unwrap_or(usize::MAX);
    let shown = found.iter().skip(skipped).take(usize::try_from(ROWS).unwrap_or(usize::MAX));
    let may_manage = here.may(TeamPermission::ManageTeam);
    let rows = shown.map(|member| row(here, member, may_manage)).collect();
    let href = here.to("team");
    let link = |page| address(&href, &[("query", &query), ("role", &role)], page);
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let at = (here.visit.page_number(), total);
    let mut columns = vec![Column::new(t.team.person), Column::new(t.team.role), Column::right(t.team.since)];
    if may_manage {
        columns.push(Column::right(""));
    }
    let table = Table::new(columns, rows).paged(pages(t, at, (t.team.one_person, t.team.people), link));
    let table = table.or(Empty {
        icon: "search",
        title: t.ui.nothing_found,
        text: t.team.nothing_found,
        act: Some(Act::to(href.clone(), t.ui.clear, "").quiet()),
    });
    let options = TeamRole::ALL.map(|role| (role.as_str().to_owned(), role_name(t, role).to_owned()));
    let options = once((String::new(), t.team.any_role.to_owned())).chain(options);
    let filters =
        Filters::new(href).search(t.team.search, &query).select(("role", t.team.role), &role, options);
    let mut acts = Vec::new();
    if here.may(TeamPermission::TransferOwnership) {
        acts.push(Act::to(here.to("team/transfer"), t.offer.hand_over, "").quiet());
    }
    if may_manage {
        if here.organization.profile.team_admission == TeamAdmission::Direct {
            acts.push(Act::to(here.to("team/add"), t.people.add, "").quiet());
        }
        acts.push(Act::to(here.to("team/invite"), t.invitations.invite, "plus"));
    }
    let mut parts: Vec<Part> = offer_note(here).await?.into_iter().collect();
    parts.extend([Part::plain(Block::Filters(filters)), Part::plain(Block::Table(table))]);
    let screen = Screen {
        title: t.team.title.to_owned(),
        lead: filled(t.team.lead, here.organization.name.as_str()),
        acts,
        tabs: tabs(here, "team"),
        parts,
        ..Screen::default()
    };
    let call = here.call("GET", format!("/v1/organizations/{}/members", here.organization.id), "");
    Ok(screen.show(t, here.page(Section::Team, t.team.title).await?.with(call)))
}

/// Whether a member has the role, and the text in name or address.
fn matches(member: &TeamMember, query: &str, role: Option<TeamRole>) -> bool {
    let query = query.trim().to_lowercase();
    let contains = |text: &str| text.to_lowercase().contains(&query);
    let name = member.name.as_ref().is_some_and(|name| contains(name.as_str()));
    role.is_none_or(|role| member.role == role) && (name || contains(member.email.as_str()))
}

fn row(here: &Here, member: &TeamMember, may_manage: bool) -> Vec<Cell> {
    let (t, now) = (here.t, here.visit.visitor.now);
    let (name, email) = (name_of(member), member.email.to_string());
    let is_me = member.user == here.member.user;
    let role = role_name(t, member.role).to_owned();
    let path = here.to(&format!("team/people/{}", member.user));
    let offered = if member.is_offered_ownership(now) { t.people.offered } else { "" };
    let mut cells = vec![
        Cell::Main {
            face: initials(&name),
            mark: String::new(),
            note: if is_me { t.team.you } else { offered },
            small: if name == email { String::new() } else { email },
            name: name.clone(),
            href: String::new(),
        },
        if member.role == TeamRole::Owner { Cell::Strong(role) } else { Cell::Tag(role) },
        Cell::Time(moment(t, member.created_at, now)),
    ];
    if may_manage {
        let mut items = Vec::new();
        if member.role != TeamRole::Owner {
            items.push((Act::to(path.clone(), t.people.change_role, "person"), false));
            if !is_me {
                items.push((Act::to(format!("{path}/remove"), t.people.remove_button, "close"), true));
            }
        }
        cells.push(Cell::Menu(Menu { label: filled(t.screens.actions_of, &name), items }));
    }
    cells
}
