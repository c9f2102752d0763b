//! All organizations of the installation.

use tenantry_app::operator::{ListedOrganization, Search};
use tenantry_store::OrganizationStateFilter;

use super::{keyset, neighbours, path_of, state};
use crate::ROOT;
use crate::screen::{Act, Block, Cell, Column, Empty, Filters, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{Call, Section, filled, initials};
use crate::visit::{Answer, Visit};

/// The states, by the name in the address of the page.
const STATES: [(&str, OrganizationStateFilter); 3] = [
    ("", OrganizationStateFilter::Live),
    ("suspended", OrganizationStateFilter::Suspended),
    ("deleted", OrganizationStateFilter::Deleted),
];

/// A page of the list.
pub(super) async fn list(visit: &Visit) -> Answer {
    visit.by.check_operator()?;
    let (t, words) = (visit.t, &visit.t.operator);
    let (query, chosen) = (visit.visitor.parameter("query"), visit.visitor.parameter("state"));
    let wanted = STATES.iter().find(|(name, _)| *name == chosen).map(|(_, state)| *state);
    let search = Search { text: query.clone(), state: wanted.unwrap_or_default() };
    let found = visit.app().operator_organizations(&visit.by, &search, keyset(visit)).await?;
    let href = format!("{ROOT}/operator/organizations");
    let link = |name: &str, id: &str| address(&href, &[("query", &query), ("state", &chosen), (name, id)], 1);
    let create = || Act::to(format!("{ROOT}/operator/new-organization"), words.create, "plus");
    let empty = match query.trim().is_empty() && chosen.is_empty() {
        true => Empty { icon: "orgs", title: words.none, text: words.none_text, act: Some(create()) },
        false => Empty {
            icon: "search",
            title: t.ui.nothing_found,
            text: words.nothing_found,
            act: Some(Act::to(href.clone(), t.ui.clear, "").quiet()),
        },
    };
    let columns = vec![
        Column::new(t.organizations.organization),
        Column::new(words.owner),
        Column::new(words.state),
        Column::right(t.organizations.created),
    ];
    let rows = found.items.iter().map(|one| row(visit, one)).collect();
    let table = Table::new(columns, rows).paged(neighbours(found.newer, found.older, link)).or(empty);
    let labels = [words.live, words.suspended, words.deleted];
    let options =
        STATES.iter().zip(labels).map(|((value, _), label)| ((*value).to_owned(), label.to_owned()));
    let filters = Filters::new(href.clone()).search(words.search, &query).select(
        ("state", words.state),
        &chosen,
        options,
    );
    let screen = Screen {
        title: words.all.to_owned(),
        lead: words.lead.to_owned(),
        acts: vec![create()],
        parts: vec![Part::plain(Block::Filters(filters)), Part::plain(Block::Table(table))],
        ..Screen::default()
    };
    let mut command = vec!["tenantry", "organization", "list"];
    if chosen == "deleted" {
        command.push("--deleted");
    }
    let page = visit.page(Section::AllOrganizations, words.all).await?.with(Call::command(&command));
    Ok(screen.show(t, page))
}

fn row(visit: &Visit, one: &ListedOrganization) -> Vec<Cell> {
    let (t, organization) = (visit.t, &one.row.organization);
    let slug = organization.slug.to_string();
    let small = match &one.parent {
        Some(parent) => format!("{slug} · {}", filled(t.operator.sub_account_of, parent.as_str())),
        None => slug,
    };
    let owner = one.owner.as_ref().map_or(t.operator.no_owner, |owner| owner.as_str());
    vec![
        Cell::Main {
            face: String::new(),
            mark: initials(organization.name.as_str()).chars().take(1).collect(),
            name: organization.name.to_string(),
            note: "",
            small,
            href: path_of(&organization.slug),
        },
        Cell::Text(owner.to_owned()),
        Cell::State(state(t, &one.row)),
        Cell::Time(moment(t, organization.created_at, visit.visitor.now)),
    ]
}
