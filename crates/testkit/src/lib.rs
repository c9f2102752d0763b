//! Databases for tests, each gone with its value: a file of SQLite's, or a database on the PostgreSQL server
//! that `TENANTRY_TEST_POSTGRES` names by a URL without a database (`tests/postgres.sh COMMAND` sets it).
//!
//! Tests that run on one engine at a time take it from `TENANTRY_TEST_ENGINE`: `sqlite`, the default, or
//! `postgres`. A test that needs PostgreSQL where there is none says so and passes, except in CI. With
//! `TENANTRY_TEST_CITUS` every database on the server has its tables spread before its test begins (`spread`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod spread;

use std::path::{Path, PathBuf};

use spread::Sharding;
use tempfile::TempDir;
use tenantry_store::{Moments, Store, StoreError, postgres};
use tokio::runtime::Builder;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A database of a test, on the engine that the environment names.
pub enum Database {
    /// A file.
    Sqlite(TempDir),
    /// A database on a server.
    Postgres(Postgres),
}

impl Database {
    /// A new database, empty.
    ///
    /// # Panics
    /// When there is none to be had.
    #[must_use]
    pub fn of_environment() -> Self {
        match std::env::var("TENANTRY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite(tempfile::tempdir().expect("a folder")),
            Ok("postgres") => Self::Postgres(Postgres::new().expect("TENANTRY_TEST_POSTGRES names a server")),
            Ok(other) => panic!("TENANTRY_TEST_ENGINE is sqlite or postgres, not {other}"),
        }
    }

    /// Opens it. Nothing of it runs on the caller's runtime, which may have one thread.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn open(&self, moments: Moments) -> Store {
        let opened = match self {
            Self::Sqlite(directory) => Store::open_sqlite(&file(directory.path()), moments),
            Self::Postgres(database) => apart(database.open(moments)),
        };
        opened.expect("the database opens")
    }

    /// Whether any row has this text, in any case of its letters.
    ///
    /// # Panics
    /// When the database cannot be read.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Sqlite(directory) => {
                // A copy without the free pages, and with what the log still has.
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

    /// Whether the text stands anywhere in the database's files, or in its rows where the files are not ours.
    ///
    /// # Panics
    /// When the database cannot be read.
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
    ///
    /// # Panics
    /// When the database cannot be read.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let mut rows = match self {
            Self::Sqlite(directory) => sqlite_rows(&file(directory.path())),
            Self::Postgres(database) => database.rows(),
        };
        rows.sort();
        rows
    }

    /// The first column of what a query finds, as text. No value of it may be null.
    ///
    /// # Panics
    /// When the query fails.
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
///
/// # Panics
/// When the file cannot be read.
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

/// A database on the server of `TENANTRY_TEST_POSTGRES`.
pub struct Postgres {
    server: String,
    name: String,
    spread: Sharding,
}

impl Postgres {
    /// A new database, empty unless its tables are to be spread; nothing where there is no server.
    ///
    /// # Panics
    /// In CI when there is no server, and anywhere when it does not answer.
    #[must_use]
    pub fn new() -> Option<Self> {
        let Ok(server) = std::env::var("TENANTRY_TEST_POSTGRES") else {
            assert!(
                std::env::var("CI").is_err(),
                "PostgreSQL is not tested: TENANTRY_TEST_POSTGRES is not set"
            );
            eprintln!("PostgreSQL is not tested: run `tests/postgres.sh cargo test ..`");
            return None;
        };
        #[expect(clippy::disallowed_methods, reason = "a name that no other test process draws")]
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let database = Self { server, name, spread: Sharding::of_environment() };
        database.on_server(&format!("CREATE DATABASE {}", database.name));
        database.spread.prepare(&database);
        Some(database)
    }

    /// Makes its tables such that they can be spread, by the stand-in where no Citus is at hand; they are not
    /// spread yet.
    ///
    /// # Panics
    /// When it cannot be done.
    pub fn allow_spreading(&self) {
        if self.query("SELECT 1 FROM pg_extension WHERE extname = 'citus'").is_empty() {
            Sharding::StandIn.make(self);
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(&self.name)
    }

    fn url_of(&self, database: &str) -> String {
        let (base, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{database}{mark}{query}", base.trim_end_matches('/'))
    }

    /// Opens it.
    ///
    /// # Errors
    /// What the store says.
    ///
    /// # Panics
    /// When its URL is none.
    pub async fn open(&self, moments: Moments) -> Result<Store, StoreError> {
        let target = postgres::Target::parse(&self.url()).expect("a URL");
        Store::open_postgres(target, postgres::Migrate::Yes, moments).await
    }

    /// What statements find, as text.
    ///
    /// # Panics
    /// When one fails.
    #[must_use]
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        ask(&self.url(), sql).into_iter().flatten().collect()
    }

    /// Every row of every table, as text.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let tables = self.query(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
             AND relnamespace = 'public'::regnamespace",
        );
        let tables: Vec<_> = tables.into_iter().flatten().flatten().collect();
        let all: Vec<_> = tables.iter().map(|table| format!("SELECT * FROM {table}")).collect();
        let mut rows = Vec::new();
        for (table, found) in tables.iter().zip(ask(&self.url(), &all.join("; "))) {
            rows.extend(found.into_iter().map(|row| format!("{table}: {row:?}")));
        }
        rows
    }

    fn holds(&self, text: &str) -> bool {
        // Bytes are shown in hexadecimal, and quotes with a stroke before them.
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let escaped = text.escape_debug().to_string();
        let rows = self.rows();
        rows.iter().any(|row| [text, &digits, &escaped].iter().any(|text| has(row.as_bytes(), text)))
    }

    /// Ends the database with everybody in it.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn take_away(&self) {
        self.on_server(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        self.spread.take_away(&self.name);
    }

    fn on_server(&self, sql: &str) {
        let _ = ask(&self.url_of("postgres"), sql);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.take_away();
    }
}

/// The outcome of `work` on a thread and a runtime of its own.
fn apart<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

/// What a statement found, as text.
type Found = Vec<Vec<Option<String>>>;

/// Asks on a connection and a thread of its own, for whoever asks may be on a runtime; answers with what each
/// statement found.
fn ask(url: &str, sql: &str) -> Vec<Found> {
    let asking = async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
        let asked = async {
            let answer = client.simple_query(sql).await;
            drop(client);
            answer
        };
        let (answer, _) = tokio::join!(asked, connection);
        answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    let (mut answers, mut found) = (Vec::new(), Found::new());
    for message in apart(asking) {
        match message {
            SimpleQueryMessage::Row(row) => {
                found.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut found)),
            _ => {}
        }
    }
    answers
}
