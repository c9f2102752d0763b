//! Slots for requests in progress.
//!
//! | state of a request | holds |
//! |---|---|
//! | its client sends the body | no slot |
//! | the server works on a read | a slot |
//! | the server works on a write | a slot, and one of the slots for writes (three quarters of all) |
//! | no slot is free | it is refused with 503 at once |
//!
//! So reads continue while every write waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::rejection::Rejection;

/// Slots for requests in progress.
#[derive(Clone)]
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    /// The number of slots, and of those for writes.
    limits: (usize, usize),
}

/// A slot, until it is dropped.
pub(crate) struct Slot {
    _all: OwnedSemaphorePermit,
    _write: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(in_flight: usize) -> Self {
        let writes = in_flight - in_flight / 4;
        let (all, free_writes) = (Arc::new(Semaphore::new(in_flight)), Arc::new(Semaphore::new(writes)));
        Self { all, writes: free_writes, limits: (in_flight, writes) }
    }

    /// The number of slots that are taken, and of those of writes.
    pub(crate) fn taken(&self) -> (usize, usize) {
        let (all, writes) = self.limits;
        let taken = |most: usize, semaphore: &Semaphore| most.saturating_sub(semaphore.available_permits());
        (taken(all, &self.all), taken(writes, &self.writes))
    }

    /// Takes a slot for a request. Fails at once when none is free.
    pub(crate) fn take(&self, writes: bool) -> Result<Slot, Rejection> {
        let take = |semaphore: &Arc<Semaphore>| {
            Arc::clone(semaphore).try_acquire_owned().map_err(|_| Rejection::Busy)
        };
        // Taken first, so that a refused write does not take the slot of a read.
        let write = writes.then(|| take(&self.writes)).transpose()?;
        Ok(Slot { _all: take(&self.all)?, _write: write })
    }
}
