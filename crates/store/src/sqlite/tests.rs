//! The writer after faults that no public call can cause, such as a full disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use tempfile::TempDir;
use tenantry_core::audit::{Actor, AuditEntry, Client};
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_core::{ExecutionContext, Timestamp};
use uuid::Uuid;

use super::*;
use crate::Tx;

/// Appends entries of this many bytes each.
#[derive(Clone)]
struct Append(Vec<usize>);

impl UseCase for Append {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        for bytes in &self.0 {
            let entry = AuditEntry {
                id: AuditId::new(context.uuid()),
                organization: OrganizationId::new(Uuid::nil()),
                at: context.now(),
                actor: Actor::System,
                action: "test.appended",
                subject: Uuid::nil(),
                before: None,
                after: Some("x".repeat(*bytes)),
                request_id: None,
                credential: None,
                client: Client::default(),
            };
            tx.audit_append(&entry).await?;
        }
        Ok(())
    }
}

/// A writer without its thread, so that the test can prepare a fault and then run one batch.
struct Writer {
    connection: Connection,
    sqlite: Sqlite,
    directory: TempDir,
}

fn moments() -> Moments {
    let ticks = AtomicU64::new(0);
    Arc::new(move || {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&ticks.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        ExecutionContext::new(Timestamp::from_micros(1), seed)
    })
}

impl Writer {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tenantry.db");
        let mut connection = connect(&path, OpenFlags::default()).unwrap();
        schema::migrate(&mut connection, &moments()).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let vault = Arc::default();
        let log = Arc::new(Log::new(&path, LogLimits::DEFAULT));
        let sqlite = Sqlite {
            moments: moments(),
            signals: Arc::default(),
            queue: Arc::default(),
            readers: Readers::new(path, Arc::clone(&vault), Arc::clone(&log)),
            log,
            threads: Mutex::default(),
            list_queries: ListQueryLimiter::new(),
            query_threads: QueryThreads::start().unwrap(),
            large_reads: LargeReads::new(),
            meters: Arc::default(),
            vault,
        };
        Self { connection, sqlite, directory }
    }

    /// Queues the use cases, runs them as one batch, and returns the result of each.
    async fn batch<O, const N: usize>(&mut self, operations: [O; N]) -> [Result<(), StoreError>; N]
    where
        O: UseCase<Output = (), Error = StoreError>,
    {
        let Self { connection, sqlite, .. } = self;
        let queue = Arc::new(TurnQueue::default());
        sqlite.queue = Arc::clone(&queue);
        let mut writes = operations.map(|operation| Box::pin(sqlite.write(operation)));
        for write in &mut writes {
            assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        queue.close();
        writer::write_all(connection, &queue, &sqlite.log, &sqlite.meters);
        let mut outcomes = [const { Ok(()) }; N];
        for (outcome, write) in outcomes.iter_mut().zip(writes) {
            *outcome = write.await;
        }
        outcomes
    }

    /// Entries that are committed, as another connection sees them.
    fn entries(&self) -> i64 {
        let reader = Connection::open(self.directory.path().join("tenantry.db")).unwrap();
        reader.query_row("SELECT count(*) FROM audit_entries", [], |row| row.get(0)).unwrap()
    }

    /// Limits the growth of the database to this many pages of 4 KiB, like a disk that is nearly full.
    fn leave_room(&self, pages: i64) {
        let used: i64 = self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let sql = format!("PRAGMA max_page_count = {}", used + pages);
        self.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    }
}

fn unavailable(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}

fn small() -> Append {
    Append(vec![10])
}

/// A large entry, for which there is no room, after a small one.
fn large() -> Append {
    Append(vec![10, 1 << 20])
}

#[tokio::test]
async fn a_full_disk_fails_every_use_case_whose_changes_it_lost() {
    let mut writer = Writer::new();
    assert!(writer.batch([small(), small()]).await.iter().all(Result::is_ok));
    writer.leave_room(16);
    let outcomes = writer.batch([small(), large(), small(), small(), large(), small()]).await;
    // SQLite rolls back the transaction of the whole batch, so every use case in it fails. The last use case runs
    // in the next transaction and succeeds.
    let succeeded: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(succeeded, [false, false, false, false, false, true], "{outcomes:?}");
    assert!(outcomes.iter().take(5).all(unavailable), "{outcomes:?}");
    assert_eq!(writer.entries(), 3);
}

/// Ignores errors and returns success.
struct Careless(Append);

impl UseCase for Careless {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        drop(self.0.run(tx, context).await);
        drop(small().run(tx, context).await);
        Ok(())
    }
}

#[tokio::test]
async fn an_operation_that_overlooks_a_full_disk_leaves_nothing() {
    let mut writer = Writer::new();
    writer.leave_room(16);
    let outcomes = writer.batch([Careless(large())]).await;
    assert!(unavailable(&outcomes[0]), "{outcomes:?}");
    assert_eq!(writer.entries(), 0);
}

#[tokio::test]
async fn writes_again_once_the_disk_has_room() {
    let mut writer = Writer::new();
    writer.leave_room(16);
    assert!(unavailable(&writer.batch([large()]).await[0]));
    assert!(writer.batch([small()]).await[0].is_ok());
    writer.leave_room(1 << 20);
    assert!(writer.batch([large(), small()]).await.iter().all(Result::is_ok));
    assert_eq!(writer.entries(), 4);
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_unavailable_for_now() {
    let mut writer = Writer::new();
    let other = Connection::open(writer.directory.path().join("tenantry.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcomes = writer.batch([small(), small()]).await;
    for outcome in &outcomes {
        let Err(StoreError::Unavailable(reason)) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("locked"), "{reason}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert!(writer.batch([small()]).await[0].is_ok());
    assert_eq!(writer.entries(), 1);
}

#[test]
fn a_failed_migration_leaves_no_table_and_can_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenantry.db");
    let mut connection = connect(&path, OpenFlags::default()).unwrap();
    connection.query_row("PRAGMA max_page_count = 8", [], |_| Ok(())).unwrap();
    let refused = schema::migrate(&mut connection, &moments());
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let tables = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(tables(&connection), 0);
    connection.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(())).unwrap();
    schema::migrate(&mut connection, &moments()).unwrap();
    assert!(tables(&connection) > 10);
}

/// Awaits a timer, which SQLite cannot make ready.
struct AwaitsATimer;

impl UseCase for AwaitsATimer {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, _: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

#[cfg(debug_assertions)]
#[tokio::test]
#[should_panic(expected = "AwaitsATimer awaited something other than the database")]
async fn a_use_case_that_awaits_something_else_panics_by_name() {
    let mut writer = Writer::new();
    drop(writer.batch([AwaitsATimer]).await);
}

/// A list query that runs until it is interrupted.
struct Endless;

impl ListQuery for Endless {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
                   SELECT count(*) FROM numbers, (SELECT count(*) FROM audit_entries)";
        tx.first(sql, &[], |_| Ok(())).await.map(|_| ())
    }
}

/// A short list query.
struct Count;

impl ListQuery for Count {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.first("SELECT count(*) FROM audit_entries", &[], |_| Ok(())).await.map(|_| ())
    }
}

/// The limits of a log, small enough for a test. An entry of [`Append`] is at most a quarter of `stop`.
const SMALL: LogLimits =
    LogLimits { write_back: 1 << 16, truncate: 1 << 18, interrupt: 1 << 19, stop: 1 << 20 };

fn open_with_small_log(path: &Path) -> Arc<Sqlite> {
    let mut writer = connect(path, OpenFlags::default()).unwrap();
    schema::migrate(&mut writer, &moments()).unwrap();
    Arc::new(Sqlite::start(path, writer, moments(), SMALL).unwrap())
}

/// Writes 32 entries of 256 KiB each while `running` list queries overlap, and returns the largest size of the log.
async fn largest_log_while_writing(sqlite: &Arc<Sqlite>, running: usize) -> u64 {
    let is_done = Arc::new(AtomicBool::new(false));
    let queries: Vec<_> = (0..running)
        .map(|_| {
            let (sqlite, is_done) = (Arc::clone(sqlite), Arc::clone(&is_done));
            std::thread::spawn(move || {
                while !is_done.load(Ordering::Relaxed) {
                    assert!(sqlite.run_within_limit(&Endless, &sqlite.log.list_queries).is_err());
                }
            })
        })
        .collect();
    let mut largest = 0;
    for _ in 0..32 {
        sqlite.write(Append(vec![1 << 18])).await.unwrap();
        largest = largest.max(sqlite.log.size());
    }
    is_done.store(true, Ordering::Relaxed);
    for query in queries {
        query.join().unwrap();
    }
    largest
}

#[tokio::test]
async fn the_log_is_bounded_while_list_queries_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = open_with_small_log(&directory.path().join("tenantry.db"));
    let largest = largest_log_while_writing(&sqlite, 2).await;
    // The writer stops at the limit, and one transaction may cross it.
    assert!(largest <= SMALL.stop + (1 << 19), "{largest}");
    sqlite.close().await;
}

#[tokio::test]
async fn the_log_is_truncated_when_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = open_with_small_log(&directory.path().join("tenantry.db"));
    sqlite.write(Append(vec![1 << 17])).await.unwrap();
    while sqlite.log.size() > 0 {
        sqlite.log.wait_for_round();
    }
    sqlite.close().await;
}

#[tokio::test]
async fn a_read_transaction_of_another_process_stops_neither_writes_nor_list_queries() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenantry.db");
    let sqlite = open_with_small_log(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM audit_entries").unwrap();
    let largest = largest_log_while_writing(&sqlite, 0).await;
    assert!(largest > SMALL.stop, "{largest}");
    assert!(sqlite.run_within_limit(&Count, &sqlite.log.list_queries).is_ok());
    other.execute_batch("COMMIT").unwrap();
    sqlite.write(small()).await.unwrap();
    while sqlite.log.size() > 0 {
        sqlite.log.wait_for_round();
    }
    sqlite.close().await;
}

#[test]
fn a_statement_is_not_prepared_again_for_other_parameters() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = connect(&directory.path().join("tenantry.db"), OpenFlags::default()).unwrap();
    schema::migrate(&mut connection, &moments()).unwrap();
    let sql = "SELECT id FROM members
               WHERE organization_id = ?1 AND customer_id = ?2 AND coalesce(deleted_at, 0) = 0 ORDER BY id LIMIT ?3";
    for number in 1..4 {
        let id = Uuid::from_u128(number);
        driver::rows(&connection, sql, &[id.into(), id.into(), 10.into()], |_| Ok(true)).unwrap();
    }
    let statement = connection.prepare_cached(sql).unwrap();
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}
