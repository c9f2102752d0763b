//! Isolated retries: runs each use case that met a lock conflict in a transaction of its own.
//!
//! | event | action |
//! |---|---|
//! | a use case leaves a writer's batch | it is queued here, at most [`QUEUE`] of them |
//! | a connection is idle, of [`WAITING`] | the first eligible use case runs on it |
//! | [`WAITING_EACH`] use cases of an organization run | its others stay queued, and those of other organizations run |
//! | a conflict, or a lost connection before `COMMIT` | it runs again after the next of [`PAUSES`] |
//! | a worker of the database is lost for the second time | it fails as unavailable |
//! | [`PAUSES`] are used up, or [`ALONE_FOR`] has passed | it fails as unavailable |
//! | its caller stops waiting | it is dropped before its next attempt |
//!
//! The separate connections keep a long lock wait from delaying the writers. The limit per organization keeps a lock
//! on the rows of one organization from delaying the others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tenantry_core::ids::OrganizationId;
use tokio::sync::mpsc::Receiver;
use tokio::task::{Id, JoinSet};

use super::job::Left;
use super::limits::{ALONE_FOR, PAUSES, QUEUE, WAITING, WAITING_EACH};
use super::session::Mode;
use super::shared::Shared;
use super::values::Fault;
use super::writer::{Once, Writer};
use crate::StoreError;

/// Runs queued jobs until the queue is closed and empty.
pub(super) async fn run_all(shared: Arc<Shared>, mut queue: Receiver<Left>) {
    let mut idle: Vec<Writer> = (0..WAITING).map(|_| Writer::new(Arc::clone(&shared))).collect();
    let (mut waiting, mut is_open) = (VecDeque::new(), true);
    let (mut running, mut whose) = (JoinSet::new(), HashMap::<Id, Option<OrganizationId>>::new());
    loop {
        while let Some(place) = next(&waiting, &whose)
            && let Some(mut writer) = idle.pop()
            && let Some(left) = waiting.remove(place)
        {
            let of = left.job.organization();
            let begun = running.spawn(async move {
                run(&mut writer, left).await;
                writer
            });
            whose.insert(begun.id(), of);
        }
        if waiting.len() >= QUEUE {
            waiting.retain(|left: &Left| !left.job.is_given_up());
        }
        tokio::select! {
            Some(ended) = running.join_next_with_id() => {
                let (id, writer) = match ended {
                    Ok((id, writer)) => (id, writer),
                    Err(error) => (error.id(), Writer::new(Arc::clone(&shared))),
                };
                whose.remove(&id);
                idle.push(writer);
            }
            left = queue.recv(), if is_open && waiting.len() < QUEUE => match left {
                Some(left) => waiting.push_back(left),
                None => is_open = false,
            },
            else => return,
        }
    }
}

/// The position of the first job that can run: its organization runs fewer than [`WAITING_EACH`] jobs. Jobs without
/// an organization are not limited.
fn next(waiting: &VecDeque<Left>, running: &HashMap<Id, Option<OrganizationId>>) -> Option<usize> {
    waiting.iter().position(|left| {
        let of = left.job.organization();
        of.is_none() || running.values().filter(|other| **other == of).count() < WAITING_EACH
    })
}

/// Runs one job and repeats it after each conflict.
async fn run(writer: &mut Writer, left: Left) {
    let Left { mut job, mut is_strict } = left;
    let begun = Instant::now();
    let mut has_lost_worker = false;
    let mut last = StoreError::Unavailable("others were in the way too often".into());
    for pause in PAUSES {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        // The caller can have stopped waiting during a long lock wait or in the queue.
        if job.is_given_up() {
            return;
        }
        let outcome = writer.once(job, Mode::Alone, is_strict).await;
        writer.let_go();
        match outcome {
            Once::Answered => return,
            Once::Again(again, fault, error) => {
                is_strict |= fault == Fault::Late;
                (job, last) = (again, error);
                // The first failure can be a connection of the database that its worker has closed long ago.
                if fault == Fault::Worker && std::mem::replace(&mut has_lost_worker, true) {
                    break;
                }
            }
        }
        if begun.elapsed() > ALONE_FOR {
            break;
        }
    }
    job.settle(Err(last));
}
