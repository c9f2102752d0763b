//! Users: list, show, change the address, delete.
//!
//! A person can be in many teams, and each membership that changes has an audit entry and events of its own. So the
//! first transaction changes the user's row, which decides at once, and the rest follows in parts of
//! [`limits::PERSON_ROWS_PER_TRANSACTION`], between which others write. A row of the database records the progress; the
//! sweep continues after a crash.
//!
//! | change | first transaction | parts | row |
//! |---|---|---|---|
//! | address (`email`) | the user has the address, sessions end | memberships take it over | `user_email_changes` |
//! | deletion (`deletion`) | the user's row goes, so tokens, sessions and codes are refused | tokens, memberships, mails, stored responses, names in audit entries | `user_deletions` |
//!
//! A membership that another request adds meanwhile has the new address, because the addition locks and reads the user's
//! row; it fails after a deletion, because that row is gone.

pub(crate) mod deletion;
pub(crate) mod email;

use std::time::Instant;

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::TeamMember;
use tenantry_core::token::UserToken;
use tenantry_core::user::{User, UserError};
use tenantry_core::values::{EmailAddress, Slug};
use tenantry_core::webhook::EventType;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{StoreError, Tx};

use crate::changes::AddedUser;
use crate::{App, Error, Requester, changes, limits};

pub use email::EmailProof;

/// Saves the name, the language and the muted notices of a user.
pub(crate) async fn save_profile(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &User,
    after: &User,
) -> Result<(), Error> {
    tx.user_update_profile(after).await?;
    let images = (&of_installation(before), &of_installation(after));
    changes::updated(tx, context, by, "user.updated", images).await
}

/// A user as the audit log of the installation shows it.
pub(crate) const fn of_installation(user: &User) -> AddedUser<'_> {
    AddedUser { user, organization: None }
}

/// Checks that the requester may change this user: a person changes no other person.
fn check_may_change(by: &Requester, user: UserId) -> Result<(), Error> {
    if by.is_operator() || by.user() == Some(user) { Ok(()) } else { Err(UserError::NotFound.into()) }
}

/// The rows that a change of a membership counts as: those of the membership, and an event and a queue for each endpoint
/// that hears of it.
async fn rows_of_membership(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    event: EventType,
) -> Result<i64, StoreError> {
    let endpoints = tx.webhook_endpoints_subscribed(organization, event).await?.len();
    let events = i64::try_from(endpoints).unwrap_or(i64::MAX / 2).saturating_mul(2);
    Ok(limits::ROWS_PER_MEMBERSHIP.saturating_add(events))
}

/// The time until which a request waits for the parts of its change. `None` for the operator, who waits for all.
fn until(by: &Requester) -> Option<Instant> {
    (!by.is_operator()).then(|| Instant::now() + limits::PERSON_CHANGE_WAIT)
}

/// The outcome of a request whose first transaction is committed. A part that failed is repeated by the sweep, so it fails
/// the request of the operator alone, who can see the reason.
fn outcome(by: &Requester, parts: Result<(), Error>) -> Result<(), Error> {
    match parts {
        Err(error) if !by.is_operator() => {
            tracing::warn!(%error, "the change of a user is not finished, the sweep continues it");
            Ok(())
        }
        outcome => outcome,
    }
}

/// A user with memberships and tokens.
#[derive(Debug, Clone)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// The memberships, each with the organization's slug.
    pub memberships: Vec<(Slug, TeamMember)>,
    /// The tokens that are not revoked.
    pub tokens: Vec<UserToken>,
    /// The time since which the user has the rights of the operator.
    pub operator_since: Option<Timestamp>,
}

impl App {
    /// Passes every user, the number of teams that the user is in, and whether the user is an operator to `each`, by
    /// address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn each_user(&self, mut each: impl FnMut(&User, u64, bool)) -> Result<(), Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let mut after: Option<EmailAddress> = None;
        loop {
            let page = tx.users(after.as_ref(), limits::OLD_ROWS_PER_TRANSACTION).await?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = Some(last.email.clone());
            page.iter().for_each(|(user, teams, is_operator)| each(user, *teams, *is_operator));
        }
    }

    /// A user with memberships and tokens.
    ///
    /// # Errors
    /// [`Error::User`], or when the database fails.
    pub async fn user_details(&self, id: UserId) -> Result<UserDetails, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let user = tx.user(id).await?.ok_or(UserError::NotFound)?;
        let mut memberships = Vec::new();
        for organization in tx.user_organizations(id).await? {
            let member = tx.team_member_unlocked(organization, id).await?;
            let slug = tx.organization(organization).await?.map(|organization| organization.slug);
            memberships.extend(slug.zip(member));
        }
        let tokens = tx.tokens_of_user(id).await?;
        let operator_since = tx.user_operator_since(id).await?;
        Ok(UserDetails { user, memberships, tokens, operator_since })
    }
}
