//! The invitations that wait for the person's proved address.

use tenantry_app::Error;
use tenantry_app::invitations::{InvitationAccept, InvitationDecline, InvitationDetails, InvitationKey};
use tenantry_core::ids::{InvitationId, OrganizationId};

use crate::ROOT;
use crate::screen::{Act, Block, Empty, Part, Row, Screen, Table};
use crate::time::moment;
use crate::view::{Section, filled, role_name};
use crate::visit::{Answer, Visit, done};

/// The invitations that wait.
pub(super) async fn list(visit: &Visit) -> Answer {
    let (t, words, now) = (visit.t, &visit.t.invitations, visit.visitor.now);
    let waiting = visit.app().invitations_for(&visit.by).await?;
    let row = |details: &InvitationDetails| {
        let invitation = &details.invitation;
        let path = format!("{ROOT}/invitations/{}/{}", invitation.organization, invitation.id);
        let inviter = details.inviter_name.as_deref().unwrap_or(&details.organization_name);
        let text = filled(&filled(words.gate_lead, inviter), role_name(t, invitation.role));
        let ends = moment(t, invitation.expires_at, now).relative;
        Row {
            icon: "mail",
            small: format!("{text} {}", filled(words.ends, &ends)),
            acts: vec![
                Act::now(format!("{path}/decline"), words.decline, "").quiet(),
                Act::now(format!("{path}/accept"), words.accept, ""),
            ],
            ..Row::new(&details.organization_name)
        }
    };
    let block = match waiting.is_empty() {
        true => Block::Table(Table::new(Vec::new(), Vec::new()).or(Empty {
            icon: "mail",
            title: words.nothing_waits,
            text: words.nothing_waits_text,
            act: None,
        })),
        false => Block::Rows(waiting.iter().map(row).collect()),
    };
    let screen = Screen {
        title: words.title.to_owned(),
        lead: words.waiting_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(block)],
        ..Screen::default()
    };
    let page = visit.page(Section::Invitations, words.title).await?;
    Ok(screen.show(t, page.with_call(&visit.visitor, "/v1/users/me/invitations".to_owned())))
}

fn key(visit: &Visit) -> Result<InvitationKey, Error> {
    let organization = OrganizationId::new(visit.id("organization")?);
    Ok(InvitationKey::Id(organization, InvitationId::new(visit.id("id")?)))
}

/// Joins the team.
pub(super) async fn accept(visit: &Visit) -> Answer {
    let hash_key = visit.app().hash_key().clone();
    visit.write(InvitationAccept { by: visit.by.clone(), key: key(visit)?, hash_key }).await?;
    done(&format!("{ROOT}/organizations"), "accepted")
}

/// Declines the invitation.
pub(super) async fn decline(visit: &Visit) -> Answer {
    let hash_key = visit.app().hash_key().clone();
    visit.write(InvitationDecline { by: visit.by.clone(), key: key(visit)?, hash_key }).await?;
    done(&format!("{ROOT}/invitations"), "declined")
}
