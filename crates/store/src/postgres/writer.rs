//! The writers: each runs the use cases of its queue in batches, one transaction for each batch.
//!
//! | event | action |
//! |---|---|
//! | a use case begins | `SAVEPOINT` |
//! | it succeeds | `RELEASE`; its caller waits for the commit |
//! | it returns an error | `ROLLBACK TO` its savepoint; the others go on |
//! | a row lock outlasts `LOCK_SHARED_MS` | `ROLLBACK TO`, and an isolated retry ([`super::alone`]) |
//! | `COMMIT` succeeds | every caller gets its result |
//! | the transaction fails as a whole | an isolated retry for each of its use cases |
//! | the outcome of `COMMIT` is unknown | every caller gets [`StoreError::InDoubt`]; nothing runs again |

use std::sync::Arc;

use tokio::sync::Mutex as Turn;
use tokio::sync::mpsc::{Receiver, Sender};

use super::connection::Connection;
use super::job::{AnyJob, Left};
use super::session::{Mode, NotCommitted, Transaction};
use super::shared::Shared;
use super::values::Fault;
use crate::StoreError;
use crate::error::unexpected;

type Jobs = Vec<AnyJob>;

/// Runs queued jobs in batches until the queue is closed. Jobs for an isolated retry go to `alone`.
pub(super) async fn write_all(shared: Arc<Shared>, mut queue: Receiver<AnyJob>, alone: Sender<Left>) {
    let most = shared.target.batch;
    let mut writer = Writer::new(shared);
    while let Some(first) = queue.recv().await {
        let mut jobs = vec![first];
        while jobs.len() < most
            && let Ok(next) = queue.try_recv()
        {
            jobs.push(next);
        }
        // A job must not run if its caller stopped waiting while it was queued.
        jobs.retain(|job| !job.is_given_up());
        let left = match jobs.pop() {
            Some(job) if jobs.is_empty() => writer.single(job).await,
            Some(job) => {
                jobs.push(job);
                writer.together(jobs).await
            }
            None => Vec::new(),
        };
        writer.let_go();
        for left in left {
            left.hand_to(&alone);
        }
    }
}

/// Runs long use cases one by one until the queue is closed. Several tasks share the queue.
pub(super) async fn write_long(shared: Arc<Shared>, queue: Arc<Turn<Receiver<AnyJob>>>, alone: Sender<Left>) {
    let mut writer = Writer::new(shared);
    loop {
        let next = queue.lock().await.recv().await;
        let Some(job) = next else { return };
        if !job.is_given_up() {
            let left = writer.single(job).await;
            writer.let_go();
            for left in left {
                left.hand_to(&alone);
            }
        }
    }
}

/// Runs a use case and awaits its pending results. Returns whether it succeeded. A change that failed after the use
/// case went on is a fault of the transaction, whatever the use case returned.
async fn run(job: &mut AnyJob, transaction: &mut Transaction) -> bool {
    let done = job.run(transaction).await;
    transaction.hear().await.is_ok() && done
}

/// The outcome of one run in a separate transaction.
pub(super) enum Once {
    /// The caller has its result.
    Answered,
    /// The job can run again after this fault.
    Again(AnyJob, Fault, StoreError),
}

/// A writer and its connection, which it keeps between transactions.
pub(super) struct Writer {
    shared: Arc<Shared>,
    connection: Option<Arc<Connection>>,
}

impl Writer {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// Drops a lost connection at once, because its row locks block other transactions.
    pub(super) fn let_go(&mut self) {
        self.connection.take_if(|connection| connection.is_lost());
    }

    async fn begin(&mut self, mode: Mode) -> Result<Transaction, StoreError> {
        if let Some(connection) = self.connection.as_ref().filter(|known| !known.is_lost()) {
            return Ok(Transaction::new(Arc::clone(connection), mode));
        }
        self.connection = None;
        let connection = Arc::new(self.shared.connect().await?);
        self.connection = Some(Arc::clone(&connection));
        Ok(Transaction::new(connection, mode))
    }

    /// Runs one job. Returns it if it needs an isolated retry.
    async fn single(&mut self, job: AnyJob) -> Vec<Left> {
        match self.once(job, Mode::Shared, false).await {
            Once::Answered => Vec::new(),
            Once::Again(job, fault, _) => vec![Left::after(job, Some(fault))],
        }
    }

    /// Runs the jobs in one transaction. Returns those that need an isolated retry.
    async fn together(&mut self, jobs: Jobs) -> Vec<Left> {
        let mut transaction = match self.begin(Mode::Shared).await {
            Ok(transaction) => transaction,
            Err(error) => {
                for mut job in jobs {
                    job.settle(Err(error.clone()));
                }
                return Vec::new();
            }
        };
        let (mut ran, mut left) = (Jobs::new(), Vec::new());
        let (mut is_patient, mut jobs) = (true, jobs.into_iter());
        while let Some(mut job) = jobs.next() {
            if let Some(fault) = transaction.fault() {
                left.push(Left::after(job, Some(fault)));
                continue;
            }
            transaction.begin_operation();
            let done = run(&mut job, &mut transaction).await;
            let fault = transaction.fault();
            // A use case that returned success after a failed statement gets its result from the isolated retry.
            let alone = fault.is_some() || (done && transaction.has_failed());
            transaction.end_operation(done && !alone);
            if fault == Some(Fault::Conflict) && is_patient && jobs.len() > 0 {
                is_patient = false;
                transaction.wait_no_more().await;
            }
            if alone { left.push(Left::after(job, fault)) } else { ran.push(job) }
        }
        match transaction.commit(notice(&self.shared, &ran)).await {
            Ok(()) => settle(&self.shared, ran, &Ok(())),
            Err(NotCommitted::Unknown(error)) => settle(&self.shared, ran, &Err(error)),
            Err(NotCommitted::Undone(_, fault)) => {
                left.extend(ran.into_iter().map(|job| Left::after(job, fault)));
            }
        }
        left
    }

    /// Runs one job in a transaction of its own.
    pub(super) async fn once(&mut self, mut job: AnyJob, mode: Mode, is_strict: bool) -> Once {
        let mut transaction = match self.begin(mode).await {
            Ok(transaction) if is_strict => transaction.strict(),
            Ok(transaction) => transaction,
            Err(error) => {
                job.settle(Err(error));
                return Once::Answered;
            }
        };
        let done = run(&mut job, &mut transaction).await;
        if let Some(fault) = transaction.fault() {
            if fault != Fault::Lost {
                transaction.roll_back().await;
            }
            let reason = match fault {
                Fault::Worker => "a server behind the database does not work",
                _ => "others were in the way too often",
            };
            return Once::Again(job, fault, StoreError::Unavailable(reason.into()));
        }
        if !done || transaction.has_failed() {
            transaction.roll_back().await;
            let overlooked = || unexpected("an operation overlooked a failed query");
            job.settle(if done { Err(overlooked()) } else { Ok(()) });
            return Once::Answered;
        }
        let jobs = vec![job];
        match transaction.commit(notice(&self.shared, &jobs)).await {
            Ok(()) => settle(&self.shared, jobs, &Ok(())),
            Err(NotCommitted::Unknown(error)) => settle(&self.shared, jobs, &Err(error)),
            Err(NotCommitted::Undone(error, fault)) => match (fault, jobs.into_iter().next()) {
                (Some(fault), Some(job)) => return Once::Again(job, fault, error),
                (_, job) => settle(&self.shared, job.into_iter().collect(), &Err(error)),
            },
        }
        Once::Answered
    }
}

/// The notice to other nodes that is sent with the commit of these jobs.
fn notice<'s>(shared: &'s Shared, jobs: &[AnyJob]) -> Option<&'s str> {
    jobs.iter().any(|job| job.changes().credentials).then_some(shared.notice.as_str())
}

/// Sends the signals of jobs whose transaction has ended, then their results.
fn settle(shared: &Shared, mut jobs: Vec<AnyJob>, committed: &Result<(), StoreError>) {
    for job in &mut jobs {
        let change = job.take_credential_change();
        shared.signals.send(job.changes(), change, committed.is_ok());
    }
    for mut job in jobs {
        job.settle(committed.clone());
    }
}
