//! Databases for tests, each dropped with its value: a file of SQLite, or a database on a PostgreSQL server.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;
use tenantry_store::{Moments, Store, StoreError, postgres};

use crate::server::{Server, on_own_thread, run_sql};
use crate::sharding::Sharding;
use crate::template;

/// A database of a test, on the engine that the environment names.
pub enum Database {
    /// A file.
    Sqlite(TempDir),
    /// A database on a server.
    Postgres(Postgres),
}

impl Database {
    /// A new database without rows.
    #[must_use]
    pub fn of_environment() -> Self {
        match std::env::var("TENANTRY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite(tempfile::tempdir().expect("a folder")),
            Ok("postgres") => {
                Self::Postgres(Postgres::migrated().expect("TENANTRY_TEST_POSTGRES names a server"))
            }
            Ok(other) => panic!("TENANTRY_TEST_ENGINE is sqlite or postgres, not {other}"),
        }
    }

    /// Opens the store, on a runtime of its own: the caller's may have one thread.
    #[must_use]
    pub fn open(&self, moments: Moments) -> Store {
        let opened = match self {
            Self::Sqlite(directory) => Store::open_sqlite(&file(directory.path()), moments),
            Self::Postgres(database) => on_own_thread(database.open(moments)),
        };
        opened.expect("the database opens")
    }

    /// Whether any row contains this text; letters match in either case.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Sqlite(directory) => {
                // A copy leaves out the free pages and includes the write-ahead log.
                let copy = directory.path().join("copy.db");
                let _ = std::fs::remove_file(&copy);
                let connection = rusqlite::Connection::open(file(directory.path())).expect("the file");
                let path = copy.to_str().expect("a path in UTF-8");
                connection.execute("VACUUM INTO ?1", [path]).expect("a copy");
                has(&std::fs::read(&copy).expect("the copy"), text)
            }
            Self::Postgres(database) => database.holds(text),
        }
    }

    /// Whether the database's files contain the text; on PostgreSQL, whether its rows do.
    #[must_use]
    pub fn traces(&self, text: &str) -> bool {
        match self {
            Self::Sqlite(directory) => std::fs::read_dir(directory.path()).expect("the folder").any(|file| {
                let file = file.expect("a file").path();
                file.is_file() && has(&std::fs::read(&file).expect("its bytes"), text)
            }),
            Self::Postgres(database) => database.holds(text),
        }
    }

    /// Every row of every table, as text.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let mut rows = match self {
            Self::Sqlite(directory) => sqlite_rows(&file(directory.path())),
            Self::Postgres(database) => database.rows(),
        };
        rows.sort();
        rows
    }

    /// Runs a statement directly on the database.
    pub fn execute(&self, sql: &str) {
        let _ = self.texts(sql);
    }

    /// The first column of the rows that a query returns, as text. No value of it may be null.
    #[must_use]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(directory) => sqlite_texts(&file(directory.path()), sql),
            Self::Postgres(database) => database
                .query(sql)
                .into_iter()
                .map(|row| row.into_iter().next().flatten().expect("a value"))
                .collect(),
        }
    }
}

fn file(directory: &Path) -> PathBuf {
    directory.join("tenantry.db")
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// Every row of every table of a file, as text.
#[must_use]
pub fn sqlite_rows(file: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(file).expect("the file");
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut rows = Vec::new();
    for table in sqlite_texts(file, tables) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("a table");
        let columns = statement.column_count();
        let mut found = statement.query([]).expect("rows");
        while let Some(row) = found.next().expect("a row") {
            let values: Vec<_> = (0..columns).map(|column| row.get_ref(column).expect("a value")).collect();
            rows.push(format!("{table}: {values:?}"));
        }
    }
    rows
}

fn sqlite_texts(file: &Path, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(file).expect("the file");
    let mut statement = connection.prepare(sql).expect("a query");
    let found = statement.query_map([], |row| row.get(0)).expect("rows");
    found.map(|row| row.expect("a row")).collect()
}

/// The name of the database that [`Postgres::migrated`] copies.
static TEMPLATE: OnceLock<String> = OnceLock::new();

/// A database on the server of `TENANTRY_TEST_POSTGRES`.
pub struct Postgres {
    server: Server,
    name: String,
    sharding: Sharding,
}

impl Postgres {
    /// A new database, empty unless its tables are to be distributed; nothing where there is no server.
    ///
    /// Every test that needs PostgreSQL begins here or with [`Postgres::migrated`]: without a server it fails in CI,
    /// and elsewhere it passes and says on standard error that it tested nothing.
    #[must_use]
    pub fn new() -> Option<Self> {
        let database = Self::named(Server::of_environment()?);
        database.server.run(&format!("CREATE DATABASE {}", database.name));
        database.sharding.prepare(&database.server, &database.name);
        Some(database)
    }

    /// A new database with the schema and no rows; nothing where there is no server.
    #[must_use]
    pub fn migrated() -> Option<Self> {
        if !matches!(Sharding::of_environment(), Sharding::No) {
            return Self::new();
        }
        let database = Self::named(Server::of_environment()?);
        let template = TEMPLATE.get_or_init(|| template::create(&database.server));
        database.server.run(&format!("CREATE DATABASE {} TEMPLATE {template}", database.name));
        Some(database)
    }

    fn named(server: Server) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a name that no other test process draws")]
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        Self { server, name, sharding: Sharding::of_environment() }
    }

    /// Installs what distributed tables need, without distributing them: the stand-in where there is no Citus.
    pub fn allow_sharding(&self) {
        if self.query("SELECT 1 FROM pg_extension WHERE extname = 'citus'").is_empty() {
            Sharding::StandIn.make(&self.server, &self.name);
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Opens it.
    ///
    /// # Errors
    /// As `Store::open_postgres`.
    pub async fn open(&self, moments: Moments) -> Result<Store, StoreError> {
        let target = postgres::Target::parse(&self.url()).expect("a URL");
        Store::open_postgres(target, postgres::Migrate::Yes, moments).await
    }

    /// The rows that statements return, as text.
    #[must_use]
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        run_sql(&self.url(), sql).into_iter().flatten().collect()
    }

    /// Every row of every table, as text.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let tables = self.query(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
             AND relnamespace = 'public'::regnamespace",
        );
        let tables: Vec<_> = tables.into_iter().flatten().flatten().collect();
        let all: Vec<_> = tables.iter().map(|table| format!("SELECT * FROM {table}")).collect();
        let mut rows = Vec::new();
        for (table, found) in tables.iter().zip(run_sql(&self.url(), &all.join("; "))) {
            rows.extend(found.into_iter().map(|row| format!("{table}: {row:?}")));
        }
        rows
    }

    fn holds(&self, text: &str) -> bool {
        // Bytes are shown in hexadecimal, and quotes are escaped.
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let escaped = text.escape_debug().to_string();
        let rows = self.rows();
        rows.iter().any(|row| [text, &digits, &escaped].iter().any(|text| has(row.as_bytes(), text)))
    }

    /// Drops the database and ends its connections.
    pub fn drop_database(&self) {
        self.server.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        self.sharding.drop_database(&self.name);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.drop_database();
    }
}
