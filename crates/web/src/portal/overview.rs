//! The overview: the account, the person, and what can be done.

use axum::http::StatusCode;
use axum::response::Response;
use tenantry_core::customer::Customer;

use super::billing::address_text;
use super::view::{Section, person, show as show_screen};
use super::visit::Guest;
use crate::pages::customers::members::role_name;
use crate::screen::{Act, Block, Empty, Fact, FactValue, Part, Row, Screen, Table};
use crate::time::moment;
use crate::view::filled;

pub(super) fn show(guest: &Guest) -> Response {
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let (name, email) = person(guest);
    let caller = &guest.known.caller;
    let customer = &caller.customer;
    let title = match email.is_empty() {
        true => words.welcome_nobody.to_owned(),
        false => filled(words.welcome, &name),
    };
    let mut facts = Vec::new();
    facts.extend(Fact::text(words.account_name, &account_name(customer)));
    facts.extend(Fact::text(words.signed_in_as, if email.is_empty() { &name } else { &email }));
    if guest.is_team() {
        facts.extend(Fact::text(words.role, guest.role().map_or("", |role| role_name(t, role))));
    }
    let until = moment(t, guest.session().expires_at, guest.visit.visitor.now);
    facts.push(Fact::new(words.until, FactValue::Time(until)));
    let rows = rows(guest, customer);
    let mut parts = vec![Part::titled(words.account, "", Block::Facts(facts))];
    parts.push(match rows.is_empty() {
        true => {
            let empty = Empty { icon: "check", title: words.nothing, text: words.nothing_text, act: None };
            Part::plain(Block::Table(Table::new(Vec::new(), Vec::new()).or(empty)))
        }
        false => Part::plain(Block::Rows(rows)),
    });
    let lead = filled(words.lead, guest.site().name());
    let screen = Screen { title, lead, parts, ..Screen::default() };
    show_screen(screen, StatusCode::OK, t, guest.page(Section::Overview, t.portal.overview))
}

fn account_name(customer: &Customer) -> String {
    customer.name.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A row for each section that is open to the person.
fn rows(guest: &Guest, customer: &Customer) -> Vec<Row> {
    let (words, rights, site) = (&guest.t.portal_pages, guest.rights(), guest.site());
    let row = |icon, title, small: String, page: &str, label| Row {
        icon,
        small,
        acts: vec![Act::to(site.to(page), label, "").quiet()],
        ..Row::new(title)
    };
    let mut rows = Vec::new();
    if rights.billing_details {
        let address = address_text(customer).unwrap_or_else(|| words.billing_none.to_owned());
        rows.push(row("log", words.billing, address, "billing", words.change));
    }
    if rights.email_change {
        let email = customer.email.as_ref().map(ToString::to_string).unwrap_or_default();
        rows.push(row("mail", words.address, email, "email", words.change));
    }
    if rights.team {
        rows.push(row("team", words.team, words.team_lead.to_owned(), "team", words.change));
    }
    rows
}
