//! The differences between engines, and the functions with which a test writes a use case.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{ColumnKind, Moments, Store, StoreError, Tx, UseCase, postgres};
use tenantry_testkit::{Postgres, sqlite_rows};

/// A table's columns, each with the kinds that its type may stand for, and the columns of its primary key.
pub(crate) type TableSeen = (Vec<(String, Vec<ColumnKind>)>, Vec<String>);

enum Engine {
    Sqlite(TempDir),
    Postgres(Postgres),
}

/// The database of one test, dropped with its value.
pub(crate) struct Database {
    engine: Engine,
    ticks: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self { engine: Engine::Sqlite(tempfile::tempdir().unwrap()), ticks: Arc::default() }
    }

    /// A database on the test server; `None` without a server.
    pub(crate) fn postgres() -> Option<Self> {
        Some(Self { engine: Engine::Postgres(Postgres::new()?), ticks: Arc::default() })
    }

    /// Whether Citus has its rows on several servers. A test that changes or watches the one server that has all rows
    /// then says that it is skipped.
    pub(crate) fn skips_test(&self) -> bool {
        let is_citus = std::env::var("TENANTRY_TEST_CITUS").is_ok_and(|workers| workers.contains(':'));
        let skips = is_citus && matches!(self.engine, Engine::Postgres(_));
        if skips {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let _ =
                writeln!(std::io::stderr(), "{test}: skipped, since Citus has the rows on several servers");
        }
        skips
    }

    /// Like [`Self::postgres`], for a test that is skipped on Citus.
    pub(crate) fn on_one_server() -> Option<Self> {
        Self::postgres().filter(|database| !database.skips_test())
    }

    /// Distributes its tables, unless they are distributed already. Returns the tables that it distributed.
    pub(crate) async fn distribute(&self) -> Vec<String> {
        let Engine::Postgres(database) = &self.engine else { panic!("not a server") };
        database.allow_sharding();
        let store = self.open().await;
        let distributed = store.distribute_tables().await.unwrap();
        store.close().await;
        distributed
    }

    /// Whether its tables are distributed before a test begins.
    pub(crate) fn is_distributed(&self) -> bool {
        std::env::var("TENANTRY_TEST_CITUS").is_ok_and(|how| !how.is_empty())
    }

    /// Another database of the same engine.
    pub(crate) fn another(&self) -> Self {
        match &self.engine {
            Engine::Sqlite(_) => Self::sqlite(),
            Engine::Postgres(_) => Self::postgres().unwrap(),
        }
    }

    /// Each use case is one microsecond later than the last one and has another seed.
    fn moments(&self) -> Moments {
        let ticks = Arc::clone(&self.ticks);
        Arc::new(move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&tick.to_be_bytes());
            ExecutionContext::new(Timestamp::from_micros(1_000_000_000 + i64::try_from(tick).unwrap()), seed)
        })
    }

    pub(crate) async fn try_open(&self) -> Result<Store, StoreError> {
        match &self.engine {
            Engine::Sqlite(directory) => Store::open_sqlite(&file(directory), self.moments()),
            Engine::Postgres(database) => database.open(self.moments()).await,
        }
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    /// Opens a PostgreSQL database by a changed URL.
    pub(crate) async fn open_at(&self, url: impl FnOnce(String) -> String) -> Store {
        let Engine::Postgres(database) = &self.engine else { panic!("not a server") };
        let target = postgres::Target::parse(&url(database.url())).unwrap();
        Store::open_postgres(target, postgres::Migrate::Yes, self.moments()).await.unwrap()
    }

    /// Opens one of PostgreSQL's with more parameters in its URL.
    pub(crate) async fn open_with(&self, parameters: &str) -> Store {
        self.open_at(|url| format!("{url}{}{parameters}", if url.contains('?') { '&' } else { '?' })).await
    }

    /// Every row of every table, as text.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut rows = match &self.engine {
            Engine::Sqlite(directory) => sqlite_rows(&file(directory)),
            Engine::Postgres(database) => database.rows(),
        };
        assert!(rows.iter().any(|row| row.starts_with("schema_migrations")));
        rows.sort();
        rows
    }

    /// Runs statements directly on the database, without checking foreign keys.
    pub(crate) fn sql(&self, sql: &str) {
        match &self.engine {
            Engine::Sqlite(directory) => {
                let connection = rusqlite::Connection::open(file(directory)).unwrap();
                connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
            }
            Engine::Postgres(database) => {
                drop(database.query(&format!("SET session_replication_role = replica; {sql}")));
            }
        }
    }

    /// Every table except that of the migrations: its columns with their kinds, and its primary key.
    pub(crate) fn tables(&self) -> BTreeMap<String, TableSeen> {
        let seen = match &self.engine {
            Engine::Sqlite(directory) => columns_of_sqlite(&file(directory)),
            Engine::Postgres(database) => database.query(COLUMNS_OF_POSTGRES),
        };
        let (mut tables, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for row in seen {
            let [table, column, kind, place] = &row[..] else { panic!("{row:?}") };
            let (table, column) = (table.clone().unwrap(), column.clone().unwrap());
            let kinds = match kind.as_deref().unwrap() {
                "BLOB" => vec![ColumnKind::Id, ColumnKind::Bytes],
                "INTEGER" => vec![ColumnKind::Time, ColumnKind::Int, ColumnKind::Bool],
                "TEXT" | "text" => vec![ColumnKind::Text],
                "uuid" => vec![ColumnKind::Id],
                "bytea" => vec![ColumnKind::Bytes],
                "bigint" => vec![ColumnKind::Time, ColumnKind::Int],
                "boolean" => vec![ColumnKind::Bool],
                other => panic!("{other}"),
            };
            let place: i64 = place.as_deref().unwrap().parse().unwrap();
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

    /// Whether any column contains these bytes.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let shown = match &self.engine {
            Engine::Sqlite(_) => format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
            Engine::Postgres(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        self.dump().iter().any(|row| row.contains(&shown))
    }

    /// The rows that statements return on PostgreSQL, as text.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let Engine::Postgres(database) = &self.engine else { panic!("not a server") };
        database.query(sql)
    }

    /// The columns, indexes and checks of all tables, one a line, in the same form on both engines.
    pub(crate) fn catalog(&self) -> Vec<String> {
        match &self.engine {
            Engine::Sqlite(directory) => catalog_of_sqlite(&file(directory)),
            Engine::Postgres(database) => {
                let found = database.query(CATALOG_OF_POSTGRES);
                found.into_iter().map(|row| row[0].clone().unwrap()).collect()
            }
        }
    }

    /// Drops the database and ends every connection to it.
    pub(crate) fn drop_database(&self) {
        let Engine::Postgres(database) = &self.engine else { panic!("not a server") };
        database.drop_database();
    }

    /// Records a migration that a later version of the program would have applied.
    pub(crate) fn pretend_migration(&self, number: i64) {
        let sql =
            format!("INSERT INTO schema_migrations (number, name, applied_at) VALUES ({number}, 'later', 0)");
        self.sql(&sql);
    }

    /// A copy of the files as they would be on disk after a power failure at this moment; `None` for PostgreSQL,
    /// whose files the test cannot copy.
    pub(crate) fn after_a_power_cut(&self) -> Option<Self> {
        let Engine::Sqlite(directory) = &self.engine else { return None };
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
            // The index of the write-ahead log is in memory, not on disk.
            if !file.path().to_string_lossy().ends_with("-shm") {
                fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
            }
        }
        Some(Self { engine: Engine::Sqlite(copy), ticks: Arc::default() })
    }
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("tenantry.db")
}

/// Table, column, type, and the position in the primary key: from 1, or 0 outside of it.
const COLUMNS_OF_POSTGRES: &str = "
    SELECT t.relname, a.attname, format_type(a.atttypid, NULL),
        coalesce(array_position(CAST(x.indkey AS smallint[]), a.attnum) + 1, 0)
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid
    LEFT JOIN pg_index x ON x.indrelid = t.oid AND x.indisprimary
    WHERE n.nspname = 'public' AND t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        AND t.relname <> 'schema_migrations'
    ORDER BY t.relname, a.attnum";

fn columns_of_sqlite(file: &Path) -> Vec<Vec<Option<String>>> {
    const SQL: &str = "
        SELECT t.name, c.name, c.type, CAST(c.pk AS TEXT)
        FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'schema_migrations'
        ORDER BY t.name, c.cid";
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement = connection.prepare(SQL).unwrap();
    let found = statement.query_map([], |row| (0..4).map(|column| row.get(column)).collect());
    found.unwrap().map(Result::unwrap).collect()
}

const CATALOG_OF_POSTGRES: &str = "
    SELECT 'column ' || table_name || '.' || column_name || ' '
        || CASE data_type WHEN 'uuid' THEN 'BLOB' WHEN 'bytea' THEN 'BLOB' WHEN 'text' THEN 'TEXT'
            WHEN 'bigint' THEN 'INTEGER' WHEN 'boolean' THEN 'INTEGER' ELSE data_type END
        || CASE WHEN is_nullable = 'YES' THEN '' ELSE ' NOT NULL' END
        || CASE WHEN data_type = 'text' AND collation_name IS DISTINCT FROM 'C' THEN ' collated' ELSE '' END
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT CASE WHEN x.indisunique THEN 'unique ' ELSE 'index ' END || t.relname || '.' || i.relname || ' ('
        || (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(x.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
        || ')' || CASE WHEN x.indpred IS NULL THEN '' ELSE ' partial' END
    FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public'
    UNION ALL
    SELECT 'check ' || t.relname || '.' || c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE c.contype = 'c' AND n.nspname = 'public'";

fn catalog_of_sqlite(file: &Path) -> Vec<String> {
    const SQL: &str = "
        SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END
        FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'
        UNION ALL
        SELECT CASE WHEN x.\"unique\" THEN 'unique ' ELSE 'index ' END || t.name || '.'
            || CASE x.origin WHEN 'pk' THEN t.name || '_pkey' ELSE x.name END || ' ('
            || (SELECT group_concat(k.name, ',') FROM pragma_index_info(x.name) AS k) || ')'
            || CASE WHEN x.partial THEN ' partial' ELSE '' END
        FROM sqlite_schema AS t JOIN pragma_index_list(t.name) AS x WHERE t.type = 'table'";
    let connection = rusqlite::Connection::open(file).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut lines = texts(SQL);
    for table in texts("SELECT name || ' ' || sql FROM sqlite_schema WHERE type = 'table'") {
        let (name, sql) = table.split_once(' ').unwrap();
        let words: Vec<&str> = sql.split_whitespace().collect();
        let checks = words.windows(3).filter(|words| words[0] == "CONSTRAINT" && words[2] == "CHECK");
        lines.extend(checks.map(|words| format!("check {name}.{}", words[1])));
    }
    lines
}

/// The error of a test's use case.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The store failed.
    Store(StoreError),
    /// The use case failed intentionally.
    OnPurpose,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The name of the violated constraint.
pub(crate) fn violated<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(Failure::Store(StoreError::Violated(name))) => name,
        other => panic!("no constraint was violated: {other:?}"),
    }
}

/// The body of a use case, as a closure returns it.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

struct Do<I, T, F> {
    input: I,
    work: F,
    output: PhantomData<fn() -> T>,
}

impl<I, T, F> UseCase for Do<I, T, F>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a, 'c> Fn(&'a I, &'a mut Tx<'c>, &'a mut ExecutionContext) -> Work<'a, T> + Send + Sync + 'static,
{
    type Output = T;
    type Error = Failure;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<T, Failure> {
        (self.work)(&self.input, tx, context).await
    }
}

pub(crate) async fn write<I, T, F>(store: &Store, input: I, work: F) -> Result<T, Failure>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a, 'c> Fn(&'a I, &'a mut Tx<'c>, &'a mut ExecutionContext) -> Work<'a, T> + Send + Sync + 'static,
{
    store.write(Do { input, work, output: PhantomData }).await
}
