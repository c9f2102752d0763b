//! The change of a user's address. The memberships take it over in parts, in the order of their organizations.

use std::time::Instant;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::UserId;
use tenantry_core::team::TeamMember;
use tenantry_core::user::{User, UserError};
use tenantry_core::values::EmailAddress;
use tenantry_core::webhook::EventType;
use tenantry_store::{Party, StoreError, Tx, UseCase, UserEmailChange};

use super::{check_may_change, of_installation, outcome, rows_of_membership, until};
use crate::{App, Error, Requester, changes, console_sessions, limits, verified};

/// Whether the person has proved the new address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailProof {
    /// The person has not. The sessions end, and the next sign-in proves the address.
    Missing,
    /// The person has. The sessions stay.
    Given,
}

/// Gives a user another address. The memberships take it over afterwards, by [`App::finish_email_change`].
pub(crate) async fn change_email(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (user, email, proof): (UserId, &EmailAddress, EmailProof),
) -> Result<User, Error> {
    check_may_change(by, user)?;
    let before = tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
    verified::before_change(tx, context, by).await?;
    let after = User { email: email.normalized(), ..before.clone() };
    if after != before {
        if tx.user_by_email(&after.email).await?.is_some_and(|other| other.id != user) {
            return Err(UserError::AddressTaken.into());
        }
        tx.user_update_email(&after).await.map_err(|error| {
            let is_taken = error.is_violation_of("users_email");
            if is_taken { UserError::AddressTaken.into() } else { Error::from(error) }
        })?;
        let (old, new) = (of_installation(&before), of_installation(&after));
        changes::updated(tx, context, by, "user.updated", (&old, &new)).await?;
        if proof == EmailProof::Missing {
            for session in tx.console_sessions(user, context.now()).await? {
                console_sessions::end(tx, context, by, &session).await?;
            }
        }
        let change = UserEmailChange {
            user,
            created_at: context.now(),
            email: email.clone(),
            actor: by.actor(),
            request_id: by.request_id.clone(),
            last_organization: None,
        };
        tx.user_email_change_save(&change).await?;
    }
    if proof == EmailProof::Given {
        tx.user_mark_verified(user, context.now()).await?;
    }
    Ok(after)
}

/// The first transaction of [`App::set_user_email`].
struct UserSetEmail {
    by: Requester,
    user: UserId,
    email: EmailAddress,
}

impl UseCase for UserSetEmail {
    type Output = User;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<User, Error> {
        let Self { by, user, email } = self;
        change_email(tx, context, by, (*user, email, EmailProof::Missing)).await
    }
}

/// Lets some memberships take over the address of their user. Returns whether all have.
struct ContinueEmailChange(UserId);

impl UseCase for ContinueEmailChange {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let Some(mut change) = tx.user_email_change(self.0).await? else { return Ok(true) };
        let by = Requester::verified(change.actor, change.request_id.clone());
        let mut rows_left = limits::PERSON_ROWS_PER_TRANSACTION;
        // Most memberships are done already when an earlier change is repeated; so their number is limited as well.
        let limit = limits::PERSON_ROWS_PER_TRANSACTION / limits::ROWS_PER_MEMBERSHIP;
        let next = tx.user_organizations_after(change.user, change.last_organization, limit).await?;
        let is_end = i64::try_from(next.len()).is_ok_and(|count| count < limit);
        for organization in next {
            if rows_left <= 0 {
                tx.user_email_change_save(&change).await?;
                return Ok(false);
            }
            change.last_organization = Some(organization);
            let Some(before) = tx.team_member(organization, change.user).await? else { continue };
            if before.email.key() == change.email.key() {
                continue;
            }
            let (email, modified_at) = (change.email.clone(), context.now());
            let after = TeamMember { email, modified_at, ..before.clone() };
            tx.team_update_person(&after).await?;
            changes::updated(tx, context, &by, "team_member.updated", (&before, &after)).await?;
            let rows = rows_of_membership(tx, organization, EventType::TeamMemberUpdated).await?;
            rows_left = rows_left.saturating_sub(rows);
        }
        if is_end {
            tx.user_email_change_finish(change.user).await?;
        } else {
            tx.user_email_change_save(&change).await?;
        }
        Ok(is_end)
    }
}

impl App {
    /// Gives a user another address, also in the teams of organizations, to which mail goes. The person has to prove it.
    ///
    /// The operator waits until every membership has the address, a person at most [`limits::PERSON_CHANGE_WAIT`].
    ///
    /// # Errors
    /// [`Error::User`], or when the database fails. For the operator also when the address is changed and a membership
    /// could not take it over yet; the sweep repeats that.
    pub async fn set_user_email(
        &self,
        by: &Requester,
        user: UserId,
        email: EmailAddress,
    ) -> Result<User, Error> {
        let changed = self.write_as(by, UserSetEmail { by: by.clone(), user, email }).await?;
        self.finish_email_change(by, user).await?;
        Ok(changed)
    }

    /// Lets the memberships of a user take over a changed address, for the request that changed it.
    pub(crate) async fn finish_email_change(&self, by: &Requester, user: UserId) -> Result<(), Error> {
        outcome(by, self.continue_email_change(user, until(by)).await)
    }

    async fn continue_email_change(&self, user: UserId, until: Option<Instant>) -> Result<(), Error> {
        while until.is_none_or(|until| Instant::now() < until) {
            if self.write(ContinueEmailChange(user)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Continues the changes of addresses that their requests did not finish.
    pub(crate) async fn continue_email_changes(&self) -> Result<(), StoreError> {
        let pending = self.store.reader()?.tx()?.user_email_changes(limits::PERSON_CHANGES_PER_SWEEP).await?;
        for user in pending {
            // One that fails holds up no other.
            if let Err(error) = self.continue_email_change(user, None).await {
                tracing::warn!(%error, user_id = %user, "the change of a user's address is not finished");
            }
        }
        Ok(())
    }
}
