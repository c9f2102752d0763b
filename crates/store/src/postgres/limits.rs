//! The limits of the PostgreSQL engine: one node's share of the database.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Connections that are read from, unless the URL says otherwise; each is shared, and asked again before it
/// has answered.
pub(super) const READERS: usize = 4;
/// Connections that are written to, unless the URL says otherwise; each runs one transaction at a time, for
/// many operations.
pub(super) const WRITERS: usize = 6;
/// Connections of operations that are long.
pub(super) const LONG: usize = 2;
/// Connections of operations that others' rows kept waiting.
pub(super) const WAITING: usize = 4;
/// How many of these one organization may have.
pub(super) const WAITING_EACH: usize = 2;
/// Connections that a URL may ask for, for reading and for writing each.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// Operations that may wait for one writer; one more is refused.
pub(super) const QUEUE: usize = 2_048;
/// Operations that one commit may serve, unless the URL says otherwise.
pub(super) const BATCH: usize = 32;
/// What a URL may ask for of these.
pub(super) const MOST_BATCH: usize = 512;
/// Statements that a transaction may have sent without having looked at the answers.
pub(super) const SENT: usize = 64;
/// Statements that a connection keeps prepared: 512.
pub(super) const STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
/// How long an address may take to accept a connection, unless the URL says otherwise.
pub(super) const ADDRESS: Duration = Duration::from_secs(2);
/// How long a host may take until the connection can be used.
pub(super) const HOST: Duration = Duration::from_secs(5);
/// How long a host that does not answer is waited for before the next one is asked as well.
pub(super) const HOST_PAUSE: Duration = Duration::from_secs(1);
/// Connections that are made at the same time.
pub(super) const CONNECTING: usize = 8;
/// How long nobody tries to connect after it failed.
pub(super) const CONNECT_PAUSE: Duration = Duration::from_millis(250);
/// How long the database may take to answer before the connection is given up.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// How long after the database was told to stop what a connection asked that was given up, it is told again.
pub(super) const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// Milliseconds that a statement may run in the database.
pub(super) const STATEMENT_MS: u64 = 10_000;
/// Milliseconds that an operation waits for a row that another transaction holds. Then it is tried again.
pub(super) const LOCK_MS: u64 = 5_000;
/// The same while other operations share its transaction: it leaves them rather than let them wait.
pub(super) const LOCK_SHARED_MS: u64 = 20;
/// The same once one has left: a transaction of many waits once.
pub(super) const LOCK_AFTER_MS: u64 = 1;
/// Milliseconds after which the database ends a transaction in which nothing happens.
pub(super) const IDLE_MS: u64 = 20_000;
/// How long an operation may wait for something besides the database.
pub(super) const OPERATION_IDLE: Duration = Duration::from_secs(5);
/// How long the database may take to answer one question of who reads all data. Nothing else waits for it.
pub(super) const SNAPSHOT_ANSWER: Duration = Duration::from_secs(3_600);
/// Milliseconds that a search may take.
pub(super) const SEARCH_MS: u64 = 5_000;
/// Waits before an operation is tried again after a conflict; when they are used up it has failed.
pub(super) const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(500),
];
/// Milliseconds that a statement of a migration may run.
pub(super) const MIGRATION_MS: u64 = 600_000;
/// Milliseconds that a migration waits at once for a table that it changes, and for another node's migration:
/// as long at the most do others wait behind it.
pub(super) const MIGRATION_LOCK_MS: u64 = 1_000;
/// How long a step of a migration is tried again.
pub(super) const MIGRATION_PATIENCE: Duration = Duration::from_secs(600);
/// The first pause between two tries; each is twice as long as the one before it.
pub(super) const MIGRATION_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries.
pub(super) const MIGRATION_PAUSE_MOST: Duration = Duration::from_secs(5);
/// Milliseconds that building an index may take while others write.
pub(super) const BUILD_MS: u64 = 3_500_000;
/// How long the database may take to answer a statement that changes tables: they may be large.
pub(super) const MIGRATION_ANSWER: Duration = Duration::from_secs(3_600);
/// How long an operation that runs alone is tried again.
pub(super) const ALONE_FOR: Duration = Duration::from_secs(10);
/// How often a connection that is idle says that it is there.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// How long after that it says so again, and a third time, before it is given up.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long after a lost connection the channel between nodes is opened again.
pub(super) const LISTEN_AGAIN: Duration = Duration::from_secs(1);
