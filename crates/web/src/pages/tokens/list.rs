//! The list of tokens.

use tenantry_app::TeamPermission;
use tenantry_core::token::AccessToken;
use tenantry_store::{AccessTokenKey, Order};

use super::{name_of, state};
use crate::screen::{Act, Block, Cell, Column, Empty, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{Section, filled, pages};
use crate::visit::{Answer, Here};

/// A page of tokens, the newest first.
pub(super) async fn list(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let t = here.t;
    let order = [Order { by: AccessTokenKey::CreatedAt, descending: true }];
    let (own, rows) = ([here.organization.id], here.visit.rows());
    let found = here.app().access_tokens(&here.by, &own, None, &order, rows).await?;
    let href = here.to("tokens");
    let at = (here.visit.page_number(), found.total);
    let pages = pages(t, at, (t.tokens.one, t.tokens.many), |page| address(&href, &[], page));
    let columns = vec![
        Column::new(t.tokens.token),
        Column::new(t.tokens.scopes),
        Column::new(t.screens.state),
        Column::extra(t.tokens.networks),
        Column::right(t.tokens.last_use),
    ];
    let create = || Act::to(here.to("tokens/new"), t.tokens.create, "plus");
    let rows = found.items.iter().map(|token| row(here, token)).collect();
    let table = Table::new(columns, rows).paged(pages).or(Empty {
        icon: "key",
        title: t.tokens.none,
        text: t.tokens.none_text,
        act: Some(create()),
    });
    let screen = Screen {
        title: t.tokens.title.to_owned(),
        lead: t.tokens.lead.to_owned(),
        acts: vec![create()],
        parts: vec![Part::plain(Block::Table(table))],
        ..Screen::default()
    };
    let call = here.call("GET", "/v1/organization-access-tokens".to_owned(), "");
    Ok(screen.show(t, here.page(Section::Tokens, t.tokens.title).await?.with(call)))
}

fn row(here: &Here, token: &AccessToken) -> Vec<Cell> {
    let (t, now) = (here.t, here.visit.visitor.now);
    let scopes = token.scopes().as_slice();
    let scopes = match scopes {
        all if all.iter().any(|scope| scope.as_str() == "*") => t.tokens.all_scopes.to_owned(),
        [only] => only.to_string(),
        some => filled(t.tokens.some_scopes, &some.len().to_string()),
    };
    let networks: Vec<String> = token.ip_allow_list.entries().take(2).collect();
    let more = if token.ip_allow_list.len() > networks.len() { ", …" } else { "" };
    vec![
        Cell::thing(&name_of(token), "", here.to(&format!("tokens/{}", token.id))),
        Cell::Tag(scopes),
        Cell::State(state(t, token, now)),
        Cell::Code(format!("{}{more}", networks.join(", "))),
        match token.last_used_at {
            Some(at) => Cell::Time(moment(t, at, now)),
            None => Cell::Text(t.screens.never.to_owned()),
        },
    ]
}
