//! The list of endpoints.

use tenantry_app::TeamPermission;
use tenantry_core::webhook::WebhookEndpoint;

use super::{format_name, path_of, state};
use crate::screen::{Act, Block, Cell, Column, Empty, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{Section, pages};
use crate::visit::{Answer, Here};

/// A page of endpoints.
pub(super) async fn list(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let t = here.t;
    let (own, rows) = ([here.organization.id], here.visit.rows());
    let found = here.app().webhook_endpoints(&here.by, &own, rows).await?;
    let href = here.to("webhooks");
    let at = (here.visit.page_number(), found.total);
    let pages = pages(t, at, (t.webhooks.one, t.webhooks.many), |page| address(&href, &[], page));
    let columns = vec![
        Column::new(t.webhooks.endpoint),
        Column::new(t.webhooks.format),
        Column::new(t.screens.state),
        Column::right(t.webhooks.events),
        Column::right(t.screens.created),
    ];
    let row = |endpoint: &WebhookEndpoint| {
        vec![
            Cell::thing(
                endpoint.url.as_str(),
                endpoint.name.as_deref().unwrap_or_default(),
                path_of(here, endpoint),
            ),
            Cell::Tag(format_name(t, endpoint.format).to_owned()),
            Cell::State(state(t, endpoint)),
            Cell::Number(endpoint.events.len().to_string()),
            Cell::Time(moment(t, endpoint.created_at, here.visit.visitor.now)),
        ]
    };
    let create = || Act::to(here.to("webhooks/new"), t.webhooks.create, "plus");
    let rows = found.items.iter().map(row).collect();
    let table = Table::new(columns, rows).paged(pages).or(Empty {
        icon: "hook",
        title: t.webhooks.none,
        text: t.webhooks.none_text,
        act: Some(create()),
    });
    let screen = Screen {
        title: t.webhooks.title.to_owned(),
        lead: t.webhooks.lead.to_owned(),
        acts: vec![create()],
        parts: vec![Part::plain(Block::Table(table))],
        ..Screen::default()
    };
    let call = here.call("GET", "/v1/webhooks/endpoints".to_owned(), "");
    Ok(screen.show(t, here.page(Section::Webhooks, t.webhooks.title).await?.with(call)))
}
