//! The form that invites people, one or many, and what became of each.

use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::invitations::{BulkItem, BulkResult, BulkStatus, InvitationBulkCreate};
use tenantry_core::invitation::NewInvitation;
use tenantry_core::values::{EmailAddress, Lifetime, Metadata};

use super::link;
use crate::pages::team::{read_role, role_choices};
use crate::screen::{
    Act, Block, Choice, Fault, FormView, Link, Note, Part, Reading, Row, Screen, State, refused,
};
use crate::view::{Section, filled};
use crate::visit::{Answer, Here, status};

/// People who are invited at once.
const AT_ONCE: usize = 100;
/// Days for which an invitation can be accepted.
const DAYS: [i64; 4] = [1, 7, 14, 30];
const DAY_S: i64 = 24 * 60 * 60;

/// The form.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    show(here, Vec::new()).await
}

async fn show(here: &Here, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.invitations);
    let back = Link { href: here.to("team/invitations"), label: words.title.to_owned() };
    let entered = here.visit.form.clone();
    let day = |days: i64| {
        let label = if days == 1 { words.one_day.to_owned() } else { filled(words.days, &days.to_string()) };
        Choice::new(&(days * DAY_S).to_string(), &label).chosen(days == 7)
    };
    let form =
        FormView::new(here.to("team/invite"), words.submit, back.href.clone(), entered, faults.clone())
            .broad()
            .area(
                ("addresses", words.addresses, words.addresses_hint),
                "required placeholder=\"jordan@example.com\"",
            )
            .radio(("role", t.team.role, ""), role_choices(t))
            .select(("expires_in", words.valid, ""), DAYS.map(day).into());
    let mut parts = Vec::new();
    let sends_mail = here.visit.visitor.console.sends_mail;
    if !sends_mail {
        let (title, text) = (words.no_mail.to_owned(), words.no_mail_text.to_owned());
        let note = Note { kind: "warn", icon: "mail", title, text, acts: Vec::new() };
        parts.push(Part::plain(Block::Note(note)));
    }
    parts.push(Part::plain(Block::Form(form)));
    let screen = Screen {
        back: Some(back),
        title: words.invite.to_owned(),
        lead: if sends_mail { words.invite_lead } else { words.invite_lead_link }.to_owned(),
        slim: true,
        parts,
        ..Screen::default()
    };
    let body = json!({"email": "jane@example.com", "role": "member"}).to_string();
    let path = format!("/v1/organizations/{}/invitations", here.organization.id);
    let page = here.page(Section::Team, words.invite).await?.with(here.call("POST", path, &body));
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// The addresses of a text: separated by line breaks, commas or semicolons.
fn addresses(text: &str) -> Vec<String> {
    let parts = text.split(['\n', ',', ';']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// Invites the people.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageTeam)?;
    let (t, f, words) = (here.t, &here.t.faults, &here.t.invitations);
    let mut reading = Reading::new(&here.visit.form);
    let in_bounds = |text: &str| {
        let found = addresses(text);
        if (1..=AT_ONCE).contains(&found.len()) { Ok(found) } else { Err(()) }
    };
    let people = reading.field("addresses", in_bounds, words.addresses_wrong);
    let role = reading.field("role", read_role, f.choice);
    let lifetime = |text: &str| Lifetime::from_seconds(text.parse().unwrap_or(0));
    let expires_in = reading.optional("expires_in", lifetime, f.choice);
    let (Some(people), Some(role)) = (people, role) else { return show(here, reading.faults).await };
    if reading.has_faults() {
        return show(here, reading.faults).await;
    }
    let item = |address: &String| {
        let new =
            |email| NewInvitation { email, name: None, role, expires_in, metadata: Metadata::default() };
        BulkItem { new: EmailAddress::parse(address).map(new).map_err(|_| f.email.to_owned()) }
    };
    let invite = InvitationBulkCreate {
        by: here.by.clone(),
        organization: here.organization.id,
        items: people.iter().map(item).collect(),
        send_email: here.visit.visitor.console.sends_mail,
        hash_key: here.app().hash_key().clone(),
    };
    match here.write(invite).await {
        Ok(results) => invited(here, &people, &results).await,
        Err(error) => show(here, refused(t, error)?).await,
    }
}

/// The page that says what became of each address.
async fn invited(here: &Here, people: &[String], results: &[BulkResult]) -> Answer {
    let (t, words) = (here.t, &here.t.invitations);
    let row = |(address, result): (&String, &BulkResult)| Row {
        small: result.error.clone().unwrap_or_default(),
        state: Some(match result.status {
            BulkStatus::Created => State::new("ok", words.invited),
            BulkStatus::Pending => State::new("warn", words.invited_before),
            BulkStatus::Member => State::new("off", words.in_team),
            BulkStatus::Invalid => State::new("bad", words.refused),
        }),
        copy: result.secret.as_ref().map(|secret| link(&here.visit.visitor, secret)).unwrap_or_default(),
        ..Row::new(address)
    };
    let created = results.iter().filter(|result| result.status == BulkStatus::Created).count();
    let title = match created {
        0 => words.none_invited.to_owned(),
        1 => words.one_invited.to_owned(),
        number => filled(words.many_invited, &number.to_string()),
    };
    let screen = Screen {
        back: Some(Link { href: here.to("team/invitations"), label: words.title.to_owned() }),
        title,
        lead: words.invited_lead.to_owned(),
        acts: vec![Act::to(here.to("team/invite"), words.more, "").quiet()],
        slim: true,
        parts: vec![Part::plain(Block::Rows(people.iter().zip(results).map(row).collect()))],
        ..Screen::default()
    };
    Ok(screen.show(t, here.page(Section::Team, words.title).await?))
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn addresses_are_separated_in_the_usual_ways() {
        let text = " a@x.example\r\nb@x.example, c@x.example;d@x.example\n\n,";
        assert_eq!(addresses(text), ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]);
    }
}
