//! The writer: one thread runs every use case, many in one physical transaction.
//!
//! | step | statement | on failure |
//! |---|---|---|
//! | the log is full | wait until the checkpoint thread has truncated it | go on without room |
//! | a batch begins with the first queued use case | `BEGIN IMMEDIATE` | the batch has one use case, which fails |
//! | each use case runs | `SAVEPOINT`, its statements, `RELEASE` | `ROLLBACK TO` that savepoint: the others go on |
//! | it ends at [`BATCH`] use cases, after [`BATCH_TIME`], or with an empty queue | `COMMIT`, one `fsync` | every use case of the batch fails |
//! | then each caller has its result | | |
//!
//! A full or failing disk makes SQLite roll back the whole transaction. The batch then ends at once, and each of its
//! use cases fails, also those that had succeeded. A use case is skipped if its caller stops waiting before it runs. The
//! queue decides which use case is next ([`crate::turns`]).

use std::any::type_name;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::driver::{failure, require_transaction};
use super::log::Log;
use crate::error::unexpected;
use crate::readings::StoreMeters;
use crate::signals::{Changes, CredentialChange, Signals};
use crate::turns::{LineKey, Taken, TurnQueue};
use crate::{Moments, StoreError, Tx, UseCase, Vault};

/// The maximum number of use cases in one transaction.
const BATCH: usize = 512;
/// The time after which a transaction takes no further use case, so that an answer does not wait long for its commit.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// Sends a use case's result to its caller, once the commit has succeeded or failed.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs a use case in the open transaction. With an error, it does not run and fails with that error.
pub(super) type Job = Box<dyn FnOnce(Result<&mut Connection, StoreError>) -> Reply + Send>;

/// A use case or list query awaited something other than the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForeignAwait(pub(super) &'static str);

impl ForeignAwait {
    /// Panics in a debug build, so that a test that runs the use case fails.
    pub(super) fn report(self) -> StoreError {
        let text = format!("{} awaited something other than the database", self.0);
        debug_assert!(false, "{text}");
        unexpected(text)
    }
}

type Outcome<U> = Result<<U as UseCase>::Output, <U as UseCase>::Error>;

/// A job that runs `use_case`, and the receiver of its result.
pub(super) fn job<U: UseCase>(
    use_case: U,
    moments: Moments,
    vault: Option<Arc<dyn Vault>>,
    signals: Arc<Signals>,
) -> (Job, oneshot::Receiver<Result<Outcome<U>, ForeignAwait>>) {
    let (sender, receiver) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        if sender.is_closed() {
            return Box::new(|_| {});
        }
        let (outcome, changes) = match connection {
            Ok(connection) => run_in_savepoint(connection, &use_case, &moments, vault.as_deref()),
            Err(error) => (Ok(Err(error.into())), Changes::default()),
        };
        // From here on, the next use case of the batch reads its credential again.
        let change = CredentialChange::of(changes, &signals.generation);
        Box::new(move |committed| {
            signals.send(changes, change, committed.is_ok());
            let outcome = outcome.map(|outcome| committed.map_err(U::Error::from).and(outcome));
            // The change stays committed even if the caller no longer waits for the result.
            drop(sender.send(outcome));
        })
    });
    (job, receiver)
}

/// Runs one use case in a savepoint, so that either all of its changes remain or none.
fn run_in_savepoint<U: UseCase>(
    connection: &mut Connection,
    use_case: &U,
    moments: &Moments,
    vault: Option<&dyn Vault>,
) -> (Result<Outcome<U>, ForeignAwait>, Changes) {
    let mut outcome = None;
    let ended = in_savepoint(connection, &mut |connection| {
        let mut tx = Tx::sqlite(connection, vault);
        let ran = outcome.insert(poll_once(type_name::<U>(), use_case.run(&mut tx, &mut moments())));
        matches!(ran, Ok(Ok(_))).then(|| tx.changes())
    });
    match ended {
        Ok(changes) => {
            (outcome.unwrap_or_else(|| Ok(Err(unexpected("a use case panicked").into()))), changes)
        }
        Err(error) => (Ok(Err(error.into())), Changes::default()),
    }
}

/// Runs `run` in a savepoint, whose changes remain if it returns them. This does not depend on the type of the use
/// case, so that it is compiled once.
fn in_savepoint(
    connection: &mut Connection,
    run: &mut dyn FnMut(&mut Connection) -> Option<Changes>,
) -> Result<Changes, StoreError> {
    let execute = |connection: &Connection, sql: &str| {
        let statement = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        statement.map_err(|error| failure(connection, error))
    };
    execute(connection, "SAVEPOINT use_case")?;
    let changes = catch_unwind(AssertUnwindSafe(|| run(connection))).unwrap_or_default();
    let rolled_back = require_transaction(connection).and_then(|()| match changes {
        Some(_) => Ok(0),
        None => execute(connection, "ROLLBACK TO use_case"),
    });
    if let Err(error) = rolled_back.and_then(|_| execute(connection, "RELEASE use_case")) {
        // Changes that cannot be rolled back alone must not be committed with the others.
        drop(connection.execute_batch("ROLLBACK"));
        return Err(error);
    }
    Ok(changes.unwrap_or_default())
}

/// The output of a future that awaits only SQLite. Such a future is ready on its first poll.
pub(super) fn poll_once<F: Future>(name: &'static str, future: F) -> Result<F::Output, ForeignAwait> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(ForeignAwait(name)),
    }
}

/// Abandons the queue when the writer ends, even by a panic, so that no caller waits for it.
struct Ending<'a>(&'a TurnQueue<Job>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs queued jobs in batches until the queue is closed and empty.
pub(super) fn write_all(
    connection: &mut Connection,
    queue: &TurnQueue<Job>,
    log: &Log,
    meters: &StoreMeters,
) {
    let _ending = Ending(queue);
    let mut replies = Vec::with_capacity(BATCH);
    while let Some(taken) = queue.wait() {
        let Some((line, first)) = runnable(taken, meters) else { continue };
        log.wait_for_room();
        let inside = log.writer.enter();
        let committed = match begin(connection) {
            Ok(()) => run_batch(connection, queue, (line, first), &mut replies, meters),
            Err(error) => {
                replies.push(first(Err(error.clone())));
                Err(error)
            }
        };
        if let Err(error) = &committed {
            tracing::error!(%error, "transaction not committed");
            // There may be nothing to roll back; the next BEGIN fails if this did.
            drop(connection.execute_batch("ROLLBACK"));
        }
        drop(inside);
        for reply in replies.drain(..) {
            reply(committed.clone());
        }
    }
}

/// Runs the first job and further ones in the open transaction, and commits it.
fn run_batch(
    connection: &mut Connection,
    queue: &TurnQueue<Job>,
    first: (LineKey, Job),
    replies: &mut Vec<Reply>,
    meters: &StoreMeters,
) -> Result<(), StoreError> {
    let begun = Instant::now();
    let (mut next, mut started) = (Some(first), begun);
    while let Some((line, job)) = next {
        replies.push(job(Ok(connection)));
        let now = Instant::now();
        queue.charge(line, now.saturating_duration_since(started));
        started = now;
        let is_full = replies.len() >= BATCH || now.saturating_duration_since(begun) >= BATCH_TIME;
        next = None;
        while !is_full
            && next.is_none()
            && require_transaction(connection).is_ok()
            && let Some(taken) = queue.take(now)
        {
            next = runnable(taken, meters);
        }
    }
    require_transaction(connection)?;
    let committing = Instant::now();
    connection.execute_batch("COMMIT").map_err(|error| failure(connection, error))?;
    meters.commits.record_duration(committing.elapsed());
    meters.batches.record(u64::try_from(replies.len()).unwrap_or(u64::MAX));
    Ok(())
}

/// A job to run. Refuses one that has waited for too long.
fn runnable(taken: Taken<Job>, meters: &StoreMeters) -> Option<(LineKey, Job)> {
    match taken {
        Taken::Run(line, job) => Some((line, job)),
        Taken::Expired(job) => {
            meters.refused_writes.increment();
            let waited = StoreError::Unavailable("the write has waited too long for its turn".into());
            job(Err(waited))(Ok(()));
            None
        }
    }
}

fn begin(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| failure(connection, error))
}
