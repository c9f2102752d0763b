//! The writer: one thread runs every use case, many in one physical transaction.
//!
//! | step | statement | on failure |
//! |---|---|---|
//! | the log is full | wait until the checkpoint thread has truncated it | go on without room |
//! | a batch begins with the first queued use case | `BEGIN IMMEDIATE` | the batch has one use case, which fails |
//! | each use case runs | `SAVEPOINT`, its statements, `RELEASE` | `ROLLBACK TO` that savepoint: the others go on |
//! | it ends at [`BATCH`] use cases, or an empty queue | `COMMIT`, one `fsync` | every use case of the batch fails |
//! | then each caller has its result | | |
//!
//! A full or failing disk makes SQLite roll back the whole transaction. The batch then ends at once, and each of its
//! use cases fails, also those that had succeeded. A use case is skipped if its caller stops waiting before it runs.

use std::any::type_name;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::driver::{failure, require_transaction};
use super::log::Log;
use crate::error::unexpected;
use crate::signals::{Changes, Signals};
use crate::{Moments, StoreError, Tx, UseCase, Vault};

/// The maximum number of use cases in one transaction.
const BATCH: usize = 512;

/// Sends a use case's result to its caller, once the commit has succeeded or failed.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs a use case in the open transaction. With `None`, no transaction could begin, and the use case fails.
pub(super) type Job = Box<dyn FnOnce(Option<&mut Connection>) -> Reply + Send>;

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
            Some(connection) => run_in_savepoint(connection, &use_case, &moments, vault.as_deref()),
            None => {
                let error = StoreError::Unavailable("no transaction could begin".into());
                (Ok(Err(error.into())), Changes::default())
            }
        };
        Box::new(move |committed| {
            signals.send(changes, committed.is_ok());
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
    let execute = |connection: &Connection, sql: &str| {
        let statement = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        statement.map_err(|error| failure(connection, error))
    };
    if let Err(error) = execute(connection, "SAVEPOINT use_case") {
        return (Ok(Err(error.into())), Changes::default());
    }
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut tx = Tx::sqlite(connection, vault);
        let outcome = poll_once(type_name::<U>(), use_case.run(&mut tx, &mut moments()));
        (outcome, tx.changes())
    }));
    let (outcome, changes) =
        ran.unwrap_or_else(|_| (Ok(Err(unexpected("a use case panicked").into())), Changes::default()));
    let rolled_back = require_transaction(connection).and_then(|()| match outcome {
        Ok(Ok(_)) => Ok(0),
        _ => execute(connection, "ROLLBACK TO use_case"),
    });
    match rolled_back.and_then(|_| execute(connection, "RELEASE use_case").map(|_| ())) {
        Ok(()) => (outcome, changes),
        Err(error) => {
            // Changes that cannot be rolled back alone must not be committed with the others.
            drop(connection.execute_batch("ROLLBACK"));
            (Ok(Err(error.into())), Changes::default())
        }
    }
}

/// The output of a future that awaits only SQLite. Such a future is ready on its first poll.
pub(super) fn poll_once<F: Future>(name: &'static str, future: F) -> Result<F::Output, ForeignAwait> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(ForeignAwait(name)),
    }
}

/// Runs queued jobs in batches until the queue is closed and empty.
pub(super) fn write_all(connection: &mut Connection, jobs: &Receiver<Job>, log: &Log) {
    let mut replies = Vec::with_capacity(BATCH);
    while let Ok(first) = jobs.recv() {
        log.wait_for_room();
        let inside = log.writer.enter();
        let begun = begin(connection);
        replies.push(first(begun.is_ok().then_some(&mut *connection)));
        let committed = begun.and_then(|()| {
            while replies.len() < BATCH
                && require_transaction(connection).is_ok()
                && let Ok(next) = jobs.try_recv()
            {
                replies.push(next(Some(connection)));
            }
            require_transaction(connection)?;
            connection.execute_batch("COMMIT").map_err(|error| failure(connection, error))
        });
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

fn begin(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| failure(connection, error))
}
