//! `Idempotency-Key`: one effect and one answer, however often a request is sent.
//!
//! Claim, effect and stored response are one transaction: a crash between them leaves none of the three. A
//! refusal has no effect; it is stored by a transaction of its own. While a request runs, a second one with
//! its key is told so at once, by the node that runs the first; a second one on another node waits for the
//! first transaction to end and replays it.
//!
//! An answer is replayed to nobody who could not get it now: see [`IdempotencyAttempt::rechecked`].
//!
//! The states are those of docs/contracts/ahasend.md, 1.8.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{
    IdempotencyClaim, IdempotencyNamespace, IdempotencyState, StoreError, StoredResponse, Tx, UseCase,
};

use crate::secrets::fingerprint;
use crate::{App, Caller, Error, Principal, limits};

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyAttempt {
    claim: IdempotencyClaim,
    secret: bool,
    rechecked: bool,
}

impl IdempotencyAttempt {
    /// A request of the caller with this key. `account` is the account that its path names; `secret` says
    /// that its answer shows a secret.
    #[must_use]
    pub fn new(
        caller: &Caller,
        account: Option<OrganizationId>,
        key: String,
        secret: bool,
        request: (&str, &str, &[u8]),
    ) -> Self {
        let space = account.map_or_else(|| own_space(caller), IdempotencyNamespace::from);
        let (method, path, body) = request;
        let claim = IdempotencyClaim { space, key, fingerprint: fingerprint(method, path, body) };
        let rechecked = secret || !matches!(caller.subject, Principal::Organization { .. });
        Self { claim, secret, rechecked }
    }

    /// Whether a replay is given only to who could still do what was done: the operation is tried again
    /// and undone. So it is for people and in the portal, where roles come and go while the token stays,
    /// and wherever a secret is shown, which another token of the account might not be given. For all else
    /// the token's scopes say it all, and they were checked before.
    #[must_use]
    pub const fn rechecked(&self) -> bool {
        self.rechecked
    }

    /// Whether a refusal is kept: not where a secret is asked for, so that one that failed can be repeated.
    #[must_use]
    pub const fn keeps_refusals(&self) -> bool {
        !self.secret
    }
}

/// Whose keys a caller's are, where the path names no account.
fn own_space(caller: &Caller) -> IdempotencyNamespace {
    match &caller.subject {
        Principal::Organization { organization, .. } => (*organization).into(),
        Principal::User { user, .. } => (*user).into(),
        Principal::Customer(session) | Principal::Member(session) => {
            session.member.map_or_else(|| session.customer.into(), IdempotencyNamespace::from)
        }
    }
}

/// An answer, and whether it was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentResponse {
    /// The answer.
    pub answer: StoredResponse,
    /// Whether it is a replay.
    pub replayed: bool,
}

/// An operation that happens once for its key.
struct Once<O, R> {
    attempt: Arc<IdempotencyAttempt>,
    operation: O,
    render: R,
}

impl<O, R> UseCase for Once<O, R>
where
    O: UseCase<Error = Error>,
    R: Fn(&O::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
{
    type Output = IdempotentResponse;
    type Error = Error;
    const IS_LONG: bool = O::IS_LONG;

    fn organization(&self) -> Option<OrganizationId> {
        self.operation.organization()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IdempotentResponse, Error> {
        let Self { attempt, operation, render } = self;
        if let Some(answer) = claimed(tx, context, attempt).await? {
            if attempt.rechecked {
                recheck(tx, context, operation, &answer).await?;
            }
            return Ok(IdempotentResponse { answer, replayed: true });
        }
        let answer = render(&operation.run(tx, context).await?)?;
        let secret_until = context.now().plus_seconds(limits::SECRET_ANSWER_KEPT_S);
        tx.idempotency_store_response(&attempt.claim, &answer, attempt.secret.then_some(secret_until))
            .await?;
        Ok(IdempotentResponse { answer, replayed: false })
    }
}

/// Claims the key; answers what it was answered with before, if it was.
async fn claimed(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    attempt: &IdempotencyAttempt,
) -> Result<Option<StoredResponse>, Error> {
    let now = context.now();
    let expires_at = now.plus_seconds(limits::IDEMPOTENCY_KEPT_S);
    if tx.idempotency_claim(&attempt.claim, now, expires_at).await? {
        return Ok(None);
    }
    match tx.idempotency_state(&attempt.claim, now).await? {
        Some(IdempotencyState::Answered(answer)) => Ok(Some(answer)),
        Some(IdempotencyState::Forgotten) => Err(Error::AnswerForgotten),
        Some(IdempotencyState::OtherRequest) => Err(Error::KeyReused),
        None => Err(StoreError::Unavailable("an idempotency key expired just now".into()).into()),
    }
}

/// Whether the caller may be told again: tries what they did once more and leaves nothing of it. Who asked
/// for what was not there may hear so again.
async fn recheck<O: UseCase<Error = Error>>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    operation: &O,
    answer: &StoredResponse,
) -> Result<(), Error> {
    tx.begin_savepoint().await?;
    let outcome = operation.run(tx, context).await;
    tx.end_savepoint(false).await?;
    match outcome {
        Err(error) if error.is_fault() => Err(error),
        Err(error) if !error.is_outcome() => Err(Error::Lost(Box::new(error))),
        Err(error) if answer.status < 400 && error.is_out_of_reach() => Err(Error::Lost(Box::new(error))),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A refusal that is kept for its key.
struct Refusal {
    attempt: Arc<IdempotencyAttempt>,
    answer: StoredResponse,
}

impl UseCase for Refusal {
    type Output = IdempotentResponse;
    type Error = Error;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IdempotentResponse, Error> {
        let Self { attempt, answer } = self;
        match claimed(tx, context, attempt).await? {
            // Nobody looked whether the caller may still see it.
            Some(kept) if kept.status < 400 && attempt.rechecked => {
                Ok(IdempotentResponse { answer: answer.clone(), replayed: false })
            }
            Some(kept) => Ok(IdempotentResponse { answer: kept, replayed: true }),
            None => {
                tx.idempotency_store_response(&attempt.claim, answer, None).await?;
                Ok(IdempotentResponse { answer: answer.clone(), replayed: false })
            }
        }
    }
}

/// The keys of the requests that this node is running.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashMap<(IdempotencyNamespace, String), [u8; 32]>>);

/// Holds a key until it is dropped.
pub struct InFlightKey<'a> {
    in_flight: &'a InFlight,
    key: (IdempotencyNamespace, String),
}

impl InFlight {
    fn start(&self, claim: &IdempotencyClaim) -> Result<InFlightKey<'_>, Error> {
        let key = (claim.space, claim.key.clone());
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()) {
            Entry::Occupied(other) if *other.get() != claim.fingerprint => Err(Error::KeyReused),
            Entry::Occupied(_) => Err(Error::InProgress { retry_after_s: limits::IDEMPOTENCY_RETRY_S }),
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

/// Takes a few secret answers away whose time is over; answers how many.
struct Forget;

impl UseCase for Forget {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.idempotency_delete_sealed_responses(context.now(), limits::SWEPT).await
    }
}

/// Deletes a few expired records; answers how many.
struct Sweep;

impl UseCase for Sweep {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.idempotency_delete_expired(context.now(), limits::SWEPT).await
    }
}

impl App {
    /// Begins a request with a key: until what is answered is dropped, no other with it runs on this node.
    ///
    /// # Errors
    /// [`Error::InProgress`] or [`Error::KeyReused`] when one runs already.
    pub fn begin(&self, attempt: &IdempotencyAttempt) -> Result<InFlightKey<'_>, Error> {
        self.in_flight.start(&attempt.claim)
    }

    /// Runs an operation once for its key, and answers every request with that key alike.
    ///
    /// # Errors
    /// The operation's own, which leaves the key free; [`Error::KeyReused`], [`Error::AnswerForgotten`],
    /// or [`Error::Lost`].
    pub async fn write_once<O: UseCase<Error = Error>>(
        &self,
        attempt: Arc<IdempotencyAttempt>,
        operation: O,
        render: impl Fn(&O::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
    ) -> Result<IdempotentResponse, Error> {
        self.store.write(Once { attempt, operation, render }).await
    }

    /// Keeps a refusal for a key that is free; else answers what is kept.
    ///
    /// # Errors
    /// [`Error::KeyReused`], [`Error::AnswerForgotten`], or a fault.
    pub async fn refuse_once(
        &self,
        attempt: Arc<IdempotencyAttempt>,
        answer: StoredResponse,
    ) -> Result<IdempotentResponse, Error> {
        self.store.write(Refusal { attempt, answer }).await
    }

    /// What is done now and then, a few rows at a time: stores when tokens were last used, deletes what has
    /// expired, and forgets what old events told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        // Secrets first: what else there is must not keep them.
        while self.store.write(Forget).await? > 0 {}
        self.store_token_uses().await?;
        while self.store.write(Sweep).await? > 0 {}
        while self.store.write(crate::webhooks::Archive).await? > 0 {}
        while self.store.write(crate::sessions::Sweep).await? > 0 {}
        Ok(())
    }
}
