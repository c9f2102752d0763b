//! `Idempotency-Key`: one effect and one response, however often a request is sent.
//!
//! One transaction claims the key, runs the use case and stores the response. The use case runs in a savepoint, so
//! that a refusal is stored in the same transaction while the effect is rolled back. A crash leaves either all of
//! it or nothing.
//!
//! | state of the key | next request with the key | response |
//! |---|---|---|
//! | free, or expired after [`limits::IDEMPOTENCY_RETENTION_S`] | runs the use case | its own |
//! | running on this node, same request | is refused at once | [`Error::IdempotencyInProgress`] |
//! | running on another node | waits for that transaction | as if it had ended |
//! | used by another method, path or body | is refused | [`Error::IdempotencyKeyReused`] |
//! | used by another credential, for a secret | is refused | [`Error::SecretOfOtherCredential`] |
//! | response stored | does not run | the stored one |
//! | response with a secret expired after [`limits::SECRET_RESPONSE_RETENTION_S`] | does not run | [`Error::StoredResponseExpired`] |
//!
//! | outcome of the use case | the key afterwards |
//! |---|---|
//! | success | stored; encrypted when the response contains a secret |
//! | a rule about the data refuses it ([`Error::is_storable`]) | stored without the input; free if a secret was asked for |
//! | the caller may not do it, or the database fails | free |
//! | the input was refused before the use case | never claimed |
//!
//! A stored response is replayed only to a caller who could still get it: see [`IdempotencyAttempt::rechecks`].
//!
//! The contract is docs/contracts/ahasend.md, 1.8.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use tenantry_core::ExecutionContext;
use tenantry_core::budget::Budget;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{
    IdempotencyClaim, IdempotencyNamespace, IdempotencyState, Party, StoreError, StoredResponse, Tx, UseCase,
};

use crate::secrets::{fingerprint, fingerprint_by};
use crate::{App, Caller, Error, HashKey, Principal, Requester, limits, mails};

/// Renders a refusal for storage. The result must not repeat the caller's input.
pub type RenderRefusal = fn(&Error) -> Result<StoredResponse, Error>;

/// A request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyAttempt {
    claim: IdempotencyClaim,
    returns_secret: bool,
    rechecks: bool,
}

impl IdempotencyAttempt {
    /// A request of this caller with this key.
    ///
    /// `account` is the account in the path, which then owns the key. `returns_secret` says that a successful
    /// response contains a secret. `request` is method, path and body.
    #[must_use]
    pub fn new(
        caller: &Caller,
        account: Option<OrganizationId>,
        key: String,
        returns_secret: bool,
        request: (&str, &str, &[u8]),
    ) -> Self {
        let space = account.map_or_else(|| namespace_of(caller), IdempotencyNamespace::from);
        let (method, path, body) = request;
        let fingerprint = fingerprint(method, path, body);
        let fingerprint =
            if returns_secret { fingerprint_by(fingerprint, caller.credential()) } else { fingerprint };
        let claim = IdempotencyClaim { space, key, fingerprint };
        let rechecks = returns_secret || !matches!(caller.principal, Principal::Organization { .. });
        Self { claim, returns_secret, rechecks }
    }

    /// Whether a replay first runs the use case again and rolls it back, to see whether the caller may still do it.
    ///
    /// Roles of users and members change while their token stays the same. A response with a secret is replayed to the
    /// credential that made it alone, if it still may. For other tokens the scopes decide, and those were checked
    /// before.
    #[must_use]
    pub const fn rechecks(&self) -> bool {
        self.rechecks
    }

    /// Whether a refusal is stored. A refused request for a secret can be repeated.
    const fn stores_refusals(&self) -> bool {
        !self.returns_secret
    }
}

/// The owner of a caller's keys where the path names no account.
fn namespace_of(caller: &Caller) -> IdempotencyNamespace {
    match &caller.principal {
        Principal::Organization { organization, .. } => (*organization).into(),
        Principal::User { user, .. } => (*user).into(),
        Principal::Customer(session) | Principal::Member(session) => {
            session.member.map_or_else(|| session.customer.into(), IdempotencyNamespace::from)
        }
    }
}

/// A response, and whether it was stored by an earlier request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentResponse {
    /// The response.
    pub response: StoredResponse,
    /// Whether it is a replay.
    pub replayed: bool,
}

/// A use case that runs once for its key.
struct RunOnce<U, R> {
    attempt: IdempotencyAttempt,
    use_case: U,
    render: R,
    render_refusal: RenderRefusal,
    hash_key: HashKey,
}

impl<U, R> UseCase for RunOnce<U, R>
where
    U: UseCase<Error = Error>,
    R: Fn(&U::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
{
    type Output = IdempotentResponse;
    type Error = Error;
    const IS_LONG: bool = U::IS_LONG;

    fn party(&self) -> Party {
        self.use_case.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IdempotentResponse, Error> {
        let attempt = &self.attempt;
        if let Some(response) = claim(tx, context, &attempt.claim).await? {
            if attempt.rechecks {
                recheck(tx, context, &self.use_case, &response).await?;
            }
            return Ok(IdempotentResponse { response, replayed: true });
        }
        let (response, is_success) = self.run_in_savepoint(tx, context).await?;
        self.count_stored(tx, context, response.body.len()).await?;
        let secret_until = context.now().plus_seconds(limits::SECRET_RESPONSE_RETENTION_S);
        let secret_until = (is_success && attempt.returns_secret).then_some(secret_until);
        tx.idempotency_store_response(&attempt.claim, &response, secret_until).await?;
        Ok(IdempotentResponse { response, replayed: false })
    }
}

impl<U, R> RunOnce<U, R>
where
    U: UseCase<Error = Error>,
    R: Fn(&U::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
{
    /// The rendered outcome, and whether it is a success. An error that is not to be stored is returned as such,
    /// and rolls the claim back.
    async fn run_in_savepoint(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<(StoredResponse, bool), Error> {
        if !self.attempt.stores_refusals() {
            return Ok(((self.render)(&self.use_case.run(tx, context).await?)?, true));
        }
        tx.begin_savepoint().await?;
        match self.use_case.run(tx, context).await {
            Ok(output) => {
                tx.end_savepoint(true).await?;
                Ok(((self.render)(&output)?, true))
            }
            Err(error) if error.is_storable() => {
                tx.end_savepoint(false).await?;
                Ok(((self.render_refusal)(&error)?, false))
            }
            Err(error) => Err(error),
        }
    }
}

impl<U: UseCase, R> RunOnce<U, R> {
    /// Counts a large response against the budget of the owner, so that small requests cannot fill the disk with what
    /// they are answered. It is the last thing that the transaction locks.
    async fn count_stored(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        bytes: usize,
    ) -> Result<(), Error> {
        if bytes <= limits::STORED_BYTES_UNCOUNTED {
            return Ok(());
        }
        let owner = self.use_case.party().limited_as.unwrap_or_default();
        let hash = self.hash_key.hash(&format!("stored responses\0{owner}"));
        let now = context.now();
        let taken = tx.budget_take((mails::namespace(&hash), hash), stored_budget(bytes), now).await?;
        match taken {
            None => Ok(()),
            Some(free_at) => Err(Error::StoredBytes { retry_after_s: now.seconds_until(free_at).max(1) }),
        }
    }
}

/// The budget of an owner for responses, in units of this one: so many responses of the size an hour. All units share the
/// row that says when the budget is full again, so each divides the hour without a rest.
fn stored_budget(bytes: usize) -> Budget {
    const HOUR_US: u32 = 3_600_000_000;
    let most = limits::STORED_BYTES_PER_HOUR / u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
    let number = (1..=most).rev().find(|number| HOUR_US.is_multiple_of(*number)).unwrap_or(1);
    Budget::hourly(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

/// Claims a key. Returns the stored response when the key has one.
async fn claim(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    claim: &IdempotencyClaim,
) -> Result<Option<StoredResponse>, Error> {
    let now = context.now();
    let expires_at = now.plus_seconds(limits::IDEMPOTENCY_RETENTION_S);
    if tx.idempotency_claim(claim, now, expires_at).await? {
        return Ok(None);
    }
    match tx.idempotency_state(claim, now).await? {
        Some(IdempotencyState::Response(response)) => Ok(Some(response)),
        Some(IdempotencyState::ResponseDeleted) => Err(Error::StoredResponseExpired),
        Some(IdempotencyState::OtherRequest) => Err(Error::IdempotencyKeyReused),
        Some(IdempotencyState::OtherCredential) => Err(Error::SecretOfOtherCredential),
        None => Err(StoreError::Unavailable("an idempotency key expired just now".into()).into()),
    }
}

/// Refuses a replay to a caller who could not get the response now. A stored refusal "not found" may be replayed
/// to a caller who still finds nothing.
async fn recheck<U: UseCase<Error = Error>>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    use_case: &U,
    response: &StoredResponse,
) -> Result<(), Error> {
    tx.begin_savepoint().await?;
    let outcome = use_case.run(tx, context).await;
    tx.end_savepoint(false).await?;
    match outcome {
        Err(error) if error.is_server_error() => Err(error),
        Err(error) if error.is_temporary_limit() => Ok(()),
        Err(error) if !error.is_storable() => Err(Error::ReplayNotPermitted(Box::new(error))),
        Err(error) if response.status < 400 && error.denies_access() => {
            Err(Error::ReplayNotPermitted(Box::new(error)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The keys of the requests that run on this node, with the fingerprint of each request.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashMap<(IdempotencyNamespace, String), [u8; 32]>>);

/// Marks a key as running until it is dropped.
struct InFlightKey<'a> {
    in_flight: &'a InFlight,
    key: (IdempotencyNamespace, String),
}

impl InFlight {
    fn start(&self, claim: &IdempotencyClaim) -> Result<InFlightKey<'_>, Error> {
        let key = (claim.space, claim.key.clone());
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()) {
            Entry::Occupied(other) if claim.is_by_other_credential(other.get()) => {
                Err(Error::SecretOfOtherCredential)
            }
            Entry::Occupied(other) if *other.get() != claim.fingerprint => Err(Error::IdempotencyKeyReused),
            Entry::Occupied(_) => {
                Err(Error::IdempotencyInProgress { retry_after_s: limits::IDEMPOTENCY_RETRY_AFTER_S })
            }
            Entry::Vacant(free) => {
                free.insert(claim.fingerprint);
                Ok(InFlightKey { in_flight: self, key })
            }
        }
    }
}

impl Drop for InFlightKey<'_> {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Deletes some of the stored secrets that have expired. Returns how many.
struct Forget;

impl UseCase for Forget {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.idempotency_delete_sealed_responses(context.now(), limits::EXPIRED_ROWS_PER_TRANSACTION).await
    }
}

/// Deletes some of the expired records. Returns how many.
struct Sweep;

impl UseCase for Sweep {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.idempotency_delete_expired(context.now(), limits::EXPIRED_ROWS_PER_TRANSACTION).await
    }
}

impl App {
    /// Runs a use case once for its key. Every request with the key gets the same response.
    ///
    /// `render_refusal` renders an error that [`Error::is_storable`] for storage.
    ///
    /// # Errors
    /// An error of the use case that is not stored, which leaves the key free; [`Error::IdempotencyInProgress`],
    /// [`Error::IdempotencyKeyReused`], [`Error::SecretOfOtherCredential`], [`Error::StoredResponseExpired`] or
    /// [`Error::ReplayNotPermitted`].
    pub async fn write_once<U: UseCase<Error = Error>>(
        &self,
        by: &Requester,
        attempt: IdempotencyAttempt,
        use_case: U,
        render: impl Fn(&U::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
        render_refusal: RenderRefusal,
    ) -> Result<IdempotentResponse, Error> {
        let _running = self.in_flight.start(&attempt.claim)?;
        let hash_key = self.hash_key.clone();
        self.write_as(by, RunOnce { attempt, use_case, render, render_refusal, hash_key }).await
    }

    /// Runs the periodic clean-up, a few rows at a time: stores when tokens were last used, deletes what has expired,
    /// archives old webhook events, and tells people of tokens that expire soon. A step that fails stops no other.
    ///
    /// # Errors
    /// The first error, when the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let outcomes = [
            // Secrets first, so that no other work delays their end.
            self.repeat(|| Forget).await,
            self.store_token_uses().await,
            self.continue_user_deletions().await,
            self.continue_email_changes().await,
            self.repeat(|| Sweep).await,
            self.remove_abandoned_organization_imports().await,
            self.delete_old_rows().await,
            self.repeat(|| crate::sessions::DeleteExpiredSessions).await,
            self.repeat(|| crate::console::DeleteExpired).await,
            self.repeat(|| crate::invitations::DeleteExpired).await,
            self.repeat(|| crate::mails::DeleteFullBudgets).await,
            self.delete_expired_imports().await,
            self.tell_of_expiring_tokens().await,
        ];
        if let Err(error) = self.continue_deletions().await {
            tracing::warn!(%error, "deletions of customers are not finished");
        }
        outcomes.into_iter().collect()
    }

    /// Runs a use case that returns how many rows it deleted, until there are none.
    async fn repeat<U>(&self, use_case: impl Fn() -> U) -> Result<(), StoreError>
    where
        U: UseCase<Output = usize, Error = StoreError>,
    {
        while self.store.write(use_case()).await? > 0 {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_of_every_size_use_up_one_budget() {
        const HOUR_US: u128 = 3_600_000_000;
        for bytes in [16 << 10, (16 << 10) + 1, 27_000, 99_991, 2_600_000, 120 << 20, 200 << 20, usize::MAX] {
            let interval = u128::try_from(stored_budget(bytes).interval()).unwrap();
            assert_eq!(HOUR_US % interval, 0, "{bytes}");
            // A response uses its part of the hour, or little more.
            let part = HOUR_US * bytes as u128 / u128::from(limits::STORED_BYTES_PER_HOUR);
            assert!(interval >= part.min(HOUR_US) && interval <= part * 5 / 4, "{bytes}: {interval}");
        }
    }
}
