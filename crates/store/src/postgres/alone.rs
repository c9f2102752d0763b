//! Operations that run alone, each in a transaction of its own and, after a conflict, again: those that
//! others' rows kept waiting, and those that are long. They have connections of their own, so that a writer's
//! other operations wait for none of them.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex as Turn;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender};

use super::Shared;
use super::job::AnyJob;
use super::limits::{ALONE_FOR, PAUSES};
use super::session::Mode;
use super::values::Fault;
use super::writer::{Once, Writer};
use crate::StoreError;

/// An operation that has to run alone.
pub(super) struct Left {
    job: AnyJob,
    /// Whether it waits for every answer.
    is_strict: bool,
}

impl Left {
    /// After a fault, if there was one.
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

/// Runs what is queued, beside others that do the same, until nothing more can come.
pub(super) async fn run_all(shared: Arc<Shared>, queue: Arc<Turn<Receiver<Left>>>) {
    let mut writer = Writer::new(shared);
    loop {
        let next = queue.lock().await.recv().await;
        let Some(left) = next else { return };
        run(&mut writer, left).await;
    }
}

/// Runs one operation, again after each conflict.
async fn run(writer: &mut Writer, left: Left) {
    let Left { mut job, mut is_strict } = left;
    let begun = Instant::now();
    let mut last = StoreError::Unavailable("others were in the way too often".into());
    for pause in PAUSES {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        // It may have waited long for others' rows, here or behind another operation.
        if job.is_given_up() {
            return;
        }
        match writer.once(job, Mode::Alone, is_strict).await {
            Once::Answered => return,
            Once::Again(again, fault, error) => {
                is_strict |= fault == Fault::Late;
                (job, last) = (again, error);
            }
        }
        if begun.elapsed() > ALONE_FOR {
            break;
        }
    }
    job.settle(Err(last));
}
