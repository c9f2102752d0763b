//! A job: a use case in a writer's queue. It can run several times, and its caller gets one result.

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
use crate::signals::{Changes, CredentialChange};
use crate::{StoreError, Tx, UseCase};

/// A run of a use case. The output is whether the use case returned success.
pub(super) type Ran<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// A use case without its type.
pub(super) trait Job: Send {
    /// [`UseCase::party`].
    fn organization(&self) -> Option<OrganizationId>;

    /// Whether the caller has stopped waiting for the result.
    fn is_given_up(&self) -> bool;

    /// Runs the use case and keeps its result.
    fn run<'a>(&'a mut self, transaction: &'a mut Transaction) -> Ran<'a>;

    /// The changes of the last run.
    fn changes(&self) -> Changes;

    /// The change of credentials of the last run, which ends when it is dropped.
    fn take_credential_change(&mut self) -> Option<CredentialChange>;

    /// Sends the result to the caller: that of the use case if its transaction was committed, or else the error.
    fn settle(&mut self, committed: Result<(), StoreError>);
}

type Outcome<O> = Result<<O as UseCase>::Output, <O as UseCase>::Error>;
/// A boxed job.
pub(super) type AnyJob = Box<dyn Job>;

struct Typed<O: UseCase> {
    operation: O,
    shared: Arc<Shared>,
    outcome: Option<Outcome<O>>,
    changes: Changes,
    credential_change: Option<CredentialChange>,
    reply: Option<oneshot::Sender<Outcome<O>>>,
}

/// A job for `operation`, and the receiver of its result.
pub(super) fn job<O: UseCase>(shared: &Arc<Shared>, operation: O) -> (AnyJob, oneshot::Receiver<Outcome<O>>) {
    let (reply, answer) = oneshot::channel();
    let job = Typed {
        operation,
        shared: Arc::clone(shared),
        outcome: None,
        changes: Changes::default(),
        credential_change: None,
        reply: Some(reply),
    };
    (Box::new(job), answer)
}

impl<O: UseCase> Job for Typed<O> {
    fn organization(&self) -> Option<OrganizationId> {
        self.operation.party().organization
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
            // Begun before the commit, which lets transactions go on that wait for locks of this one.
            self.credential_change = CredentialChange::of(self.changes, &self.shared.signals.generation);
            let done = outcome.is_ok();
            self.outcome = Some(outcome);
            done
        })
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn take_credential_change(&mut self) -> Option<CredentialChange> {
        self.credential_change.take()
    }

    fn settle(&mut self, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome.take()) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(unexpected("an operation without outcome").into()),
            (Err(error), _) => Err(error.into()),
        };
        if let Some(reply) = self.reply.take() {
            // The change stays committed even if the caller no longer waits for the result.
            drop(reply.send(outcome));
        }
    }
}

/// A job that left its batch for an isolated retry.
pub(super) struct Left {
    pub(super) job: AnyJob,
    /// Whether the retry awaits the result of each statement.
    pub(super) is_strict: bool,
}

impl Left {
    /// A job to retry after `fault`. `None` means that a statement failed although the use case returned success.
    pub(super) fn after(mut job: AnyJob, fault: Option<Fault>) -> Self {
        drop(job.take_credential_change());
        Self { job, is_strict: fault == Some(Fault::Late) }
    }

    /// Queues the job for an isolated retry, or fails it if that queue is full.
    pub(super) fn hand_to(self, alone: &Sender<Self>) {
        if let Err(TrySendError::Full(mut left) | TrySendError::Closed(mut left)) = alone.try_send(self) {
            left.job.settle(Err(StoreError::Unavailable("too many writes are waiting".into())));
        }
    }
}

/// The result of a use case. A panic, and [`OPERATION_IDLE`] without a statement in progress, become errors.
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
                // An even number means that no statement is in progress.
                if seen.is_multiple_of(2) && progress.load(Ordering::Acquire) == seen {
                    let name = std::any::type_name::<O>();
                    let text = format!("{name} awaited something other than the database");
                    return Err(unexpected(text).into());
                }
            }
        }
    }
}
