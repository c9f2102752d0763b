//! Places for requests in progress.
//!
//! A request holds a place while the server works for it, and never while the server waits for its client. Requests that
//! write may take three quarters of the places, so that reads go on while every write waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::rejection::Rejection;

/// Places for requests in progress.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    _write: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn new(in_flight: usize) -> Self {
        let writes = in_flight - in_flight / 4;
        Self { all: Arc::new(Semaphore::new(in_flight)), writes: Arc::new(Semaphore::new(writes)) }
    }

    /// A place for a request. Refused at once when none is free.
    pub(super) fn take(&self, writes: bool) -> Result<Place, Rejection> {
        let take =
            |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().map_err(|_| Rejection::Busy);
        // Taken first, so that a refused write does not take the place of a read.
        let write = writes.then(|| take(&self.writes)).transpose()?;
        Ok(Place { _all: take(&self.all)?, _write: write })
    }
}
