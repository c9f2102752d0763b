//! `Idempotency-Key`: one effect and one answer, however often a request is sent.
//!
//! Claim, effect and stored answer are one transaction: a crash between them leaves none of the three. While
//! a request runs, a second one with its key is told so at once, by the node that runs the first; a second
//! one on another node waits for the first transaction to end and replays it.
//!
//! The states are those of contracts/ahasend-behaviour.md 1.8.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use tenantry_core::Moment;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{Claim, Operation, StoreError, StoredAnswer, Tx};

use crate::secrets::fingerprint;
use crate::{App, Error, limits};

/// What a request with a key claims: the key, in its account, for this method, path and body.
#[must_use]
pub fn claim(organization: OrganizationId, key: String, method: &str, path: &str, body: &[u8]) -> Claim {
    Claim { organization, key, fingerprint: fingerprint(method, path, body) }
}

/// An answer, and whether it was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: StoredAnswer,
    /// Whether it is a replay.
    pub replayed: bool,
}

/// Turns an operation's outcome into the answer that goes over the wire.
pub type Render<T> = fn(Result<T, &Error>) -> StoredAnswer;

/// An operation that happens once for its key.
struct Once<O: Operation> {
    claim: Claim,
    operation: O,
    render: Render<O::Output>,
}

impl<O: Operation<Error = Error>> Operation for Once<O> {
    type Output = Answered;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.claim.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<Answered, Error> {
        let now = moment.now();
        let expires_at = now.plus_seconds(limits::IDEMPOTENCY_KEPT_S);
        if !tx.idempotency_claim(&self.claim, now, expires_at).await? {
            let record = tx.idempotency_record(&self.claim).await?;
            return match record {
                Some(record) if record.fingerprint == self.claim.fingerprint => {
                    Ok(Answered { answer: record.answer, replayed: true })
                }
                Some(_) => Err(Error::KeyReused),
                None => Err(StoreError::Unavailable("an idempotency key expired just now".into()).into()),
            };
        }
        tx.begin_part().await?;
        let outcome = self.operation.run(tx, moment).await;
        tx.end_part(outcome.is_ok()).await?;
        let answer = match outcome {
            Ok(output) => (self.render)(Ok(output)),
            Err(error) if error.is_fault() => return Err(error),
            Err(error) => (self.render)(Err(&error)),
        };
        tx.idempotency_answer(&self.claim, &answer).await?;
        Ok(Answered { answer, replayed: false })
    }
}

/// Nothing happens but the answer.
struct Known(StoredAnswer);

impl Operation for Known {
    type Output = StoredAnswer;
    type Error = Error;

    async fn run(&self, _: &mut Tx<'_>, _: &mut Moment) -> Result<StoredAnswer, Error> {
        Ok(self.0.clone())
    }
}

/// The keys of the requests that this node is running.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashMap<(OrganizationId, String), [u8; 32]>>);

/// Holds a key until it is dropped.
struct Running<'a> {
    in_flight: &'a InFlight,
    key: (OrganizationId, String),
}

impl InFlight {
    fn start(&self, claim: &Claim) -> Result<Running<'_>, Error> {
        let key = (claim.organization, claim.key.clone());
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()) {
            Entry::Occupied(other) if *other.get() != claim.fingerprint => Err(Error::KeyReused),
            Entry::Occupied(_) => Err(Error::InProgress { retry_after_s: limits::IDEMPOTENCY_RETRY_S }),
            Entry::Vacant(free) => {
                free.insert(claim.fingerprint);
                Ok(Running { in_flight: self, key })
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Deletes a few expired records; answers how many.
pub struct Sweep;

impl Operation for Sweep {
    type Output = usize;
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<usize, StoreError> {
        tx.idempotency_sweep(moment.now(), limits::SWEPT).await
    }
}

impl App {
    /// Runs an operation once for its key, and answers every request with that key alike. Without a key it
    /// simply runs.
    ///
    /// # Errors
    /// [`Error::InProgress`], [`Error::KeyReused`], or a fault; every other failure is an answer.
    pub async fn write_once<O: Operation<Error = Error>>(
        &self,
        claim: Option<Claim>,
        operation: O,
        render: Render<O::Output>,
    ) -> Result<Answered, Error> {
        let Some(claim) = claim else {
            let answer = match self.write(operation).await {
                Ok(output) => render(Ok(output)),
                Err(error) if error.is_fault() => return Err(error),
                Err(error) => render(Err(&error)),
            };
            return Ok(Answered { answer, replayed: false });
        };
        let running = self.in_flight.start(&claim)?;
        let answered = self.store.write(Once { claim, operation, render }).await;
        drop(running);
        answered
    }

    /// Answers every request with this key alike with what is known already: it could not be read.
    ///
    /// # Errors
    /// [`Error::InProgress`], [`Error::KeyReused`], or a fault.
    pub async fn answer_once(
        &self,
        claim: Claim,
        answer: StoredAnswer,
        render: Render<StoredAnswer>,
    ) -> Result<Answered, Error> {
        self.write_once(Some(claim), Known(answer), render).await
    }

    /// What is done now and then, a few rows at a time: stores when tokens were last used, deletes what has
    /// expired, and forgets what old events told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.store_token_uses().await?;
        while self.store.write(Sweep).await? > 0 {}
        while self.store.write(crate::webhooks::Archive).await? > 0 {}
        while self.store.write(crate::sessions::Sweep).await? > 0 {}
        Ok(())
    }
}
