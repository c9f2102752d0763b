//! Runs a use case: one transaction on one place, again after a conflict.
//!
//! | event | action |
//! |---|---|
//! | the use case fails | `ROLLBACK`; its caller gets the error |
//! | a change failed whose result was not awaited | once more on this place, with each result awaited |
//! | a lock or a statement timeout in the fast lane, a deadlock, a serialization failure | again in the slow lane |
//! | the connection is lost before `COMMIT` | again on another connection |
//! | a server behind the database fails | once more, as the database can have kept a dead connection to it |
//! | [`PAUSES`] are used up, or [`ATTEMPTS_FOR`] has passed | the caller gets the last error, as unavailable |
//! | the caller stops waiting | dropped before its next attempt |
//! | the outcome of `COMMIT` is unknown | [`StoreError::InDoubt`]; it never runs again |

use std::sync::Arc;
use std::time::Instant;

use super::job::Job;
use super::lanes::{Lanes, Place};
use super::limits::{ATTEMPTS_FOR, PAUSES};
use super::session::{Mode, NotCommitted, Transaction};
use super::shared::Shared;
use super::values::Fault;
use crate::StoreError;
use crate::error::unexpected;

/// Runs a job until its caller has a result.
pub(super) async fn run(shared: &Arc<Shared>, lanes: &Lanes, mut job: Box<dyn Job>) {
    let ended = run_attempts(shared, lanes, job.as_mut()).await;
    if let Some(ended) = ended {
        let change = job.take_credential_change();
        shared.signals.send(job.changes(), change, ended.is_ok());
        job.settle(ended);
    }
}

/// Returns the end of the last attempt. `None` if the caller has stopped waiting.
async fn run_attempts(
    shared: &Arc<Shared>,
    lanes: &Lanes,
    job: &mut dyn Job,
) -> Option<Result<(), StoreError>> {
    let (begun, organization) = (Instant::now(), job.organization());
    let mut lane = if job.is_long() { &lanes.long } else { &lanes.fast };
    let (mut is_strict, mut has_lost_worker) = (false, false);
    let mut last = None;
    for pause in PAUSES {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let entered = tokio::select! {
            biased;
            () = job.given_up() => return None,
            entered = lane.enter(organization) => entered,
        };
        let mut place = match entered {
            Ok(place) => place,
            Err(error) => return Some(Err(error)),
        };
        let mut attempt = run_once(shared, &mut place, job, is_strict).await;
        if matches!(attempt, Err((Fault::Late, _))) {
            is_strict = true;
            attempt = run_once(shared, &mut place, job, is_strict).await;
        }
        drop(place);
        let (fault, error) = match attempt {
            Ok(ended) => return Some(ended),
            Err(again) => again,
        };
        let was_slow = Arc::ptr_eq(lane, &lanes.slow);
        match fault {
            Fault::TimedOut if was_slow => return Some(Err(error)),
            Fault::Worker if std::mem::replace(&mut has_lost_worker, true) => return Some(Err(error)),
            Fault::Conflict | Fault::TimedOut => lane = &lanes.slow,
            Fault::Late | Fault::Worker | Fault::Lost => {}
        }
        last = Some(Err(error));
        if begun.elapsed() > ATTEMPTS_FOR {
            break;
        }
    }
    last
}

/// One attempt in a transaction of its own. `Err` if the job can run again.
async fn run_once(
    shared: &Arc<Shared>,
    place: &mut Place,
    job: &mut dyn Job,
    is_strict: bool,
) -> Result<Result<(), StoreError>, (Fault, StoreError)> {
    let connection = match place.connection(shared).await {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(error)),
    };
    let mut transaction = Transaction::new(connection, Mode::Write { bucket: place.bucket(), is_strict });
    let is_ok = job.run(shared, &mut transaction).await;
    if !is_ok {
        // The error can be the consequence of a change that failed without being awaited.
        transaction.hear().await;
    }
    if let Some(fault) = transaction.take_fault() {
        transaction.roll_back().await;
        return Err(fault);
    }
    if !is_ok || transaction.has_failed() {
        transaction.roll_back().await;
        let overlooked = || Err(unexpected("a use case overlooked a failed query"));
        return Ok(if is_ok { overlooked() } else { Ok(()) });
    }
    // The other nodes are notified with the commit.
    let notice = job.changes().credentials.then_some(shared.notice.as_str());
    match transaction.commit(notice).await {
        Ok(()) => Ok(Ok(())),
        Err(NotCommitted::Unknown(error)) => Ok(Err(error)),
        Err(NotCommitted::Undone(error, None)) => Ok(Err(error)),
        Err(NotCommitted::Undone(error, Some(fault))) => Err((fault, error)),
    }
}
