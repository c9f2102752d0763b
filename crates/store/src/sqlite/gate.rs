//! Holds off the users of the database for a moment.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct State {
    inside: usize,
    is_closed: bool,
}

/// Counts the users that are inside. A closed gate lets nobody in, and whoever tries waits.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// Waits until the gate is open, and counts the caller as inside until the result is dropped.
    pub(super) fn enter(&self) -> Inside<'_> {
        let waited = self.changed.wait_while(self.state(), |state| state.is_closed);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.inside = state.inside.saturating_add(1);
        Inside(self)
    }

    /// Closes the gate until the result is dropped. Those who are inside stay.
    pub(super) fn close(&self) -> Closed<'_> {
        self.state().is_closed = true;
        Closed(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user that is inside.
pub(super) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside = state.inside.saturating_sub(1);
        if state.is_closed && state.inside == 0 {
            self.0.changed.notify_all();
        }
    }
}

/// A closed gate.
pub(super) struct Closed<'a>(&'a Gate);

impl Closed<'_> {
    /// Waits until nobody is inside, at most for `limit`. Returns false when somebody still is.
    pub(super) fn wait_until_empty(&self, limit: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.0.state(), limit, |state| state.inside > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.inside == 0
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.state().is_closed = false;
        self.0.changed.notify_all();
    }
}
