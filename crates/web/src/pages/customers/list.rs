//! The list of customers.

use tenantry_app::members::CustomerRef;
use tenantry_app::{Error, TeamPermission};
use tenantry_core::customer::{Customer, CustomerError, CustomerKind};
use tenantry_core::ids::CustomerId;
use tenantry_core::values::EmailAddress;
use tenantry_store::{CustomerFilter, CustomerKey, Order, Paged};
use uuid::Uuid;

use super::{kind_name, name_of, path_of};
use crate::screen::{Act, Block, Cell, Column, Empty, Filters, Part, Screen, Table, address};
use crate::time::moment;
use crate::view::{Section, filled, pages};
use crate::visit::{Answer, Here};

/// The orders, by the name in the address of the page.
const ORDERS: [(&str, CustomerKey, bool); 4] = [
    ("newest", CustomerKey::CreatedAt, true),
    ("oldest", CustomerKey::CreatedAt, false),
    ("name", CustomerKey::Name, false),
    ("email", CustomerKey::Email, false),
];

/// A page of customers, searched and ordered.
pub(super) async fn list(here: &Here) -> Answer {
    here.check(TeamPermission::ReadCustomers)?;
    let t = here.t;
    let (query, sorting) = (here.visit.visitor.parameter("query"), here.visit.visitor.parameter("sorting"));
    let chosen = here.visit.visitor.parameter("kind");
    let found = search(here, query.trim(), (&sorting, &chosen)).await?;
    let may_manage = here.may(TeamPermission::ManageCustomers);
    let href = here.to("customers");
    let mut acts = vec![
        Act::to(here.to("customers/export.csv"), t.customers.export, "download").quiet(),
        Act::to(here.to("customers/new"), t.customers.add, "plus"),
    ];
    if !may_manage {
        acts.truncate(1);
    }
    let orders = [t.customers.newest, t.customers.oldest, t.customers.by_name, t.customers.by_email];
    let orders =
        ORDERS.iter().zip(orders).map(|((value, ..), label)| ((*value).to_owned(), label.to_owned()));
    let kinds = [CustomerKind::Individual, CustomerKind::Team];
    let kinds = kinds.map(|kind| (kind.as_str().to_owned(), kind_name(t, kind).to_owned()));
    let kinds = [(String::new(), t.customers.any_kind.to_owned())].into_iter().chain(kinds);
    let filters = Filters::new(href.clone())
        .search(t.customers.search, &query)
        .select(("kind", t.customers.kind), &chosen, kinds)
        .select(("sorting", t.screens.order), &sorting, orders);
    let is_all = query.is_empty() && chosen.is_empty();
    let empty = match is_all {
        true => Empty {
            icon: "customers",
            title: t.customers.none,
            text: t.customers.none_text,
            act: may_manage.then(|| Act::to(here.to("customers/new"), t.customers.add, "plus")),
        },
        false => Empty {
            icon: "search",
            title: t.ui.nothing_found,
            text: t.customers.nothing_found,
            act: Some(Act::to(href.clone(), t.ui.clear, "").quiet()),
        },
    };
    let link = |page| address(&href, &[("query", &query), ("kind", &chosen), ("sorting", &sorting)], page);
    let at = (here.visit.page_number(), found.total);
    let table = Table::new(
        vec![
            Column::new(t.customers.customer),
            Column::new(t.customers.kind),
            Column::extra(t.customers.external_id),
            Column::right(t.screens.created),
        ],
        found.items.iter().map(|customer| row(here, customer)).collect(),
    );
    let table = table.paged(pages(t, at, (t.customers.one, t.customers.many), link)).or(empty);
    let mut parts = vec![Part::plain(Block::Table(table))];
    if found.total > 0 || !is_all {
        parts.insert(0, Part::plain(Block::Filters(filters)));
    }
    if let Some(undo) = undo(here) {
        parts.insert(0, undo);
    }
    let screen = Screen {
        title: t.customers.title.to_owned(),
        lead: filled(t.customers.lead, here.organization.name.as_str()),
        acts,
        parts,
        ..Screen::default()
    };
    let page = here.page(Section::Customers, t.customers.title).await?;
    let call = here.call("GET", address("/v1/customers", &[("query", query.trim())], 1), "");
    Ok(screen.show(t, page.with(call)))
}

/// The offer to bring back the customer that was just deleted.
fn undo(here: &Here) -> Option<Part> {
    let deleted: Uuid = here.visit.visitor.parameter("undo").parse().ok()?;
    let acts = vec![
        Act::now(here.to(&format!("customers/{deleted}/restore")), here.t.customers.restore, "again").quiet(),
    ];
    let (title, text) = (here.t.done.deleted.to_owned(), here.t.customers.restore_text.to_owned());
    Some(Part::plain(Block::Note(crate::screen::Note { kind: "ok", icon: "check", title, text, acts })))
}

/// The customers that a text selects. An id, or the whole address of a customer, selects that one by an index.
async fn search(here: &Here, query: &str, (sorting, kind): (&str, &str)) -> Result<Paged<Customer>, Error> {
    let kind = CustomerKind::from_name(kind);
    if let Ok(id) = query.parse::<Uuid>() {
        return match here.app().customer(&here.by, &CustomerRef::Id(CustomerId::new(id))).await {
            Ok(customer) => Ok(Paged { items: vec![customer], total: 1 }),
            Err(Error::Customer(CustomerError::NotFound)) => Ok(Paged { items: Vec::new(), total: 0 }),
            Err(error) => Err(error),
        };
    }
    let order = ORDERS.iter().find(|(name, ..)| *name == sorting);
    let order = order.map(|(_, by, descending)| Order { by: *by, descending: *descending });
    let any = CustomerFilter {
        organizations: vec![here.organization.id],
        email_key: None,
        query: None,
        metadata: Vec::new(),
        kind,
        order: order.into_iter().collect(),
        in_brief: true,
    };
    if let Ok(email) = EmailAddress::parse(query) {
        let filter = CustomerFilter { email_key: Some(email.key().to_owned()), ..any.clone() };
        let found = here.app().customers(&here.by, &filter, here.visit.rows()).await?;
        if found.total > 0 {
            return Ok(found);
        }
    }
    let filter = CustomerFilter { query: Some(query.to_owned()).filter(|query| !query.is_empty()), ..any };
    here.app().customers(&here.by, &filter, here.visit.rows()).await
}

fn row(here: &Here, customer: &Customer) -> Vec<Cell> {
    let name = name_of(customer);
    let email = customer.contact().map(ToString::to_string).filter(|email| *email != name);
    let external_id = customer.external_id.as_ref().map(ToString::to_string);
    vec![
        Cell::person(&name, &email.unwrap_or_default(), path_of(here, customer.id)),
        Cell::Tag(kind_name(here.t, customer.kind).to_owned()),
        Cell::Code(external_id.unwrap_or_default()),
        Cell::Time(moment(here.t, customer.created_at, here.visit.visitor.now)),
    ]
}
