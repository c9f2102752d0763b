//! The limits of the PostgreSQL engine. Each applies to one node.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The default number of read connections. Queries share them and are pipelined.
pub(super) const READERS: usize = 4;
/// The default number of writers. Each has one connection and runs one batch at a time.
pub(super) const WRITERS: usize = 6;
/// Connections for long use cases.
pub(super) const LONG: usize = 2;
/// Connections for isolated retries.
pub(super) const WAITING: usize = 4;
/// Isolated retries of one organization that run at the same time.
pub(super) const WAITING_EACH: usize = 2;
/// The maximum of the URL parameters `readers` and `writers`, each.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// Use cases that can be queued for one writer. A further one fails as unavailable.
pub(super) const QUEUE: usize = 2_048;
/// The default maximum of use cases in one transaction.
pub(super) const BATCH: usize = 32;
/// The maximum of the URL parameter `batch`.
pub(super) const MOST_BATCH: usize = 512;
/// Pending results that a transaction can have before it awaits them.
pub(super) const SENT: usize = 64;
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
/// The time limit of the response watchdog. A connection without a result for this long is abandoned.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// The interval of the cancel requests for a connection that is abandoned.
pub(super) const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// The statement timeout, in milliseconds.
pub(super) const STATEMENT_MS: u64 = 10_000;
/// The lock timeout of a use case in a transaction of its own, in milliseconds. After it, the use case is retried.
pub(super) const LOCK_MS: u64 = 5_000;
/// The lock timeout in a batch, in milliseconds. After it, the use case leaves the batch for an isolated retry.
pub(super) const LOCK_SHARED_MS: u64 = 20;
/// The lock timeout in a batch after its first lock conflict, in milliseconds, so that a batch waits only once.
pub(super) const LOCK_AFTER_MS: u64 = 1;
/// The time after which the database ends an idle transaction, in milliseconds.
pub(super) const IDLE_MS: u64 = 20_000;
/// The time that a use case can await something other than the database before it fails.
pub(super) const OPERATION_IDLE: Duration = Duration::from_secs(5);
/// The limit of the response watchdog for a snapshot, which reads whole tables. No request waits for it.
pub(super) const SNAPSHOT_ANSWER: Duration = Duration::from_secs(3_600);
/// The lock timeout of one attempt to hold all writes for a snapshot of several nodes, in milliseconds.
pub(super) const SNAPSHOT_LOCK_MS: u64 = 500;
/// The attempts to hold all writes.
pub(super) const SNAPSHOT_LOCKS: usize = 30;
/// The pause between two of these attempts.
pub(super) const SNAPSHOT_LOCK_PAUSE: Duration = Duration::from_millis(500);
/// The statement timeout of a list query, in milliseconds.
pub(super) const SEARCH_MS: u64 = 5_000;
/// The time in which a worker of Citus must accept a connection of the coordinator, in milliseconds.
pub(super) const WORKER_CONNECT_MS: u64 = 1_000;
/// The time in which the workers of Citus must answer a readiness probe, in milliseconds.
pub(super) const WORKERS_MS: u64 = 400;
/// The pauses before each attempt of an isolated retry. After the last attempt the use case fails.
pub(super) const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(500),
];
/// The statement timeout of a migration, in milliseconds.
pub(super) const MIGRATION_MS: u64 = 600_000;
/// The lock timeout of one attempt of a migration, in milliseconds. Other statements queue behind its lock request,
/// so this bounds their delay.
pub(super) const MIGRATION_LOCK_MS: u64 = 1_000;
/// The time for which a migration is retried after conflicts.
pub(super) const MIGRATION_PATIENCE: Duration = Duration::from_secs(600);
/// The first pause between two attempts of a migration. Each further pause is twice as long.
pub(super) const MIGRATION_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts of a migration.
pub(super) const MIGRATION_PAUSE_MOST: Duration = Duration::from_secs(5);
/// The statement timeout of `CREATE INDEX CONCURRENTLY`, in milliseconds.
pub(super) const BUILD_MS: u64 = 3_500_000;
/// The limit of the response watchdog for a statement of a migration, because tables can be large.
pub(super) const MIGRATION_ANSWER: Duration = Duration::from_secs(3_600);
/// The time after which an isolated retry begins no further attempt.
pub(super) const ALONE_FOR: Duration = Duration::from_secs(10);
/// The idle time before the first TCP keepalive probe.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// The interval of the TCP keepalive probes. After three without a response the connection is closed.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The pause before the channel between nodes connects again.
pub(super) const LISTEN_AGAIN: Duration = Duration::from_secs(1);
