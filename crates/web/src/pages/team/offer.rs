//! The transfer of the ownership: the owner offers it to a person of the team, who accepts or declines.

use serde_json::json;
use tenantry_app::ownership::{OwnershipAccept, OwnershipOffer, OwnershipOfferEnd};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::ids::UserId;
use tenantry_core::team::{TeamError, TeamMember, TeamRole};
use uuid::Uuid;

use super::name_of;
use crate::screen::{Act, Block, Choice, Fault, FormView, Link, Note, Part, Reading, Screen, refused};
use crate::time::moment;
use crate::view::{Section, filled, role_name};
use crate::visit::{Answer, Here, done, status};

/// People among whom the owner chooses.
const CHOICES: usize = 100;

/// The note about an offer that stands: for the person who has it, and for the owner.
pub(in crate::pages) async fn note(here: &Here) -> Result<Option<Part>, Error> {
    let (t, now, words) = (here.t, here.visit.visitor.now, &here.t.offer);
    let ends = |member: &TeamMember| {
        member.offered_until.map(|until| moment(t, until, now)).map_or(String::new(), |ends| ends.relative)
    };
    let accept = || Act::now(here.to("team/transfer/accept"), words.accept, "");
    let end = |label| Act::now(here.to("team/transfer/end"), label, "").quiet();
    let (title, text, acts) = if here.member.is_offered_ownership(now) {
        let acts = vec![end(words.decline), accept()];
        (words.yours.to_owned(), filled(words.yours_text, &ends(&here.member)), acts)
    } else if here.may(TeamPermission::TransferOwnership) {
        let offered = match here.app().ownership_offer(&here.by, here.organization.id).await {
            Ok(offered) => offered,
            Err(Error::Team(TeamError::NotFound)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let title = filled(words.stands, &name_of(&offered));
        (title, filled(words.stands_text, &ends(&offered)), vec![end(words.withdraw)])
    } else {
        return Ok(None);
    };
    Ok(Some(Part::plain(Block::Note(Note { kind: "warn", icon: "key", title, text, acts }))))
}

/// The form that offers the ownership.
pub(super) async fn ask(here: &Here) -> Answer {
    here.check(TeamPermission::TransferOwnership)?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    show(here, Vec::new()).await
}

async fn show(here: &Here, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.offer);
    let back = Link { href: here.to("team"), label: t.team.title.to_owned() };
    let team = here.app().team_oldest_first(&here.by, here.organization.id).await?;
    let others: Vec<_> = team.iter().filter(|member| member.role != TeamRole::Owner).collect();
    let choice = |member: &&TeamMember| {
        let text = format!("{} · {}", member.email, role_name(t, member.role));
        Choice::new(&member.user.to_string(), &name_of(member)).with(&text)
    };
    let choices: Vec<Choice> = others.iter().take(CHOICES).map(choice).collect();
    let block = if choices.is_empty() {
        Block::Text(words.nobody.to_owned())
    } else {
        let hint = if others.len() > CHOICES { words.first_many } else { "" };
        let confirm = filled(t.screens.confirm, here.organization.slug.as_str());
        let entered = here.visit.form.clone();
        let action = here.to("team/transfer");
        let form = FormView::new(action, words.submit, back.href.clone(), entered, faults.clone());
        let form = form.broad().dangerous().radio(("to", words.who, hint), choices);
        let attributes = "autocomplete=off spellcheck=false required";
        Block::Form(form.input("text", ("confirm", &confirm, words.hint), attributes))
    };
    let screen = Screen {
        back: Some(back),
        title: words.title.to_owned(),
        lead: filled(words.lead, here.organization.name.as_str()),
        slim: true,
        parts: vec![Part::plain(block)],
        ..Screen::default()
    };
    let path = format!("/v1/organizations/{}/transfer", here.organization.id);
    let call = here.call("POST", path, &json!({"user_id": "{user_id}"}).to_string());
    let page = here.page(Section::Team, words.title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Offers the ownership.
pub(super) async fn offer(here: &Here) -> Answer {
    here.check(TeamPermission::TransferOwnership)?;
    let mut reading = Reading::new(&here.visit.form);
    let to = reading.field("to", |text| text.parse::<Uuid>(), here.t.faults.choice);
    let slug = here.organization.slug.as_str();
    let confirm = |text: &str| if text.to_lowercase() == slug { Ok(()) } else { Err(()) };
    let confirmed = reading.field("confirm", confirm, here.t.screens.confirm_wrong);
    let (Some(to), Some(())) = (to, confirmed) else { return show(here, reading.faults).await };
    let (by, organization) = (here.by.clone(), here.organization.id);
    match here.write(OwnershipOffer { by, organization, to: UserId::new(to) }).await {
        Ok(_) => done(&here.to("team"), "offered"),
        Err(error) => show(here, refused(here.t, error)?).await,
    }
}

/// Accepts the ownership.
pub(super) async fn accept(here: &Here) -> Answer {
    here.write(OwnershipAccept { by: here.by.clone(), organization: here.organization.id }).await?;
    done(&here.path, "accepted")
}

/// Withdraws or declines the offer.
pub(super) async fn end(here: &Here) -> Answer {
    here.write(OwnershipOfferEnd { by: here.by.clone(), organization: here.organization.id }).await?;
    done(&here.path, "withdrawn")
}
