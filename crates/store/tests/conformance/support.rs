//! What differs between engines, and how a test says what an operation does.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tenantry_core::{Moment, Timestamp};
use tenantry_store::{ColumnKind, Moments, Operation, Store, StoreError, Tx, sqlite};

/// A table's columns, with the kinds that their type may stand for, and the columns of its primary key.
pub(crate) type TableSeen = (Vec<(String, Vec<ColumnKind>)>, Vec<String>);

/// A database of one test, gone with it.
pub(crate) struct Database {
    directory: TempDir,
    ticks: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), ticks: Arc::default() }
    }

    /// Another of the same engine.
    pub(crate) fn another(&self) -> Self {
        Self::sqlite()
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("tenantry.db")
    }

    /// Time goes on by a microsecond an operation; no two operations have the same randomness.
    fn moments(&self) -> Moments {
        let ticks = Arc::clone(&self.ticks);
        Arc::new(move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&tick.to_be_bytes());
            Moment::new(Timestamp::from_micros(1_000_000_000 + i64::try_from(tick).unwrap()), seed)
        })
    }

    pub(crate) fn try_open(&self) -> Result<Store, StoreError> {
        sqlite::open(&self.path(), self.moments())
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    fn connect(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// Every row of every table, as text.
    pub(crate) fn dump(&self) -> Vec<String> {
        let connection = self.connect();
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(tables.iter().any(|table| table == "members"));
        let mut rows = Vec::new();
        for table in tables {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let values: Vec<_> = (0..columns).map(|column| row.get_ref(column).unwrap()).collect();
                rows.push(format!("{table}: {values:?}"));
            }
        }
        rows.sort();
        rows
    }

    /// Does what no part of the program does.
    pub(crate) fn sql(&self, sql: &str) {
        self.connect().execute_batch(sql).unwrap();
    }

    /// Every table but that of the migrations: its columns with their kinds, and its primary key.
    pub(crate) fn tables(&self) -> BTreeMap<String, TableSeen> {
        let connection = self.connect();
        let mut statement = connection
            .prepare(
                "SELECT t.name, c.name, c.type, c.pk FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'schema_migrations'
                 ORDER BY t.name, c.cid",
            )
            .unwrap();
        let rows = statement
            .query_map([], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .unwrap();
        let (mut tables, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for (table, column, kind, place) in rows.map(Result::unwrap) {
            let kinds = match kind.as_str() {
                "BLOB" => vec![ColumnKind::Id, ColumnKind::Bytes],
                "INTEGER" => vec![ColumnKind::Time, ColumnKind::Int, ColumnKind::Bool],
                "TEXT" => vec![ColumnKind::Text],
                other => panic!("{other}"),
            };
            if place > 0 {
                keys.insert((table.clone(), place), column.clone());
            }
            let (columns, _): &mut TableSeen = tables.entry(table).or_default();
            columns.push((column, kinds));
        }
        for ((table, _), column) in keys {
            tables.get_mut(&table).unwrap().1.push(column);
        }
        tables
    }

    /// Notes a migration of a later program.
    pub(crate) fn pretend_migration(&self, number: i64) {
        let sql = "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, 'later', 0)";
        self.connect().execute(sql, [number]).unwrap();
    }

    /// The files as another machine would find them if this one lost its power now.
    pub(crate) fn after_a_power_cut(&self) -> Self {
        let copy = Self::sqlite();
        for file in fs::read_dir(self.directory.path()).unwrap().map(Result::unwrap) {
            // The index of the log is memory, not disk.
            if !file.path().to_string_lossy().ends_with("-shm") {
                fs::copy(file.path(), copy.directory.path().join(file.file_name())).unwrap();
            }
        }
        copy
    }
}

/// Why an operation of a test failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The store failed.
    Store(StoreError),
    /// The test wanted it.
    OnPurpose,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The name of the constraint that refused.
pub(crate) fn violated<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(Failure::Store(StoreError::Violated(name))) => name,
        other => panic!("no constraint was violated: {other:?}"),
    }
}

/// An operation's work, as a closure makes it.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

struct Do<I, T, F> {
    input: I,
    work: F,
    output: PhantomData<fn() -> T>,
}

impl<I, T, F> Operation for Do<I, T, F>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a, 'c> Fn(&'a I, &'a mut Tx<'c>, &'a mut Moment) -> Work<'a, T> + Send + Sync + 'static,
{
    type Output = T;
    type Error = Failure;

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<T, Failure> {
        (self.work)(&self.input, tx, moment).await
    }
}

pub(crate) async fn write<I, T, F>(store: &Store, input: I, work: F) -> Result<T, Failure>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a, 'c> Fn(&'a I, &'a mut Tx<'c>, &'a mut Moment) -> Work<'a, T> + Send + Sync + 'static,
{
    store.write(Do { input, work, output: PhantomData }).await
}
