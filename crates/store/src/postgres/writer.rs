//! The writers: each runs what is queued for it, many operations in one transaction.
//!
//! Each operation has a savepoint of its own in a transaction that is committed once; all are answered after
//! that. An operation that fails is undone alone. One that would wait for another transaction's row leaves
//! the others and runs alone ([`super::alone`]), so that nobody waits for it here. When the whole transaction
//! fails, each of its operations runs again, alone.

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

/// Writes until nothing more can come; what has to run alone is handed to `alone`.
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
        // A request that was given up while it waited must not happen after all.
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

/// Runs long operations one by one, beside others that do the same, until nothing more can come.
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

/// Runs an operation; answers whether it did what it was to do. One that believed in a change that was
/// refused has a fault, whatever it made of it.
async fn run(job: &mut AnyJob, transaction: &mut Transaction) -> bool {
    let done = job.run(transaction).await;
    transaction.hear().await.is_ok() && done
}

/// What came of an operation that ran once, in a transaction of its own.
pub(super) enum Once {
    /// It is answered.
    Answered,
    /// It can be tried again.
    Again(AnyJob, Fault, StoreError),
}

/// Who writes, on a connection that it keeps.
pub(super) struct Writer {
    shared: Arc<Shared>,
    connection: Option<Arc<Connection>>,
}

impl Writer {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// Lets a connection that was given up go at once: what it holds is in everybody's way.
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

    /// Runs one operation; answers with it when it has to run alone.
    async fn single(&mut self, job: AnyJob) -> Vec<Left> {
        match self.once(job, Mode::Shared, false).await {
            Once::Answered => Vec::new(),
            Once::Again(job, fault, _) => vec![Left::after(job, Some(fault))],
        }
    }

    /// Runs the operations in one transaction; answers with those that have to run alone.
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
            // What failed although the operation says that it did not is judged when it runs alone.
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

    /// Runs one operation in a transaction of its own.
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
            let error = StoreError::Unavailable("others were in the way too often".into());
            return Once::Again(job, fault, error);
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
fn settle(shared: &Shared, jobs: Vec<AnyJob>, committed: &Result<(), StoreError>) {
    for job in &jobs {
        shared.signals.send(job.changes(), committed.is_ok());
    }
    for mut job in jobs {
        job.settle(committed.clone());
    }
}
