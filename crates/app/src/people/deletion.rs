//! The deletion of a user, in parts.
//!
//! | step | work |
//! |---|---|
//! | before | invitations for the address go, in parts |
//! | first transaction | the user owns nothing; the user's row goes, and with it passkeys, recovery codes, and an unfinished change of the address |
//! | tokens | tokens and sessions go, with their credentials |
//! | memberships | they go, with their audit entries and events; so the tokens that the person made for organizations end |
//! | mails, responses | pending mails to the person and stored responses for the person's keys go |
//! | audit entries | names and addresses are replaced, in the organizations of `former_team_members`; invitations that the person accepted go |
//!
//! A part looks for what is left, in this order, so a part that is repeated does no harm.

use std::time::Instant;

use tenantry_core::ExecutionContext;
use tenantry_core::customer::AnonymousIdentity;
use tenantry_core::ids::UserId;
use tenantry_core::user::UserError;
use tenantry_core::webhook::EventType;
use tenantry_store::{Party, StoreError, Tx, UseCase, UserDeletion};

use super::{check_may_change, of_installation, outcome, rows_of_membership, until};
use crate::changes::INSTALLATION;
use crate::{App, Error, Requester, audit_log, changes, invitations, limits, team, verified};

/// Deletes a user who owns no organization, so that the person has no right any more. What is left of the person follows
/// by [`App::finish_user_deletion`].
pub(crate) async fn delete(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    user: UserId,
) -> Result<(), Error> {
    check_may_change(by, user)?;
    // Locked by everybody who makes the person an owner or adds a membership, token or session.
    let user = tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
    verified::before_change(tx, context, by).await?;
    check_owns_nothing(tx, user.id).await?;
    changes::deleted(tx, context, by, "user.deleted", &of_installation(&user)).await?;
    invitations::forget(tx, &user).await?;
    tx.user_email_change_finish(user.id).await?;
    tx.user_delete(user.id).await?;
    tx.former_team_member_insert(user.id, INSTALLATION).await?;
    let deletion = UserDeletion {
        user: user.id,
        created_at: context.now(),
        actor: by.actor(),
        request_id: by.request_id.clone(),
        seed: context.random_bytes::<32>().to_vec(),
        entry: None,
    };
    Ok(tx.user_deletion_save(&deletion).await?)
}

async fn check_owns_nothing(tx: &mut Tx<'_>, user: UserId) -> Result<(), Error> {
    let (mut live, mut deleted) = (Vec::new(), Vec::new());
    for organization in tx.user_owned_organizations(user).await?.into_iter().take(limits::OWNED_NAMED) {
        let Some(found) = tx.organization_in_any_state(organization).await? else { continue };
        let owned = if found.deleted_at.is_none() { &mut live } else { &mut deleted };
        owned.push(found.organization.slug.to_string());
    }
    if !live.is_empty() {
        return Err(UserError::OwnsOrganizations(live).into());
    }
    if deleted.is_empty() { Ok(()) } else { Err(UserError::OwnsDeletedOrganizations(deleted).into()) }
}

/// The first transaction of [`App::delete_user`].
struct UserDelete {
    by: Requester,
    user: UserId,
}

impl UseCase for UserDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        delete(tx, context, &self.by, self.user).await
    }
}

/// Deletes some of the invitations for the address of a user who is to be deleted. Returns how many. Fails as the deletion
/// does while the user owns an organization.
struct ForgetInvitations(UserId);

impl UseCase for ForgetInvitations {
    type Output = usize;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<usize, Error> {
        let user = tx.user_for_update(self.0).await?.ok_or(UserError::NotFound)?;
        check_owns_nothing(tx, user.id).await?;
        Ok(invitations::forget(tx, &user).await?)
    }
}

/// Deletes some of what is left of a deleted user. Returns whether nothing is left.
struct ContinueUserDeletion(UserId);

impl UseCase for ContinueUserDeletion {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let Some(deletion) = tx.user_deletion(self.0).await? else { return Ok(true) };
        let by = Requester::verified(deletion.actor, deletion.request_id.clone());
        let mut part = Part { by, deletion, rows_left: limits::PERSON_ROWS_PER_TRANSACTION };
        let is_complete = part.delete_tokens(tx, context).await?
            && part.delete_memberships(tx, context).await?
            && part.delete_mails(tx).await?
            && part.delete_responses(tx).await?
            && part.anonymize_entries(tx).await?;
        if is_complete {
            tx.user_deletion_finish(part.deletion.user).await?;
        } else {
            tx.user_deletion_save(&part.deletion).await?;
        }
        Ok(is_complete)
    }
}

/// One transaction of a deletion. Each step returns whether it has nothing left to do.
struct Part {
    by: Requester,
    deletion: UserDeletion,
    /// The rows that the transaction may still write.
    rows_left: i64,
}

impl Part {
    /// Counts rows, `rows_each` for each of `count`. Returns whether there were fewer than asked for.
    fn count(&mut self, count: usize, (limit, rows_each): (i64, i64)) -> bool {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.rows_left = self.rows_left.saturating_sub(count.saturating_mul(rows_each));
        count < limit
    }

    async fn delete_tokens(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<bool, Error> {
        // A token has its row, two credentials at most, and an audit entry.
        const ROWS_EACH: i64 = 4;
        let limit = (self.rows_left / ROWS_EACH).max(1);
        let (count, live) = tx.user_tokens_delete(self.deletion.user, limit).await?;
        for token in live {
            changes::deleted(tx, context, &self.by, "user_token.deleted", &token).await?;
        }
        Ok(self.count(count, (limit, ROWS_EACH)))
    }

    async fn delete_memberships(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<bool, Error> {
        let user = self.deletion.user;
        let limit = limits::PERSON_ROWS_PER_TRANSACTION / limits::ROWS_PER_MEMBERSHIP;
        let next = tx.user_organizations_after(user, None, limit).await?;
        let is_end = i64::try_from(next.len()).is_ok_and(|count| count < limit);
        for organization in next {
            if self.rows_left <= 0 {
                return Ok(false);
            }
            match tx.team_member(organization, user).await? {
                Some(member) => team::delete(tx, context, &self.by, &member).await?,
                None => tx.team_delete(organization, user).await?,
            }
            let rows = rows_of_membership(tx, organization, EventType::TeamMemberDeleted).await?;
            self.rows_left = self.rows_left.saturating_sub(rows);
        }
        Ok(is_end)
    }

    async fn delete_mails(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let limit = self.rows_left.max(1);
        let count = tx.mails_delete_to_user(self.deletion.user, limit).await?;
        Ok(self.count(count, (limit, 1)))
    }

    async fn delete_responses(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let limit = self.rows_left.max(1);
        let count = tx.idempotency_delete_of_user(self.deletion.user, limit).await?;
        Ok(self.count(count, (limit, 1)))
    }

    async fn anonymize_entries(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let UserDeletion { user, created_at, .. } = self.deletion;
        let seed = self.deletion.seed.as_slice().try_into().unwrap_or([0; 32]);
        let identity = AnonymousIdentity::generate(&mut ExecutionContext::new(created_at, seed));
        while self.rows_left > 0 {
            let Some(organization) = tx.former_team_member_first(user).await? else { return Ok(true) };
            tx.invitations_delete_accepted(organization, user).await?;
            let limit = self.rows_left;
            let (entries, is_end) =
                tx.audit_entries_of_person(organization, user.uuid(), self.deletion.entry, limit).await?;
            let count = entries.len();
            for (id, entry) in entries {
                audit_log::anonymize(tx, organization, (id, entry), &identity).await?;
                self.deletion.entry = Some(id);
            }
            // An organization without entries counts too, so that the transaction stays small.
            self.count(count.max(1), (limit, 1));
            if is_end {
                tx.former_team_member_delete(user, organization).await?;
                self.deletion.entry = None;
            }
        }
        Ok(false)
    }
}

impl App {
    /// Deletes a user, with everything that names the person. A user that is deleted already, but not to the end, is
    /// [`UserError::NotFound`]; the sweep goes on with it.
    ///
    /// The operator waits until nothing is left, a person at most [`limits::PERSON_CHANGE_WAIT`].
    ///
    /// # Errors
    /// [`Error::User`], or when the database fails. For the operator also when the user is deleted and a part of the rest
    /// failed; the sweep repeats that.
    pub async fn delete_user(&self, by: &Requester, user: UserId) -> Result<(), Error> {
        check_may_change(by, user)?;
        self.forget_invitations(user).await?;
        self.write_as(by, UserDelete { by: by.clone(), user }).await?;
        self.finish_user_deletion(by, user).await
    }

    /// Deletes the invitations for the address of a user who is to be deleted.
    pub(crate) async fn forget_invitations(&self, user: UserId) -> Result<(), Error> {
        while self.write(ForgetInvitations(user)).await? > 0 {}
        Ok(())
    }

    /// Deletes what is left of a deleted user, for the request that deleted it.
    pub(crate) async fn finish_user_deletion(&self, by: &Requester, user: UserId) -> Result<(), Error> {
        outcome(by, self.continue_user_deletion(user, until(by)).await)
    }

    async fn continue_user_deletion(&self, user: UserId, until: Option<Instant>) -> Result<(), Error> {
        while until.is_none_or(|until| Instant::now() < until) {
            if self.write(ContinueUserDeletion(user)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Continues the deletions that their requests did not finish.
    pub(crate) async fn continue_user_deletions(&self) -> Result<(), StoreError> {
        let pending = self.store.reader()?.tx()?.user_deletions(limits::PERSON_CHANGES_PER_SWEEP).await?;
        for user in pending {
            // One that fails holds up no other.
            if let Err(error) = self.continue_user_deletion(user, None).await {
                tracing::warn!(%error, user_id = %user, "the deletion of a user is not finished");
            }
        }
        Ok(())
    }
}
