//! The overview of an organization.

use tenantry_app::console::OrganizationNumbers;
use tenantry_app::{Error, TeamPermission};
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::WebhookEndpoint;

use crate::ROOT;
use crate::pages::{audit_log, team};
use crate::screen::{Act, Block, Danger, Fact, FactValue, Note, Part, Screen, Step, Tile};
use crate::time::moment;
use crate::view::{Section, filled, number};
use crate::visit::{Answer, Here};

/// Endpoints that the overview looks at.
const ENDPOINTS: u64 = 20;

/// The overview of an organization.
pub(super) async fn overview(here: &Here) -> Answer {
    let (t, organization) = (here.t, &here.organization);
    let numbers = here.app().organization_numbers(&here.by, organization.id).await?;
    let OrganizationNumbers { people, customers, tokens } = numbers;
    let tiles = [
        (t.overview.people, people, "team"),
        (t.overview.customers, customers, "customers"),
        (t.overview.tokens, tokens, "tokens"),
    ];
    let tile = |(label, value, page): (_, Option<u64>, &str)| {
        Some(Tile { label, value: number(t, value?), href: here.to(page) })
    };
    let created = moment(t, organization.created_at, here.visit.visitor.now);
    let facts = vec![
        Fact::new(t.overview.id, FactValue::Id(organization.id.to_string())),
        Fact::new(t.overview.slug, FactValue::Id(organization.slug.to_string())),
        Fact::new(t.overview.created, FactValue::Time(created)),
    ];
    let mut parts: Vec<Part> = team::offer_note(here).await?.into_iter().collect();
    parts.extend(switched_off(here).await?);
    parts.push(Part::plain(Block::Tiles(tiles.into_iter().filter_map(tile).collect())));
    parts.extend(first_steps(here, &numbers));
    parts.push(Part::titled(t.overview.identity, "", Block::Facts(facts)));
    parts.extend(audit_log::history(here, organization.id.uuid()).await?);
    if here.member.role != TeamRole::Owner {
        parts.push(Part::plain(Block::Dangers(vec![Danger {
            title: t.people.leave,
            text: t.people.leave_text.to_owned(),
            button: t.people.leave_button,
            href: here.to("leave"),
        }])));
    }
    let screen = Screen {
        title: organization.name.to_string(),
        lead: t.overview.identity_lead.to_owned(),
        parts,
        ..Screen::default()
    };
    let call = here.call("GET", format!("/v1/organizations/{}", organization.id), "");
    Ok(screen.show(t, here.page(Section::Overview, t.nav.overview).await?.with(call)))
}

/// The steps that make a new organization ready for work, until all are done.
fn first_steps(here: &Here, numbers: &OrganizationNumbers) -> Option<Part> {
    let words = &here.t.overview;
    let OrganizationNumbers { people, customers, tokens } = *numbers;
    // A person without all three rights cannot take all the steps.
    let done = [people? > 1, tokens? > 0, customers? > 0];
    let has_passkeys = here.visit.visitor.console.relying_party.is_some();
    let needs_passkey = has_passkeys && !here.by.has_passkey();
    if done == [true; 3] && !needs_passkey {
        return None;
    }
    let steps = [
        (words.invite, words.invite_text, here.to("team/invite"), here.t.invitations.invite),
        (words.token, words.token_text, here.to("tokens/new"), here.t.tokens.create),
        (words.customer, words.customer_text, here.to("customers/new"), here.t.customers.add),
    ];
    let passkey = (words.passkey, words.passkey_text, format!("{ROOT}/passkeys"), here.t.passkeys.add);
    let own = has_passkeys.then_some((passkey, !needs_passkey));
    let step = |((title, text, href, label), is_done)| Step {
        title,
        text,
        is_done,
        act: Act::to(href, label, "").quiet(),
    };
    let steps = own.into_iter().chain(steps.into_iter().zip(done)).map(step).collect();
    Some(Part::titled(words.steps, words.steps_lead, Block::Steps(steps)))
}

/// The notes about endpoints that the server switched off, for people who can mend them.
async fn switched_off(here: &Here) -> Result<Vec<Part>, Error> {
    if !here.may(TeamPermission::ManageOrganization) {
        return Ok(Vec::new());
    }
    let (t, own) = (here.t, [here.organization.id]);
    let first = tenantry_store::Page { offset: 0, limit: ENDPOINTS };
    let endpoints = here.app().webhook_endpoints(&here.by, &own, first).await?.items;
    let off = endpoints.iter().filter(|endpoint| !endpoint.enabled && endpoint.disabled_reason.is_some());
    let note = |endpoint: &WebhookEndpoint| {
        let act = Act::to(here.to(&format!("webhooks/{}", endpoint.id)), t.webhooks.endpoint, "").quiet();
        Part::plain(Block::Note(Note {
            kind: "bad",
            icon: "alert",
            title: t.overview.off.to_owned(),
            text: filled(t.overview.off_text, endpoint.url.as_str()),
            acts: vec![act],
        }))
    };
    Ok(off.map(note).collect())
}
