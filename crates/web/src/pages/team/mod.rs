//! The team of an organization: people, roles, and the transfer of the ownership.

mod add;
mod list;
mod member;
mod offer;
mod roles;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_core::team::{TeamMember, TeamRole};

use super::here;
use crate::Console;
use crate::screen::{Choice, Tab};
use crate::texts::Texts;
use crate::view::role_name;
use crate::visit::{Here, page};

pub(super) use offer::note as offer_note;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("team"), get(page!(Here, list::list)))
        .route(&here("team/add"), get(page!(Here, add::new)).post(page!(Here, add::create)))
        .route(&here("team/roles"), get(page!(Here, roles::show)))
        .route(&here("team/transfer"), get(page!(Here, offer::ask)).post(page!(Here, offer::offer)))
        .route(&here("team/transfer/accept"), post(page!(Here, offer::accept)))
        .route(&here("team/transfer/end"), post(page!(Here, offer::end)))
        .route(
            &here("team/people/{user}"),
            get(page!(Here, member::show)).post(page!(Here, member::set_role)),
        )
        .route(
            &here("team/people/{user}/remove"),
            get(page!(Here, member::ask_remove)).post(page!(Here, member::remove)),
        )
        .route(&here("leave"), get(page!(Here, member::ask_leave)).post(page!(Here, member::leave)))
}

/// The pages about the team. `current` is the last part of the address of one of them.
pub(super) fn tabs(here: &Here, current: &str) -> Vec<Tab> {
    let tab = |label, page: &str| Tab {
        href: here.to(page),
        label,
        current: page == current,
        count: String::new(),
    };
    vec![
        tab(here.t.people.members, "team"),
        tab(here.t.invitations.title, "team/invitations"),
        tab(here.t.people.roles, "team/roles"),
    ]
}

/// The name of a person, or the address.
fn name_of(member: &TeamMember) -> String {
    member.name.as_ref().map_or_else(|| member.email.to_string(), ToString::to_string)
}

/// The roles that a person can be given.
pub(super) fn role_choices(t: &'static Texts) -> Vec<Choice> {
    let given = TeamRole::ALL.into_iter().filter(|role| *role != TeamRole::Owner);
    let choice = |role: TeamRole| {
        let is_first = role == TeamRole::Developer;
        Choice::new(role.as_str(), role_name(t, role)).with(role_text(t, role)).chosen(is_first)
    };
    given.map(choice).collect()
}

/// A role that a person can be given.
pub(super) fn read_role(name: &str) -> Result<TeamRole, ()> {
    TeamRole::from_name(name).filter(|role| *role != TeamRole::Owner).ok_or(())
}

const fn role_text(t: &'static Texts, role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => t.people.owner_text,
        TeamRole::Administrator => t.people.administrator_text,
        TeamRole::Developer => t.people.developer_text,
        TeamRole::Analyst => t.people.analyst_text,
        TeamRole::BillingManager => t.people.billing_manager_text,
    }
}
