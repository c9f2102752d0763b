//! One organization, as the operator sees it.

use tenantry_app::Error;
use tenantry_app::operator::OrganizationDetails;
use tenantry_core::organization::{DeletedOrganization, Organization};

use super::{keyset, neighbours, path_of, state, state_of_live, to_list};
use crate::screen::{
    Act, Block, Cell, Column, Danger, Fact, FactValue, Note, Part, Screen, Table, Tile, address,
};
use crate::time::moment;
use crate::view::{Call, Section, initials, number};
use crate::visit::{Answer, Visit};

/// The page of an organization.
pub(super) async fn show(visit: &Visit) -> Answer {
    let t = visit.t;
    let details = visit.app().operator_organization(&visit.by, visit.in_path("slug")).await?;
    let DeletedOrganization { organization, deleted_at, .. } = &details.row;
    let path = path_of(&organization.slug);
    let mut parts: Vec<Part> = note(visit, &details, &path).into_iter().collect();
    parts.push(Part::plain(Block::Tiles(tiles(visit, &details))));
    parts.extend(sub_accounts(visit, &details).await?);
    if organization.suspended.is_none() && deleted_at.is_none() {
        parts.push(Part::plain(Block::Dangers(vec![Danger {
            title: t.operator.suspend,
            text: t.operator.suspend_text.to_owned(),
            button: t.operator.suspend_button,
            href: format!("{path}/suspend"),
        }])));
    }
    let name = organization.name.to_string();
    let screen = Screen {
        back: Some(to_list(t)),
        title: name.clone(),
        tag: if organization.parent.is_some() { t.operator.sub_account.to_owned() } else { String::new() },
        state: Some(state(t, &details.row)),
        parts,
        aside: facts(visit, &details),
        ..Screen::default()
    };
    let owner = details.owner.as_ref().map_or("EMAIL", |owner| owner.as_str());
    let page = visit.page(Section::AllOrganizations, &name).await?;
    Ok(screen.show(t, page.with(Call::command(&["tenantry", "user", "show", owner]))))
}

/// The note about an organization that has no access, with the way back.
fn note(visit: &Visit, details: &OrganizationDetails, path: &str) -> Option<Part> {
    let words = &visit.t.operator;
    let DeletedOrganization { organization, deleted_at, is_in_purge } = &details.row;
    let way = |page: &str, label| vec![Act::to(format!("{path}/{page}"), label, "again").quiet()];
    let (title, text, acts) = match (deleted_at, &organization.suspended) {
        (Some(_), _) if *is_in_purge => (words.is_deleted, words.purging.to_owned(), Vec::new()),
        (Some(_), _) => (words.is_deleted, String::new(), way("restore", words.undelete)),
        (None, Some(suspension)) => {
            (words.is_suspended, suspension.reason.as_str().to_owned(), way("reopen", words.unsuspend))
        }
        (None, None) => return None,
    };
    let title = title.to_owned();
    Some(Part::plain(Block::Note(Note { kind: "warn", icon: "alert", title, text, acts })))
}

fn tiles(visit: &Visit, details: &OrganizationDetails) -> Vec<Tile> {
    let t = visit.t;
    let tile = |label, value| Tile { label, value: number(t, value), href: String::new() };
    vec![
        tile(t.overview.people, details.people),
        tile(t.overview.customers, details.customers),
        tile(t.overview.tokens, details.tokens),
        tile(t.operator.sub_accounts, details.sub_accounts),
    ]
}

fn facts(visit: &Visit, details: &OrganizationDetails) -> Vec<Fact> {
    let (t, words, now) = (visit.t, &visit.t.operator, visit.visitor.now);
    let time = |label, at| Fact::new(label, FactValue::Time(moment(t, at, now)));
    let DeletedOrganization { organization, deleted_at, .. } = &details.row;
    let owner = details.owner.as_ref().map_or(words.no_owner, |owner| owner.as_str());
    let mut facts = vec![
        Fact::new(words.owner, FactValue::Text(owner.to_owned())),
        Fact::new(t.overview.id, FactValue::Id(organization.id.to_string())),
        Fact::new(t.overview.slug, FactValue::Id(organization.slug.to_string())),
    ];
    facts.extend(Fact::text(words.parent, details.parent.as_ref().map_or("", |parent| parent.as_str())));
    facts.push(time(t.screens.created, organization.created_at));
    facts.extend(organization.suspended.as_ref().map(|suspension| time(words.suspended_at, suspension.at)));
    facts.extend(deleted_at.map(|at| time(words.deleted_at, at)));
    facts.extend(details.kept_until.map(|at| time(words.kept_until, at)));
    facts
}

/// The sub-accounts, if there are any.
async fn sub_accounts(visit: &Visit, details: &OrganizationDetails) -> Result<Option<Part>, Error> {
    if details.sub_accounts == 0 {
        return Ok(None);
    }
    let (t, words) = (visit.t, &visit.t.operator);
    let parent = &details.row.organization;
    let found = visit.app().operator_sub_accounts(&visit.by, parent.id, keyset(visit)).await?;
    let path = path_of(&parent.slug);
    let row = |(child, people): &(Organization, u64)| {
        vec![
            Cell::Main {
                face: String::new(),
                mark: initials(child.name.as_str()).chars().take(1).collect(),
                name: child.name.to_string(),
                note: "",
                small: child.slug.to_string(),
                href: path_of(&child.slug),
            },
            Cell::State(state_of_live(t, child)),
            Cell::Number(number(t, *people)),
            Cell::Time(moment(t, child.created_at, visit.visitor.now)),
        ]
    };
    let columns = vec![
        Column::new(t.organizations.organization),
        Column::new(words.state),
        Column::right(words.people),
        Column::right(t.organizations.created),
    ];
    let pages = neighbours(found.newer, found.older, |name, id| address(&path, &[(name, id)], 1));
    let table = Table::new(columns, found.items.iter().map(row).collect()).paged(pages);
    Ok(Some(Part::titled(words.sub_accounts, words.sub_accounts_text, Block::Table(table))))
}
