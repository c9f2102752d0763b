//! An operation on its way through a writer: run as often as needed, answered once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tenantry_core::ids::OrganizationId;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::limits::OPERATION_IDLE;
use super::session::{Session, Transaction};
use super::shared::Shared;
use super::values::Fault;
use crate::error::unexpected;
use crate::signals::Changes;
use crate::{StoreError, Tx, UseCase};

/// Whether an operation did what it was to do.
pub(super) type Ran<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// An operation whose type is of no concern.
pub(super) trait Job: Send {
    /// [`UseCase::organization`].
    fn organization(&self) -> Option<OrganizationId>;

    /// Whether nobody waits for it any more.
    fn is_given_up(&self) -> bool;

    /// Runs it, and remembers how it ended.
    fn run<'a>(&'a mut self, transaction: &'a mut Transaction) -> Ran<'a>;

    /// What it changes when it last ran.
    fn changes(&self) -> Changes;

    /// Answers who waits: with the operation's own outcome when its transaction ended well.
    fn settle(&mut self, committed: Result<(), StoreError>);
}

type Outcome<O> = Result<<O as UseCase>::Output, <O as UseCase>::Error>;
/// A job of any operation.
pub(super) type AnyJob = Box<dyn Job>;

struct Typed<O: UseCase> {
    operation: O,
    shared: Arc<Shared>,
    outcome: Option<Outcome<O>>,
    changes: Changes,
    reply: Option<oneshot::Sender<Outcome<O>>>,
}

/// A job, and where its answer comes.
pub(super) fn job<O: UseCase>(shared: &Arc<Shared>, operation: O) -> (AnyJob, oneshot::Receiver<Outcome<O>>) {
    let (reply, answer) = oneshot::channel();
    let job = Typed {
        operation,
        shared: Arc::clone(shared),
        outcome: None,
        changes: Changes::default(),
        reply: Some(reply),
    };
    (Box::new(job), answer)
}

impl<O: UseCase> Job for Typed<O> {
    fn organization(&self) -> Option<OrganizationId> {
        self.operation.organization()
    }

    fn is_given_up(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn run<'a>(&'a mut self, transaction: &'a mut Transaction) -> Ran<'a> {
        Box::pin(async move {
            let progress = transaction.progress();
            let mut tx = Tx::postgres(Session::Writing(transaction), self.shared.vault());
            let mut context = (self.shared.moments)();
            let outcome = guarded::<O, _>(self.operation.run(&mut tx, &mut context), &progress).await;
            self.changes = if outcome.is_ok() { tx.changes() } else { Changes::default() };
            let done = outcome.is_ok();
            self.outcome = Some(outcome);
            done
        })
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn settle(&mut self, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome.take()) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(unexpected("an operation without outcome").into()),
            (Err(error), _) => Err(error.into()),
        };
        if let Some(reply) = self.reply.take() {
            // Nobody listens when the request was given up meanwhile; what it did stays done.
            drop(reply.send(outcome));
        }
    }
}

/// An operation that has to run alone.
pub(super) struct Left {
    pub(super) job: AnyJob,
    /// Whether it waits for every answer.
    pub(super) is_strict: bool,
}

impl Left {
    /// After a fault, unless it only has to be judged.
    pub(super) fn after(job: AnyJob, fault: Option<Fault>) -> Self {
        Self { job, is_strict: fault == Some(Fault::Late) }
    }

    /// Queues it; answers it when there is no place.
    pub(super) fn hand_to(self, alone: &Sender<Self>) {
        if let Err(TrySendError::Full(mut left) | TrySendError::Closed(mut left)) = alone.try_send(self) {
            left.job.settle(Err(StoreError::Unavailable("too many writes are waiting".into())));
        }
    }
}

/// The outcome of an operation that may panic, or wait for something that never comes.
async fn guarded<O: UseCase, F: Future<Output = Outcome<O>>>(
    operation: F,
    progress: &AtomicU64,
) -> Outcome<O> {
    let mut operation = pin!(operation);
    let mut caught = pin!(std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| operation.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(unexpected("an operation panicked").into())))
    }));
    loop {
        let seen = progress.load(Ordering::Acquire);
        tokio::select! {
            biased;
            outcome = &mut caught => return outcome,
            () = tokio::time::sleep(OPERATION_IDLE) => {
                // Even: the database has answered all that it was asked.
                if seen.is_multiple_of(2) && progress.load(Ordering::Acquire) == seen {
                    let name = std::any::type_name::<O>();
                    let text = format!("{name} awaited something other than the database");
                    return Err(unexpected(text).into());
                }
            }
        }
    }
}
