//! Runs a use case: one transaction on one place, again after a conflict.
//!
//! | event | action |
//! |---|---|
//! | the use case fails, panics, or takes longer than [`ATTEMPT`] | `ROLLBACK`; its caller gets the error |
//! | a change failed whose result was not awaited | once more on this place, with each result awaited |
//! | a lock or statement timeout | again in the slow lane, in which its party then begins for [`HELD_UP`](super::limits::HELD_UP); not again after a statement timeout there |
//! | a deadlock, a serialization failure | again in the slow lane |
//! | the connection is lost before `COMMIT` | again on another connection, the first time at any rate |
//! | a server behind the database fails | once more, as the database can have kept a dead connection to it |
//! | [`PAUSES`] are used up, or [`ATTEMPTS_FOR`] has passed unless it just left the fast lane or first lost its connection | the caller gets the last error |
//! | it gets no place within [`ENTER`] | the caller gets [`StoreError::Unavailable`] |
//! | the caller stops waiting | dropped before its next attempt |
//! | the outcome of `COMMIT` is unknown | [`StoreError::InDoubt`]; it never runs again |

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::faults::Fault;
use super::lanes::{Lanes, Place};
use super::limits::{ATTEMPT, ATTEMPTS_FOR, ENTER, PAUSES};
use super::session::Session;
use super::shared::Shared;
use super::transaction::{Mode, NotCommitted, Transaction};
use crate::error::unexpected;
use crate::readings::RetryReason;
use crate::signals::{Changes, CredentialChange};
use crate::{StoreError, Tx, UseCase};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
pub(super) type Outcome<U> = Result<<U as UseCase>::Output, <U as UseCase>::Error>;

/// A use case without its type, so that the task that runs it is compiled once and not for each use case.
pub(super) trait Job: Send {
    /// Runs the use case and keeps its outcome. Returns its changes if it succeeded.
    fn run<'a>(
        &'a mut self,
        shared: &'a Shared,
        transaction: &'a mut Transaction,
    ) -> Boxed<'a, Option<Changes>>;

    /// Sends the kept outcome to the caller, or the error with which the last attempt ended.
    fn reply(self: Box<Self>, ended: Result<(), StoreError>);
}

struct Typed<U: UseCase> {
    use_case: U,
    outcome: Option<Outcome<U>>,
    caller: oneshot::Sender<Outcome<U>>,
}

/// A job that runs `use_case`, and the receiver of its outcome.
pub(super) fn job<U: UseCase>(use_case: U) -> (Box<dyn Job>, oneshot::Receiver<Outcome<U>>) {
    let (caller, outcome) = oneshot::channel();
    (Box::new(Typed { use_case, outcome: None, caller }), outcome)
}

impl<U: UseCase> Job for Typed<U> {
    fn run<'a>(
        &'a mut self,
        shared: &'a Shared,
        transaction: &'a mut Transaction,
    ) -> Boxed<'a, Option<Changes>> {
        Box::pin(async move {
            let mut tx = Tx::postgres(Session::Writing(transaction), shared.vault());
            let mut context = (shared.moments)();
            let ran = caught(self.use_case.run(&mut tx, &mut context));
            let outcome = tokio::time::timeout(ATTEMPT, ran).await.unwrap_or_else(|_| {
                let name = std::any::type_name::<U>();
                Err(unexpected(format!(
                    "{name} took too long: does it await something other than the database?"
                ))
                .into())
            });
            let changes = outcome.is_ok().then(|| tx.changes());
            self.outcome = Some(outcome);
            changes
        })
    }

    fn reply(self: Box<Self>, ended: Result<(), StoreError>) {
        let outcome = match (ended, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(unexpected("a use case without outcome").into()),
            (Err(error), _) => Err(error.into()),
        };
        // A committed change stays even if the caller no longer waits for the outcome.
        drop(self.caller.send(outcome));
    }
}

/// The outcome of a use case: an error if it panics.
async fn caught<T, E: From<StoreError>>(run: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let mut run = pin!(run);
    let panicked = |_| Poll::Ready(Err(unexpected("the use case panicked").into()));
    poll_fn(|cx| catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))).unwrap_or_else(panicked)).await
}

/// The attempts of one use case.
pub(super) struct Attempts {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Arc<Lanes>,
    /// The party of the use case. Those of the server itself are one party.
    pub(super) party: Uuid,
    pub(super) is_long: bool,
}

impl Attempts {
    /// Runs a use case until its caller has an outcome, or stops waiting, which drops the sender of `given_up`.
    pub(super) async fn run(self, mut job: Box<dyn Job>, given_up: oneshot::Receiver<()>) {
        if let Some(ended) = self.run_attempts(job.as_mut(), given_up).await {
            job.reply(ended);
        }
    }

    /// Returns the outcome of the last attempt. `None` if the caller has stopped waiting.
    async fn run_attempts(
        &self,
        job: &mut dyn Job,
        mut given_up: oneshot::Receiver<()>,
    ) -> Option<Result<(), StoreError>> {
        let begun = Instant::now();
        let (mut is_slow, mut has_lost_worker, mut has_lost) = (false, false, false);
        let mut last = None;
        for pause in PAUSES {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let lane = self.lanes.choose(self.party, self.is_long, is_slow);
            let entered = tokio::select! {
                biased;
                _ = &mut given_up => return None,
                entered = tokio::time::timeout(ENTER, lane.enter(self.party)) => entered,
            };
            let no_place = |_| Err(StoreError::Unavailable("no connection was free for a write".into()));
            let mut place = match entered.unwrap_or_else(no_place) {
                Ok(place) => place,
                Err(error) => {
                    self.shared.meters.refused_writes.increment();
                    return Some(Err(error));
                }
            };
            if let Some((fault, _)) = last.take() {
                self.shared.meters.count_retry(fault);
            }
            let mut attempt = self.attempt(&mut place, job, false).await;
            if matches!(attempt, Err((Fault::Late, _))) {
                self.shared.meters.count_retry(RetryReason::UnawaitedFailure);
                attempt = self.attempt(&mut place, job, true).await;
            }
            drop(place);
            let (fault, error) = match attempt {
                Ok(ended) => return Some(ended),
                Err(again) => again,
            };
            let was_slow = self.lanes.is_slow(lane);
            match fault {
                Fault::TimedOut if was_slow => return Some(Err(error)),
                Fault::Worker if std::mem::replace(&mut has_lost_worker, true) => return Some(Err(error)),
                Fault::Locked | Fault::TimedOut => self.lanes.hold_up(self.party),
                Fault::Conflict | Fault::Late | Fault::Worker | Fault::Lost => {}
            }
            is_slow |= matches!(fault, Fault::Conflict | Fault::Locked | Fault::TimedOut);
            last = Some((RetryReason::from(fault), error));
            // A use case that has just left the fast lane can have waited long for a place, but not for a row lock. One
            // whose connection led to an unresponsive host has waited for its result: see `limits::ANSWER`.
            let has_just_left = is_slow && !was_slow;
            let is_first_loss = fault == Fault::Lost && !std::mem::replace(&mut has_lost, true);
            if !has_just_left && !is_first_loss && begun.elapsed() > ATTEMPTS_FOR {
                break;
            }
        }
        last.map(|(_, error)| Err(error))
    }

    /// One attempt in a transaction of its own. `Err` if the job can run again.
    async fn attempt(
        &self,
        place: &mut Place,
        job: &mut dyn Job,
        is_strict: bool,
    ) -> Result<Result<(), StoreError>, (Fault, StoreError)> {
        let connection = match place.connection(&self.shared).await {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let mut transaction = Transaction::new(connection, Mode::Write { bucket: place.bucket(), is_strict });
        let changes = job.run(&self.shared, &mut transaction).await;
        if changes.is_none() && !transaction.has_failed() {
            // The error can be the consequence of a change that failed without being awaited.
            drop(transaction.settle().await);
        }
        if let Some(fault) = transaction.take_fault() {
            transaction.roll_back().await;
            return Err(fault);
        }
        let Some(changes) = changes.filter(|_| !transaction.has_failed()) else {
            let overlooked = changes.map(|_| unexpected("a use case overlooked a failed query"));
            transaction.roll_back().await;
            return Ok(overlooked.map_or(Ok(()), Err));
        };
        // The change begins before the commit, because the commit releases locks that other transactions wait for.
        let change = CredentialChange::of(changes, &self.shared.signals.generation);
        // The other nodes are notified with the commit.
        let notice = changes.credentials.then_some(self.shared.notice.as_str());
        let committing = Instant::now();
        let ended = match transaction.commit(notice).await {
            Err(NotCommitted::Undone(error, Some(fault))) => return Err((fault, error)),
            Err(NotCommitted::Unknown(error) | NotCommitted::Undone(error, None)) => Err(error),
            Ok(()) => {
                self.shared.meters.commits.record_duration(committing.elapsed());
                Ok(())
            }
        };
        self.shared.signals.send(changes, change, ended.is_ok());
        Ok(ended)
    }
}
