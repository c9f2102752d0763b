//! The organizations whose team the person is in.

use tenantry_core::organization::Organization;
use tenantry_core::team::TeamRole;
use tenantry_store::{Order, OrganizationFilter, OrganizationKey};

use crate::ROOT;
use crate::screen::{Act, Block, Cell, Column, Empty, Filters, Note, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{Section, filled, initials, pages, role_name};
use crate::visit::{Answer, Visit};

/// A page of the organizations whose team the person is in.
pub(super) async fn list(visit: &Visit) -> Answer {
    let (t, slug) = (visit.t, visit.visitor.parameter("query"));
    let filter = OrganizationFilter {
        visible: Some(visit.by.organizations().to_vec()),
        slug: Some(slug.trim().to_owned()).filter(|slug| !slug.is_empty()),
        order: vec![Order { by: OrganizationKey::Name, descending: false }],
    };
    let found = visit.app().organizations(&visit.by, &filter, visit.rows()).await?;
    let row = |organization: &Organization| {
        let role = visit.by.role_in(organization.id);
        let name = role.map_or("", |role| role_name(t, role)).to_owned();
        let initial = initials(organization.name.as_str()).chars().take(1).collect();
        vec![
            Cell::Main {
                face: String::new(),
                mark: initial,
                name: organization.name.to_string(),
                note: "",
                small: organization.slug.to_string(),
                href: format!("{ROOT}/organizations/{}", organization.slug),
            },
            if role == Some(TeamRole::Owner) { Cell::Strong(name) } else { Cell::Tag(name) },
            Cell::Time(moment(t, organization.created_at, visit.visitor.now)),
        ]
    };
    let href = format!("{ROOT}/organizations");
    let link = |page| address(&href, &[("query", &slug)], page);
    let words = (t.organizations.one, t.organizations.many);
    let pages = pages(t, (visit.page_number(), found.total), words, link);
    let columns = vec![
        Column::new(t.organizations.organization),
        Column::new(t.my_organizations.role),
        Column::right(t.organizations.created),
    ];
    let table = Table::new(columns, found.items.iter().map(row).collect()).paged(pages);
    let table = table.or(empty(visit, &slug, &href));
    let hidden = visit.by.hidden_organizations();
    let mut parts = Vec::new();
    if hidden == 0 || found.total > 0 || !slug.is_empty() {
        parts.push(Part::plain(Block::Table(table)));
    }
    // A short list needs no search.
    if visit.by.organizations().len() > 10 {
        let filters = Filters::new(href).search(t.my_organizations.search, &slug);
        parts.insert(0, Part::plain(Block::Filters(filters)));
    }
    if hidden > 0 {
        parts.insert(0, Part::plain(Block::Note(hidden_note(visit, hidden))));
    }
    let screen = Screen {
        title: t.my_organizations.title.to_owned(),
        lead: t.my_organizations.lead.to_owned(),
        acts: vec![Act::to(format!("{ROOT}/new-organization"), t.new_organization.create, "plus")],
        parts,
        ..Screen::default()
    };
    let page = visit.page(Section::Organizations, t.my_organizations.title).await?;
    Ok(screen.show(t, page.with_call(&visit.visitor, "/v1/organizations".to_owned())))
}

/// Says that the person is in no team, or that the search has found nothing.
fn empty(visit: &Visit, slug: &str, href: &str) -> Empty {
    let t = visit.t;
    match slug.is_empty() {
        true => Empty {
            icon: "orgs",
            title: t.my_organizations.none,
            text: t.my_organizations.none_text,
            act: None,
        },
        false => Empty {
            icon: "search",
            title: t.ui.nothing_found,
            text: t.my_organizations.nothing_found,
            act: Some(Act::to(href.to_owned(), t.ui.clear, "").quiet()),
        },
    }
}

/// The organizations that require a passkey, and the way to them.
fn hidden_note(visit: &Visit, hidden: usize) -> Note {
    let words = &visit.t.passkey_rule;
    let href = match visit.by.has_passkey() {
        true => format!("{ROOT}/step-up?next={ROOT}/organizations"),
        false => format!("{ROOT}/passkeys"),
    };
    Note {
        kind: "",
        icon: "lock",
        title: String::new(),
        text: filled(words.hidden, &hidden.to_string()),
        acts: vec![Act::to(href, words.show_hidden, "").quiet()],
    }
}
