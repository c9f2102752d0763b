//! The invitations of an organization: the list, sending one again, revoking one.

use std::iter::once;

use tenantry_app::TeamPermission;
use tenantry_app::invitations::{InvitationDetails, InvitationResend, InvitationRevoke};
use tenantry_core::invitation::InvitationStatus;
use tenantry_store::{InvitationFilter, InvitationSortKey, Order};

use super::{id_of_path, link, state};
use crate::pages::team;
use crate::screen::{
    Act, Block, Cell, Column, Empty, Filters, Link, Menu, Part, Screen, Shown, Table, address,
};
use crate::time::moment;
use crate::view::{Section, filled, pages, role_name};
use crate::visit::{Answer, Here, done};

/// A page of invitations, the newest first.
pub(super) async fn list(here: &Here) -> Answer {
    here.check(TeamPermission::ReadTeam)?;
    let (t, words, visitor) = (here.t, &here.t.invitations, &here.visit.visitor);
    let (query, status) = (visitor.parameter("query"), visitor.parameter("status"));
    let filter = InvitationFilter {
        status: InvitationStatus::from_name(&status),
        query: Some(query.trim().to_owned()).filter(|query| !query.is_empty()),
    };
    let order = [Order { by: InvitationSortKey::CreatedAt, descending: true }];
    let own = here.organization.id;
    let found = here.app().invitations(&here.by, own, &filter, &order, here.visit.rows()).await?;
    let may_manage = here.may(TeamPermission::ManageTeam);
    let href = here.to("team/invitations");
    let link = |page| address(&href, &[("query", &query), ("status", &status)], page);
    let at = (here.visit.page_number(), found.total);
    let mut columns = vec![
        Column::new(t.screens.email),
        Column::new(t.team.role),
        Column::new(t.screens.state),
        Column::extra(words.by),
        Column::right(words.expires),
    ];
    if may_manage {
        columns.push(Column::right(""));
    }
    let invite = || may_manage.then(|| Act::to(here.to("team/invite"), words.invite, "plus"));
    let is_filtered = !query.is_empty() || !status.is_empty();
    let empty = match is_filtered {
        true => Empty {
            icon: "search",
            title: t.ui.nothing_found,
            text: words.nothing_found,
            act: Some(Act::to(href.clone(), t.ui.clear, "").quiet()),
        },
        false => Empty { icon: "mail", title: words.none, text: words.none_text, act: invite() },
    };
    let rows = found.items.iter().map(|details| row(here, details, may_manage)).collect();
    let table = Table::new(columns, rows).paged(pages(t, at, (words.one, words.many), link)).or(empty);
    let mut parts = vec![Part::plain(Block::Table(table))];
    if is_filtered || found.total > 0 {
        let option = |status: InvitationStatus| (status.as_str().to_owned(), state(t, status).word);
        let options = InvitationStatus::ALL.map(option);
        let options = once((String::new(), words.any_state.to_owned())).chain(options);
        let filters = Filters::new(href).search(words.search, &query);
        let filters = filters.select(("status", t.screens.state), &status, options);
        parts.insert(0, Part::plain(Block::Filters(filters)));
    }
    let screen = Screen {
        title: t.team.title.to_owned(),
        lead: filled(t.team.lead, here.organization.name.as_str()),
        acts: invite().into_iter().collect(),
        tabs: team::tabs(here, "team/invitations"),
        parts,
        ..Screen::default()
    };
    let call = here.call("GET", format!("/v1/organizations/{own}/invitations"), "");
    Ok(screen.show(t, here.page(Section::Team, words.title).await?.with(call)))
}

fn row(here: &Here, details: &InvitationDetails, may_manage: bool) -> Vec<Cell> {
    let (t, now, invitation) = (here.t, here.visit.visitor.now, &details.invitation);
    let (words, status) = (&t.invitations, invitation.status(now));
    let email = invitation.email.to_string();
    let name = invitation.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut cells = vec![
        Cell::thing(&email, &name, String::new()),
        Cell::Tag(role_name(t, invitation.role).to_owned()),
        Cell::State(state(t, status)),
        Cell::Text(details.inviter_name.clone().unwrap_or_default()),
        Cell::Time(moment(t, invitation.expires_at, now)),
    ];
    if may_manage {
        let path = here.to(&format!("team/invitations/{}", invitation.id));
        let items = match status {
            InvitationStatus::Pending | InvitationStatus::Expired => vec![
                (Act::now(format!("{path}/resend"), words.resend, "again"), false),
                (Act::now(format!("{path}/revoke"), words.revoke, "close"), true),
            ],
            InvitationStatus::Accepted | InvitationStatus::Declined | InvitationStatus::Revoked => Vec::new(),
        };
        cells.push(Cell::Menu(Menu { label: filled(t.screens.actions_of, &email), items }));
    }
    cells
}

/// Sends an invitation again. Without a mail server, its new link is shown.
pub(super) async fn resend(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    let resend = InvitationResend {
        by: here.by.clone(),
        organization: here.organization.id,
        invitation: id_of_path(here)?,
        send_email: here.visit.visitor.console.sends_mail,
        hash_key: here.app().hash_key().clone(),
    };
    let list = here.to("team/invitations");
    let issued = here.write(resend).await?;
    let Some(secret) = issued.secret else { return done(&list, "sent") };
    let (t, words) = (here.t, &here.t.invitations);
    let shown = Shown {
        title: words.link.to_owned(),
        lead: filled(words.link_lead, issued.details.invitation.email.as_str()),
        secret: link(&here.visit.visitor, &secret),
        example: ("", "", String::new()),
        back: Link { href: list, label: words.title.to_owned() },
        stored: words.link_done,
    };
    Ok(shown.screen().show(t, here.page(Section::Team, words.link).await?))
}

/// Revokes an invitation.
pub(super) async fn revoke(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    let (by, organization) = (here.by.clone(), here.organization.id);
    here.write(InvitationRevoke { by, organization, invitation: id_of_path(here)? }).await?;
    done(&here.to("team/invitations"), "revoked")
}
