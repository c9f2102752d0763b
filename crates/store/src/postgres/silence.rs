//! How long a connection has left everybody without an answer.

use std::time::{Duration, Instant};

/// The time in which somebody waited and nobody was answered. Who gives up waiting leaves it as it is: a
/// connection that hangs is found out even where nobody has the patience to wait for that; one that nobody asks
/// is not suspected.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// How many wait.
    askers: usize,
    /// Since when they do, nobody having been answered or having left.
    since: Option<Instant>,
    /// What had come together before.
    before: Duration,
}

impl Silence {
    /// Somebody begins to wait.
    pub(super) fn ask(&mut self, now: Instant) {
        self.before = self.length(now);
        self.go_on(now, self.askers.saturating_add(1));
    }

    /// Somebody is answered.
    pub(super) fn hear(&mut self, now: Instant) {
        self.before = Duration::ZERO;
        self.go_on(now, self.askers.saturating_sub(1));
    }

    /// Somebody leaves without an answer.
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
        // One is answered, and the other still waits.
        silence.hear(begun + 3 * second);
        assert_eq!(silence.length(begun + 5 * second), 2 * second);
        silence.leave(begun + 5 * second);
        // Nobody waits: that is not held against it.
        assert_eq!(silence.length(begun + 900 * second), 2 * second);
        silence.ask(begun + 1_000 * second);
        silence.leave(begun + 1_004 * second);
        assert_eq!(silence.length(begun + 1_004 * second), 6 * second);
        silence.ask(begun + 2_000 * second);
        silence.hear(begun + 2_001 * second);
        assert_eq!(silence.length(begun + 3_000 * second), Duration::ZERO);
    }
}
