//! The rights of each role, by the rule that the API and these pages ask.

use tenantry_app::TeamPermission;
use tenantry_core::team::TeamRole;

use super::tabs;
use crate::screen::{Block, Cell, Column, Part, Screen, Table};
use crate::texts::Texts;
use crate::view::{Section, filled, role_name};
use crate::visit::{Answer, Here};

const fn right_name(t: &'static Texts, right: TeamPermission) -> &'static str {
    match right {
        TeamPermission::ReadCustomers => t.roles.read_customers,
        TeamPermission::ManageCustomers => t.roles.manage_customers,
        TeamPermission::ReadTeam => t.roles.read_team,
        TeamPermission::ManageTeam => t.roles.manage_team,
        TeamPermission::ManageOrganization => t.roles.manage_organization,
        TeamPermission::TransferOwnership => t.roles.transfer,
    }
}

/// The page of the roles.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ReadTeam)?;
    let t = here.t;
    let roles = TeamRole::ALL.map(|role| Column::new(role_name(t, role)));
    let columns = [Column::new(t.roles.right)].into_iter().chain(roles).collect();
    let row = |right: TeamPermission| {
        let granted = TeamRole::ALL.map(|role| Cell::Check(role.grants(right)));
        [Cell::Text(right_name(t, right).to_owned())].into_iter().chain(granted).collect()
    };
    let rows = TeamPermission::ALL.into_iter().map(row).collect();
    let table = Table { is_matrix: true, ..Table::new(columns, rows) };
    let screen = Screen {
        title: t.team.title.to_owned(),
        lead: filled(t.team.lead, here.organization.name.as_str()),
        tabs: tabs(here, "team/roles"),
        parts: vec![Part::plain(Block::Table(table)), Part::plain(Block::Text(t.roles.lead.to_owned()))],
        ..Screen::default()
    };
    let call = here.call("GET", format!("/v1/organizations/{}/roles", here.organization.id), "");
    Ok(screen.show(t, here.page(Section::Team, t.people.roles).await?.with(call)))
}
