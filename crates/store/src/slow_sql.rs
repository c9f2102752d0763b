//! Warns of slow statements: their text, never their parameters.
//!
//! On PostgreSQL the time of a statement includes the statements that were sent with it, and those before it on a shared
//! connection. The time of a change whose result is not awaited is not known.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The characters of a statement that are logged.
const TEXT: usize = 2_000;

/// The threshold in microseconds; 0 logs no statement. The log belongs to the process, and so does the threshold.
static THRESHOLD_US: AtomicU64 = AtomicU64::new(0);

/// Makes this process log a warning for each statement that takes at least `threshold`. Zero logs none.
pub fn log_slow_sql(threshold: Duration) {
    let threshold_us = u64::try_from(threshold.as_micros()).unwrap_or(u64::MAX);
    THRESHOLD_US.store(threshold_us, Ordering::Relaxed);
}

/// A statement that runs until this is dropped.
pub(crate) struct Timed<'s> {
    sql: &'s str,
    begun: Option<Instant>,
}

impl<'s> Timed<'s> {
    pub(crate) fn start(sql: &'s str) -> Self {
        let is_wanted = THRESHOLD_US.load(Ordering::Relaxed) > 0;
        Self { sql, begun: is_wanted.then(Instant::now) }
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let Some(duration) = self.begun.map(|begun| begun.elapsed()) else { return };
        let threshold_us = THRESHOLD_US.load(Ordering::Relaxed);
        if threshold_us > 0 && duration >= Duration::from_micros(threshold_us) {
            tracing::warn!(duration_ms = duration.as_millis(), sql = one_line(self.sql), "slow SQL");
        }
    }
}

/// Awaits `work`, which runs this statement.
pub(crate) async fn timed<T>(sql: &str, work: impl Future<Output = T>) -> T {
    let _timed = Timed::start(sql);
    work.await
}

fn one_line(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words.join(" ").chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_line_of_bounded_length() {
        assert_eq!(one_line("SELECT 1\n             FROM  t"), "SELECT 1 FROM t");
        assert_eq!(one_line(&"x ".repeat(TEXT)).chars().count(), TEXT);
    }
}
