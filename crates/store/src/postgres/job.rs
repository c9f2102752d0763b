//! A job: a use case that was passed to the engine. It can run several times, and its caller gets one result.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tenantry_core::ids::OrganizationId;
use tokio::sync::oneshot;

use super::limits::OTHER_THAN_DATABASE;
use super::session::{Session, Transaction};
use super::shared::Shared;
use crate::error::unexpected;
use crate::signals::{Changes, CredentialChange};
use crate::{StoreError, Tx, UseCase};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Outcome<U> = Result<<U as UseCase>::Output, <U as UseCase>::Error>;

/// A use case without its type.
pub(super) trait Job: Send {
    /// [`UseCase::party`].
    fn organization(&self) -> Option<OrganizationId>;

    /// [`UseCase::IS_LONG`].
    fn is_long(&self) -> bool;

    /// Waits until the caller has stopped waiting for the result.
    fn given_up(&mut self) -> Boxed<'_, ()>;

    /// Runs the use case and keeps its result: an error if it panics. Returns whether it succeeded.
    fn run<'a>(&'a mut self, shared: &'a Shared, transaction: &'a mut Transaction) -> Boxed<'a, bool>;

    /// The changes of the last run.
    fn changes(&self) -> Changes;

    /// The change of credentials of the last run, which ends when it is dropped.
    fn take_credential_change(&mut self) -> Option<CredentialChange>;

    /// Sends the result to the caller: that of the last run, or else the error of its transaction.
    fn settle(&mut self, ended: Result<(), StoreError>);
}

struct Typed<U: UseCase> {
    use_case: U,
    outcome: Option<Outcome<U>>,
    changes: Changes,
    credential_change: Option<CredentialChange>,
    reply: Option<oneshot::Sender<Outcome<U>>>,
}

/// A job for a use case, and the receiver of its result.
pub(super) fn job<U: UseCase>(use_case: U) -> (Box<dyn Job>, oneshot::Receiver<Outcome<U>>) {
    let (reply, answer) = oneshot::channel();
    let (outcome, changes, credential_change) = (None, Changes::default(), None);
    let job = Typed { use_case, outcome, changes, credential_change, reply: Some(reply) };
    (Box::new(job), answer)
}

impl<U: UseCase> Job for Typed<U> {
    fn organization(&self) -> Option<OrganizationId> {
        self.use_case.party().organization
    }

    fn is_long(&self) -> bool {
        U::IS_LONG
    }

    fn given_up(&mut self) -> Boxed<'_, ()> {
        Box::pin(async {
            if let Some(reply) = &mut self.reply {
                reply.closed().await;
            }
        })
    }

    fn run<'a>(&'a mut self, shared: &'a Shared, transaction: &'a mut Transaction) -> Boxed<'a, bool> {
        Box::pin(async move {
            let progress = transaction.progress();
            let mut tx = Tx::postgres(Session::Writing(transaction), shared.vault());
            let mut context = (shared.moments)();
            let outcome = guarded::<U>(self.use_case.run(&mut tx, &mut context), &progress).await;
            let is_ok = outcome.is_ok();
            self.changes = if is_ok { tx.changes() } else { Changes::default() };
            // Begun before the commit, which lets transactions go on that wait for locks of this one.
            self.credential_change = CredentialChange::of(self.changes, &shared.signals.generation);
            self.outcome = Some(outcome);
            is_ok
        })
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn take_credential_change(&mut self) -> Option<CredentialChange> {
        self.credential_change.take()
    }

    fn settle(&mut self, ended: Result<(), StoreError>) {
        let outcome = match (ended, self.outcome.take()) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(unexpected("a use case without outcome").into()),
            (Err(error), _) => Err(error.into()),
        };
        if let Some(reply) = self.reply.take() {
            // A committed change stays even if the caller no longer waits for the result.
            drop(reply.send(outcome));
        }
    }
}

/// The result of a use case. A panic is an error, and so is [`OTHER_THAN_DATABASE`] without a statement in progress.
async fn guarded<U: UseCase>(run: impl Future<Output = Outcome<U>>, progress: &AtomicU64) -> Outcome<U> {
    let mut run = pin!(run);
    let panicked = |_| Poll::Ready(Err(unexpected("the use case panicked").into()));
    let mut caught = pin!(poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))).unwrap_or_else(panicked)
    }));
    loop {
        let seen = progress.load(Ordering::Acquire);
        tokio::select! {
            biased;
            outcome = &mut caught => return outcome,
            () = tokio::time::sleep(OTHER_THAN_DATABASE) => {
                // An even number means that no statement is in progress.
                if seen.is_multiple_of(2) && progress.load(Ordering::Acquire) == seen {
                    let name = std::any::type_name::<U>();
                    return Err(unexpected(format!("{name} awaited something other than the database")).into());
                }
            }
        }
    }
}
