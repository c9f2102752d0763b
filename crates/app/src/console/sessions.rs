//! Sessions of persons in the console.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::Actor;
use tenantry_core::console::{ConsoleSession, Proof};
use tenantry_core::ids::{OrganizationId, UserId, UserTokenId};
use tenantry_core::team::{TeamMember, TeamPermission};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::user::{User, UserError};
use tenantry_core::values::parse_uuid;
use tenantry_store::{Party, StoreError, TokenRef, Tx, UseCase};

use crate::{App, Error, HashKey, Requester, changes, console_sessions, limits, verified};

/// Ends a session of the requester: a named one, or the one that the request uses.
#[derive(Debug, Clone)]
pub struct ConsoleSessionEnd {
    /// The requester.
    pub by: Requester,
    /// The session; without one, that of the request.
    pub session: Option<UserTokenId>,
}

impl UseCase for ConsoleSessionEnd {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Actor::User(user, current) = self.by.actor() else { return Ok(()) };
        let id = self.session.unwrap_or(current);
        let Some(session) = tx.console_session_for_update(user, id).await? else { return Ok(()) };
        // A person who has lost rights meanwhile signs out all the same.
        if id != current {
            verified::before_change(tx, context, &self.by).await?;
        }
        console_sessions::end(tx, context, &self.by, &session).await
    }
}

/// Notes that the person of the requester's session has proved to be themselves. The session gets a new secret, which is
/// returned; the old one works no more.
pub(super) async fn prove(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (proof, hash_key): (Proof, &HashKey),
) -> Result<Secret, Error> {
    let Actor::User(user, id) = by.actor() else { return Err(Error::CallerUnknown) };
    let before = tx.console_session_for_update(user, id).await?.ok_or(Error::CallerUnknown)?;
    verified::before_change(tx, context, by).await?;
    let after = ConsoleSession { proof, proved_at: context.now(), ..before.clone() };
    let secret = Secret::generate(SecretKind::ConsoleSession, context);
    let hash = hash_key.hash(secret.expose());
    tx.token_secret_replace(TokenRef::User(id), (SecretKind::ConsoleSession, &hash), None).await?;
    tx.console_session_update_proof(&after).await?;
    changes::updated(tx, context, by, "console_session.proved", (&before, &after)).await?;
    Ok(secret)
}

/// Deletes expired sessions, codes and ceremonies of passkeys, up to [`limits::EXPIRED_ROWS_PER_TRANSACTION`] of each. Returns how
/// many.
pub(crate) struct DeleteExpired;

impl UseCase for DeleteExpired {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.console_delete_expired(context.now(), limits::EXPIRED_ROWS_PER_TRANSACTION).await
    }
}

/// The numbers of an organization's rows that the person may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationNumbers {
    /// People in the team.
    pub people: Option<u64>,
    /// Customers.
    pub customers: Option<u64>,
    /// Access tokens, expired ones included.
    pub tokens: Option<u64>,
}

impl App {
    /// The person behind a session.
    ///
    /// # Errors
    /// [`UserError::NotFound`], or a store error.
    pub async fn person(&self, user: UserId) -> Result<User, Error> {
        Ok(self.store.reader()?.tx()?.user(user).await?.ok_or(UserError::NotFound)?)
    }

    /// The sessions of the requester that have not ended, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_sessions(&self, by: &Requester) -> Result<Vec<ConsoleSession>, Error> {
        let Some(user) = by.user() else { return Ok(Vec::new()) };
        Ok(self.store.reader()?.tx()?.console_sessions(user, self.now()).await?)
    }

    /// The requester's own membership in a team.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] when the requester is not in the team, or a store error.
    pub async fn own_membership(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<TeamMember, Error> {
        let user = by.user().filter(|_| by.has_access(organization)).ok_or(Error::OrganizationNotFound)?;
        let member = self.store.reader()?.tx()?.team_member_unlocked(organization, user).await?;
        member.ok_or(Error::OrganizationNotFound)
    }

    /// The id of the organization with this slug or id, if the requester has access to it. Mails name it by its id, which
    /// never changes.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a store error.
    pub async fn organization_id(&self, by: &Requester, name: &str) -> Result<OrganizationId, Error> {
        let by_id = parse_uuid(name).ok().map(OrganizationId::new);
        if let Some(organization) = by_id.filter(|organization| by.has_access(*organization)) {
            return Ok(organization);
        }
        let found = self.store.reader()?.tx()?.organization_by_slug(name).await?;
        found.filter(|organization| by.has_access(*organization)).ok_or(Error::OrganizationNotFound)
    }

    /// The numbers of an organization. Those that the requester's role does not show are absent.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a store error.
    pub async fn organization_numbers(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<OrganizationNumbers, Error> {
        if !by.has_access(organization) {
            return Err(Error::OrganizationNotFound);
        }
        let may = |permission| by.check(organization, permission).is_ok();
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let (customers, tokens) = tx.organization_numbers(organization).await?;
        let people = match may(TeamPermission::ReadTeam) {
            true => Some(tx.team_size(organization).await?),
            false => None,
        };
        Ok(OrganizationNumbers {
            people,
            customers: may(TeamPermission::ReadCustomers).then_some(customers),
            tokens: may(TeamPermission::ManageOrganization).then_some(tokens),
        })
    }
}
