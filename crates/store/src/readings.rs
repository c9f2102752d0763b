//! The records of the store about its own work, for the metrics of the server.

use tenantry_meter::{BATCHES, Counter, DURATIONS_US, Histogram, HistogramReading};

/// The work of a database so far, and its queues at this moment.
#[derive(Debug, Clone)]
pub struct StoreReading {
    /// Durations of successful commits in microseconds. On SQLite one commit can hold many writes.
    pub commits: HistogramReading,
    /// Writes that were refused because too many others waited, or because they waited too long.
    pub refused_writes: u64,
    /// List queries that run.
    pub list_queries_running: usize,
    /// List queries that wait for a place.
    pub list_queries_waiting: usize,
    /// The part that depends on the engine.
    pub engine: EngineReading,
}

/// The part of a [`StoreReading`] that depends on the engine.
#[derive(Debug, Clone)]
pub enum EngineReading {
    /// SQLite.
    Sqlite {
        /// Writes that wait for the writer.
        queued: usize,
        /// Numbers of writes in one commit.
        batches: HistogramReading,
        /// The size of the write-ahead log in bytes.
        log_bytes: u64,
    },
    /// PostgreSQL.
    Postgres {
        /// The lanes, each with its name.
        lanes: Vec<(&'static str, LaneReading)>,
        /// Attempts of writes that were repeated, by reason.
        retries: Vec<(&'static str, u64)>,
    },
}

/// The places of a lane. A place is a connection that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneReading {
    /// All places.
    pub places: usize,
    /// Places in which a write runs.
    pub used: usize,
    /// Writes that wait for a place.
    pub waiting: usize,
}

/// The names of the reasons for which the engine of PostgreSQL repeats a write, in the order of [`RetryReason`].
pub(crate) const RETRY_REASONS: [&str; 6] =
    ["conflict", "lock_timeout", "unawaited_failure", "statement_timeout", "server_fault", "connection_lost"];

/// The reason for which a write is repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RetryReason {
    Conflict,
    LockTimeout,
    UnawaitedFailure,
    StatementTimeout,
    ServerFault,
    ConnectionLost,
}

/// The meters of a store.
#[derive(Debug)]
pub(crate) struct StoreMeters {
    pub(crate) commits: Histogram,
    pub(crate) refused_writes: Counter,
    pub(crate) batches: Histogram,
    retries: [Counter; RETRY_REASONS.len()],
}

impl Default for StoreMeters {
    fn default() -> Self {
        Self {
            commits: Histogram::new(DURATIONS_US),
            refused_writes: Counter::new(),
            batches: Histogram::new(BATCHES),
            retries: Default::default(),
        }
    }
}

impl StoreMeters {
    pub(crate) fn count_retry(&self, reason: RetryReason) {
        if let Some(counter) = self.retries.get(reason as usize) {
            counter.increment();
        }
    }

    pub(crate) fn retries(&self) -> Vec<(&'static str, u64)> {
        RETRY_REASONS.into_iter().zip(self.retries.iter().map(Counter::value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_counts_under_the_name_of_its_reason() {
        let meters = StoreMeters::default();
        meters.count_retry(RetryReason::Conflict);
        meters.count_retry(RetryReason::ConnectionLost);
        meters.count_retry(RetryReason::ConnectionLost);
        assert_eq!(meters.retries()[0], ("conflict", 1));
        assert_eq!(meters.retries()[5], ("connection_lost", 2));
    }
}
