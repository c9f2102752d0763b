//! The limits of the PostgreSQL engine. Each applies to one node.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The time limits that the database applies to a connection, in milliseconds. 0 is no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Of a statement.
    pub(super) statement_ms: u64,
    /// Of a wait for a lock.
    pub(super) lock_ms: u64,
    /// Of an idle transaction.
    pub(super) idle_ms: u64,
}

impl Timeouts {
    /// The statements that apply the limits: `SET` or `SET LOCAL`.
    pub(super) fn settings(self, set: &str) -> String {
        let Self { statement_ms, lock_ms, idle_ms } = self;
        format!(
            "{set} statement_timeout = {statement_ms}; {set} lock_timeout = {lock_ms};
             {set} idle_in_transaction_session_timeout = {idle_ms}"
        )
    }
}

/// The limits of migrations and of the slow lane.
pub(super) const PATIENT: Timeouts = Timeouts { statement_ms: 10_000, lock_ms: 5_000, idle_ms: 20_000 };
/// The limits of a read on a shared connection. A read that exceeds one runs again in the slow lane.
pub(super) const READ: Timeouts = Timeouts { statement_ms: 1_000, lock_ms: 1_000, ..PATIENT };
/// The limits of use cases in the fast lane. A use case that exceeds one runs again in the slow lane.
pub(super) const FAST: Timeouts = Timeouts { statement_ms: 1_000, lock_ms: 100, ..PATIENT };
/// The limits of long use cases. One that waits for a lock in vain runs again in the slow lane.
pub(super) const LONG: Timeouts = Timeouts { lock_ms: FAST.lock_ms, ..PATIENT };
/// The limits of a list query.
pub(super) const LIST_QUERY: Timeouts = Timeouts { statement_ms: 5_000, ..PATIENT };
/// The limits of a snapshot, which reads whole tables.
pub(super) const SNAPSHOT: Timeouts = Timeouts { statement_ms: 0, idle_ms: 0, ..PATIENT };
/// The limits of a migration step. Other statements queue behind its lock request, so its wait is short.
pub(super) const MIGRATION: Timeouts = Timeouts { statement_ms: 600_000, lock_ms: 1_000, idle_ms: 0 };
/// The limits of `CREATE INDEX CONCURRENTLY`. No statement waits for this build.
pub(super) const BUILD: Timeouts = Timeouts { statement_ms: 3_500_000, lock_ms: 0, idle_ms: 0 };

/// The default number of read connections. Queries share them and are pipelined.
pub(super) const READERS: usize = 4;
/// The default number of places in the fast lane. Each has one connection.
pub(super) const WRITERS: usize = 7;
/// Places in the slow lane.
pub(super) const SLOW_PLACES: usize = 3;
/// Places in the slow lane that one party can have at the same time.
pub(super) const SLOW_PLACES_EACH: usize = 2;
/// Places in the long lane.
pub(super) const LONG_PLACES: usize = 2;
/// The maximum of the URL parameters `readers` and `writers`, each.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// The time of one attempt of a use case.
pub(super) const ATTEMPT: Duration = Duration::from_secs(20);
/// The time that a use case waits for a place.
pub(super) const ENTER: Duration = Duration::from_secs(30);
/// The time for which a party begins in the slow lane after a lock or a server has held it up.
pub(super) const HELD_UP: Duration = Duration::from_secs(2);
/// Parties that a lane remembers before it forgets those without use cases, and delayed parties that are noted.
pub(super) const PARTIES: usize = 1_024;
/// Use cases that can wait for a place in one lane. A further one fails as unavailable.
pub(super) const QUEUE: usize = 4_096;
/// Use cases of one party that can wait for a place in one lane.
pub(super) const QUEUE_EACH: usize = 2_048;
/// Statements of a transaction that can wait for its next flight. A flight polls up to 30 statements in order.
pub(super) const WAITING: usize = 24;
/// The capacity of a connection's cache of prepared statements: 512.
pub(super) const STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
/// The default time limit for connecting to one address (`connect_timeout`).
pub(super) const ADDRESS: Duration = Duration::from_secs(2);
/// The time limit for a host to complete a connection, including TLS and authentication.
pub(super) const HOST: Duration = Duration::from_secs(5);
/// The time after which the next host is tried in parallel to one that does not respond.
pub(super) const HOST_PAUSE: Duration = Duration::from_secs(1);
/// Connections that can be in the process of opening at the same time.
pub(super) const CONNECTING: usize = 8;
/// The time after a failed attempt to connect in which further attempts fail at once with the same error.
pub(super) const CONNECT_PAUSE: Duration = Duration::from_millis(250);
/// The time limit for a result. A connection without a result for this long is abandoned.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// The time limit for a result of a statement that works on whole tables: of a snapshot, a migration, a distribution.
pub(super) const WHOLE_TABLE_ANSWER: Duration = Duration::from_secs(3_600);
/// The time limit of one attempt to lock all tables for a snapshot of several nodes, in milliseconds.
pub(super) const SNAPSHOT_LOCK_MS: u64 = 500;
/// The attempts to lock all tables.
pub(super) const SNAPSHOT_LOCKS: usize = 30;
/// The pause between two of these attempts.
pub(super) const SNAPSHOT_LOCK_PAUSE: Duration = Duration::from_millis(500);
/// The time in which a worker of Citus must accept a connection of the coordinator, in milliseconds.
pub(super) const WORKER_CONNECT_MS: u64 = 1_000;
/// The time in which the workers of Citus must answer a readiness probe, in milliseconds.
pub(super) const WORKERS_MS: u64 = 400;
/// The pauses before each attempt of a use case. After the last attempt it fails.
pub(super) const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(500),
];
/// The time after which a use case begins no further attempt.
pub(super) const ATTEMPTS_FOR: Duration = Duration::from_secs(10);
/// The time for which a migration is retried after conflicts.
pub(super) const MIGRATION_PATIENCE: Duration = Duration::from_secs(600);
/// The first pause between two attempts of a migration. Each further pause is twice as long.
pub(super) const MIGRATION_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts of a migration.
pub(super) const MIGRATION_PAUSE_MOST: Duration = Duration::from_secs(5);
/// The idle time before the first TCP keepalive probe.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// The interval of the TCP keepalive probes. After three without a response the connection is closed.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The pause before the channel between nodes connects again.
pub(super) const LISTEN_AGAIN: Duration = Duration::from_secs(1);
