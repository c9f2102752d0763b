//! A writer: runs what is queued for it, many operations in one transaction.
//!
//! Each operation has a savepoint of its own in a transaction that is committed once; all are answered after
//! that. An operation that fails is undone alone. One that would wait for another transaction's row leaves
//! the others and runs alone later, so that transactions of many operations never wait for each other long.
//! When the whole transaction fails, each of its operations runs again, alone.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

use super::Shared;
use super::connection::Connection;
use super::job::AnyJob;
use super::limits::PAUSES;
use super::session::{Mode, NotCommitted, Transaction};
use super::values::Fault;
use crate::StoreError;
use crate::sql::unexpected;

type Jobs = Vec<AnyJob>;

/// An operation that has to run alone.
struct Left {
    job: AnyJob,
    /// Whether it is to wait for every answer.
    is_strict: bool,
}

fn left(jobs: Jobs) -> Vec<Left> {
    jobs.into_iter().map(|job| Left { job, is_strict: false }).collect()
}

/// Runs an operation; answers whether it did what it was to do, as far as the database was heard.
async fn run(job: &mut AnyJob, transaction: &mut Transaction) -> bool {
    job.run(transaction).await && transaction.hear().await.is_ok()
}

/// Writes until nothing more can come.
pub(super) async fn write_all(shared: Arc<Shared>, mut queue: Receiver<AnyJob>) {
    let mut writer = Writer { shared, connection: None };
    while let Some(first) = queue.recv().await {
        let mut jobs = vec![first];
        while jobs.len() < writer.shared.target.batch
            && let Ok(next) = queue.try_recv()
        {
            jobs.push(next);
        }
        // A request that was given up while it waited must not happen after all.
        jobs.retain(|job| !job.is_given_up());
        let alone = if jobs.len() > 1 { writer.together(jobs).await } else { left(jobs) };
        for left in alone {
            writer.alone(left).await;
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    connection: Option<Arc<Connection>>,
}

impl Writer {
    async fn begin(&mut self, mode: Mode) -> Result<Transaction, StoreError> {
        if let Some(connection) = self.connection.as_ref().filter(|known| !known.is_lost()) {
            return Ok(Transaction::new(Arc::clone(connection), mode));
        }
        self.connection = None;
        let connection = Arc::new(self.shared.connect().await?);
        self.connection = Some(Arc::clone(&connection));
        Ok(Transaction::new(connection, mode))
    }

    /// Runs the operations in one transaction; answers those that have to run alone.
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
        let (mut ran, mut again) = (Jobs::new(), Vec::new());
        for mut job in jobs {
            if transaction.fault().is_some() {
                again.push(Left { job, is_strict: false });
                continue;
            }
            transaction.begin_operation();
            let done = run(&mut job, &mut transaction).await;
            let fault = transaction.fault();
            // What failed although the operation says that it did not is judged when it runs alone.
            let alone = fault.is_some() || (done && transaction.has_failed());
            transaction.end_operation(done && !alone);
            if alone {
                again.push(Left { job, is_strict: fault == Some(Fault::Late) });
            } else {
                ran.push(job);
            }
        }
        match transaction.commit(self.shared.notice(&ran)).await {
            Ok(()) => self.shared.settle(ran, &Ok(())),
            Err(NotCommitted::Unknown(error)) => self.shared.settle(ran, &Err(error)),
            Err(NotCommitted::Undone(..)) => {
                let mut all = left(ran);
                all.append(&mut again);
                return all;
            }
        }
        again
    }

    /// Runs one operation in a transaction of its own, again after each conflict.
    async fn alone(&mut self, left: Left) {
        let Left { mut job, mut is_strict } = left;
        let mut last = StoreError::Unavailable("others were in the way too often".into());
        for pause in PAUSES {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            // It may have waited long for others' rows, here or behind another operation.
            if job.is_given_up() {
                return;
            }
            let mut transaction = match self.begin(Mode::Alone).await {
                Ok(transaction) if is_strict => transaction.strict(),
                Ok(transaction) => transaction,
                Err(error) => return job.settle(Err(error)),
            };
            let done = run(&mut job, &mut transaction).await;
            let (fault, failed) = (transaction.fault(), transaction.has_failed());
            if fault.is_some() || failed || !done {
                if fault != Some(Fault::Lost) {
                    transaction.roll_back().await;
                }
                is_strict |= fault == Some(Fault::Late);
                match (fault, done) {
                    (Some(_), _) => continue,
                    (None, false) => return job.settle(Ok(())),
                    (None, true) => {
                        return job.settle(Err(unexpected("an operation overlooked a failed query")));
                    }
                }
            }
            let jobs = vec![job];
            match transaction.commit(self.shared.notice(&jobs)).await {
                Ok(()) => return self.shared.settle(jobs, &Ok(())),
                Err(NotCommitted::Unknown(error)) => return self.shared.settle(jobs, &Err(error)),
                Err(NotCommitted::Undone(error, fault)) => {
                    if fault.is_none() {
                        return self.shared.settle(jobs, &Err(error));
                    }
                    last = error;
                    let Some(left) = jobs.into_iter().next() else { return };
                    job = left;
                }
            }
        }
        job.settle(Err(last));
    }
}
