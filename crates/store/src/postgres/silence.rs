//! The response watchdog: measures for how long a connection has delivered no result although callers wait.
//!
//! | event | measured time |
//! |---|---|
//! | a caller waits, and no result arrives | grows |
//! | a result arrives for any caller | returns to zero |
//! | a caller stops waiting without a result | is kept |
//! | no caller waits | stands still |
//!
//! So an unresponsive connection is detected even if each caller has a shorter time limit than the watchdog. A slow
//! connection with many pending results, and an idle one, are not suspected.

use std::time::{Duration, Instant};

/// The state of the response watchdog of one connection.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The number of callers that wait.
    askers: usize,
    /// The time of the last event, if a caller has been waiting since then.
    since: Option<Instant>,
    /// The time measured up to `since`.
    before: Duration,
}

impl Silence {
    /// A caller begins to wait.
    pub(super) fn ask(&mut self, now: Instant) {
        self.before = self.length(now);
        self.go_on(now, self.askers.saturating_add(1));
    }

    /// A caller gets its result.
    pub(super) fn hear(&mut self, now: Instant) {
        self.before = Duration::ZERO;
        self.go_on(now, self.askers.saturating_sub(1));
    }

    /// A caller stops waiting without a result.
    pub(super) fn leave(&mut self, now: Instant) {
        self.before = self.length(now);
        self.go_on(now, self.askers.saturating_sub(1));
    }

    fn go_on(&mut self, now: Instant, askers: usize) {
        self.askers = askers;
        self.since = (askers > 0).then_some(now);
    }

    pub(super) fn length(&self, now: Instant) -> Duration {
        let since = self.since.map(|since| now.saturating_duration_since(since));
        self.before.saturating_add(since.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_no_silence_and_who_leaves_ends_none() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut silence = Silence::default();
        silence.ask(begun);
        silence.ask(begun + second);
        assert_eq!(silence.length(begun + 2 * second), 2 * second);
        // One caller has its result, the other still waits.
        silence.hear(begun + 3 * second);
        assert_eq!(silence.length(begun + 5 * second), 2 * second);
        silence.leave(begun + 5 * second);
        // No caller waits, so the time stands still.
        assert_eq!(silence.length(begun + 900 * second), 2 * second);
        silence.ask(begun + 1_000 * second);
        silence.leave(begun + 1_004 * second);
        assert_eq!(silence.length(begun + 1_004 * second), 6 * second);
        silence.ask(begun + 2_000 * second);
        silence.hear(begun + 2_001 * second);
        assert_eq!(silence.length(begun + 3_000 * second), Duration::ZERO);
    }
}
