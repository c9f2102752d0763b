//! Threads of low priority, which run list queries.
//!
//! A list query keeps a processor busy for milliseconds. At the priority of the other threads, short requests would
//! wait for it whenever all processors are busy, so the searches and exports of one owner would delay everybody else.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::oneshot;

use crate::StoreError;
use crate::error::unexpected;
use crate::list_query_limiter::RUNNING;

/// The priority of the threads below that of the others, as of the command `nice`. They get a tenth of a busy
/// processor.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as list queries run at once. They end when this is dropped.
pub(super) struct QueryThreads(mpsc::Sender<Job>);

impl QueryThreads {
    pub(super) fn start() -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..RUNNING {
            let receiver = Arc::clone(&receiver);
            super::spawn("tenantry-list", move || {
                if let Err(error) = lower_priority() {
                    tracing::warn!(%error, "list queries run at the priority of other work");
                }
                while let Some(job) = next(&receiver) {
                    // Its caller sees the panic: the sender of the result is gone.
                    drop(catch_unwind(AssertUnwindSafe(job)));
                }
            })?;
        }
        Ok(Self(sender))
    }

    /// Runs a query on one of the threads. It runs to its end even if the result is not awaited.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || drop(sender.send(query())));
        self.0.send(job).map_err(|_| unexpected("the threads for list queries have ended"))?;
        receiver.await.map_err(|_| unexpected("a list query panicked"))
    }
}

fn next(receiver: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Only on Linux does `nice` concern the thread that calls it, and no other one.
#[cfg(target_os = "linux")]
fn lower_priority() -> io::Result<()> {
    Ok(rustix::process::nice(NICE).map(|_| ())?)
}

#[cfg(not(target_os = "linux"))]
const fn lower_priority() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_query_has_low_priority_and_a_panic_ends_no_thread() {
        let own = rustix::process::nice(0).unwrap();
        let threads = QueryThreads::start().unwrap();
        for _ in 0..=RUNNING {
            let panicked: Result<(), _> = threads.run(|| panic!("a query that panics")).await;
            assert!(panicked.is_err());
        }
        let priority = threads.run(|| rustix::process::nice(0)).await.unwrap().unwrap();
        assert_eq!(priority, (own + NICE).min(19));
    }
}
