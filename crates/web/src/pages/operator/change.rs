//! The operator's changes of an organization: suspend, reopen, bring back.

use tenantry_app::Error;
use tenantry_app::operator::{OrganizationDetails, StateChange, StateSet};
use tenantry_core::organization::{DeletedOrganization, Organization};
use tenantry_core::values::SuspensionReason;

use super::path_of;
use crate::screen::{Block, Fault, FormView, Link, Part, Reading, Row, Screen, State, refused};
use crate::view::{Call, Section, filled};
use crate::visit::{Answer, Visit, done, status};

/// The organization of the path. Only one in the state that a change needs has a page for it.
async fn of_path(
    visit: &Visit,
    is_right: impl FnOnce(&DeletedOrganization) -> bool,
) -> Result<OrganizationDetails, Error> {
    let details = visit.app().operator_organization(&visit.by, visit.in_path("slug")).await?;
    if is_right(&details.row) { Ok(details) } else { Err(Error::OrganizationNotFound) }
}

const fn is_open(row: &DeletedOrganization) -> bool {
    row.deleted_at.is_none() && row.organization.suspended.is_none()
}

const fn is_suspended(row: &DeletedOrganization) -> bool {
    row.deleted_at.is_none() && row.organization.suspended.is_some()
}

const fn is_deleted(row: &DeletedOrganization) -> bool {
    row.deleted_at.is_some() && !row.is_in_purge
}

fn set(visit: &Visit, organization: &Organization, change: StateChange) -> StateSet {
    StateSet { by: visit.by.clone(), id: organization.id, change }
}

fn back_to(organization: &Organization) -> Link {
    Link { href: path_of(&organization.slug), label: organization.name.to_string() }
}

/// The form for a suspension.
pub(super) async fn ask_suspend(visit: &Visit) -> Answer {
    let details = of_path(visit, is_open).await?;
    if let Some(way) = visit.proof_first() {
        return Ok(way);
    }
    show_suspend(visit, &details, Vec::new()).await
}

async fn show_suspend(visit: &Visit, details: &OrganizationDetails, faults: Vec<Fault>) -> Answer {
    let (t, words) = (visit.t, &visit.t.operator);
    let organization = &details.row.organization;
    let back = back_to(organization);
    let mut effects = vec![("bad", words.shut_out), ("ok", words.data_stay)];
    if details.sub_accounts > 0 {
        effects.insert(1, ("bad", words.sub_accounts_too));
    }
    let row =
        |(kind, text): (&'static str, &str)| Row { state: Some(State::new(kind, text)), ..Row::new("") };
    let action = format!("{}/suspend", back.href);
    let form = FormView::new(action, words.suspend, back.href.clone(), visit.form.clone(), faults.clone())
        .input("text", ("reason", words.reason, words.reason_hint), "autocomplete=off required maxlength=255")
        .dangerous()
        .broad();
    let screen = Screen {
        back: Some(back),
        title: words.suspend.to_owned(),
        lead: organization.name.to_string(),
        slim: true,
        parts: vec![
            Part::plain(Block::Consequences(effects.into_iter().map(row).collect())),
            Part::plain(Block::Form(form)),
        ],
        ..Screen::default()
    };
    let slug = organization.slug.as_str();
    let command = Call::command(&["tenantry", "organization", "suspend", slug, "--reason", "unpaid"]);
    let page = visit.page(Section::AllOrganizations, words.suspend).await?.with(command);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// Suspends the organization.
pub(super) async fn suspend(visit: &Visit) -> Answer {
    let details = of_path(visit, is_open).await?;
    let mut reading = Reading::new(&visit.form);
    let reason = reading.field("reason", SuspensionReason::parse, visit.t.operator.reason_wrong);
    let Some(reason) = reason else { return show_suspend(visit, &details, reading.faults).await };
    match visit.write(set(visit, &details.row.organization, StateChange::Suspend(reason))).await {
        Ok(suspended) => done(&path_of(&suspended.slug), "suspended"),
        Err(error) => show_suspend(visit, &details, refused(visit.t, error)?).await,
    }
}

/// A question before an organization gets its access again.
struct Question<'a> {
    title: &'static str,
    lead: String,
    /// The page that asks, below that of the organization.
    page: &'static str,
    /// The word of the command that does the same.
    command: &'static str,
    organization: &'a Organization,
}

impl<'a> Question<'a> {
    fn unsuspend(visit: &Visit, organization: &'a Organization) -> Self {
        let words = &visit.t.operator;
        let reason = organization.suspended.as_ref().map_or("", |suspension| suspension.reason.as_str());
        let lead = filled(&filled(words.unsuspend_lead, organization.name.as_str()), reason);
        Self { title: words.unsuspend, lead, page: "reopen", command: "unsuspend", organization }
    }

    fn undelete(visit: &Visit, organization: &'a Organization) -> Self {
        let words = &visit.t.operator;
        let lead = filled(words.undelete_lead, organization.name.as_str());
        Self { title: words.undelete, lead, page: "restore", command: "undelete", organization }
    }

    async fn show(self, visit: &Visit, faults: Vec<Fault>) -> Answer {
        let Self { title, lead, page, command, organization } = self;
        let back = back_to(organization);
        let status = status(!faults.is_empty());
        let effect = Row { state: Some(State::new("ok", visit.t.operator.works_again)), ..Row::new("") };
        let action = format!("{}/{page}", back.href);
        let form = FormView::new(action, title, back.href.clone(), visit.form.clone(), faults).broad();
        let screen = Screen {
            back: Some(back),
            title: title.to_owned(),
            lead,
            slim: true,
            parts: vec![Part::plain(Block::Consequences(vec![effect])), Part::plain(Block::Form(form))],
            ..Screen::default()
        };
        let call = Call::command(&["tenantry", "organization", command, organization.slug.as_str()]);
        let page = visit.page(Section::AllOrganizations, title).await?.with(call);
        Ok(screen.show_as(status, visit.t, page))
    }
}

/// Asks before a suspension ends.
pub(super) async fn ask_unsuspend(visit: &Visit) -> Answer {
    let details = of_path(visit, is_suspended).await?;
    if let Some(way) = visit.proof_first() {
        return Ok(way);
    }
    Question::unsuspend(visit, &details.row.organization).show(visit, Vec::new()).await
}

/// Ends the suspension.
pub(super) async fn unsuspend(visit: &Visit) -> Answer {
    let details = of_path(visit, is_suspended).await?;
    let organization = &details.row.organization;
    match visit.write(set(visit, organization, StateChange::Unsuspend)).await {
        Ok(changed) => done(&path_of(&changed.slug), "unsuspended"),
        Err(error) => Question::unsuspend(visit, organization).show(visit, refused(visit.t, error)?).await,
    }
}

/// Asks before a deleted organization comes back.
pub(super) async fn ask_undelete(visit: &Visit) -> Answer {
    let details = of_path(visit, is_deleted).await?;
    if let Some(way) = visit.proof_first() {
        return Ok(way);
    }
    Question::undelete(visit, &details.row.organization).show(visit, Vec::new()).await
}

/// Brings the organization back.
pub(super) async fn undelete(visit: &Visit) -> Answer {
    let details = of_path(visit, is_deleted).await?;
    let organization = &details.row.organization;
    match visit.write(set(visit, organization, StateChange::Undelete)).await {
        Ok(changed) => done(&path_of(&changed.slug), "restored"),
        Err(error) => Question::undelete(visit, organization).show(visit, refused(visit.t, error)?).await,
    }
}
