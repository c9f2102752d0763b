//! A clock that a test sets by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tenantry_core::Timestamp;

/// 2026-01-01T00:00:00Z, in microseconds since 1970.
const START: i64 = 1_767_225_600_000_000;

/// A clock that starts at 2026-01-01T00:00:00Z. Copies show the same time.
///
/// Each reading moves it on by one step, so that no two changes have the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    micros: Arc<AtomicI64>,
    step_micros: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { micros: Arc::new(AtomicI64::new(START)), step_micros: 1_000 }
    }
}

impl Clock {
    /// A clock that only [`Clock::advance_s`] moves.
    #[must_use]
    pub fn stopped() -> Self {
        Self { step_micros: 0, ..Self::default() }
    }

    /// Moves the clock on, or back when `seconds` is negative.
    pub fn advance_s(&self, seconds: i64) {
        self.micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// The clock for an application.
    #[must_use]
    pub fn reading(&self) -> tenantry_app::Clock {
        self.reading_behind_s(0)
    }

    /// The same clock, behind by so many seconds.
    pub(crate) fn reading_behind_s(&self, seconds: i64) -> tenantry_app::Clock {
        let Self { micros, step_micros } = self.clone();
        Arc::new(move || {
            Timestamp::from_micros(micros.fetch_add(step_micros, Ordering::SeqCst) - seconds * 1_000_000)
        })
    }
}
