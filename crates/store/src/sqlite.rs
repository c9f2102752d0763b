//! SQLite, embedded: the default engine.
//!
//! One thread writes. It takes every operation that is queued, runs each in a savepoint of one physical
//! transaction, commits once, and then answers all of them: one `fsync` serves the whole queue. Readers
//! use a pool of connections, each straight from the thread that asks. A third thread writes the log back
//! into the database, so that no answer waits for it.
//!
//! Invariants: an answered write is on disk (`synchronous=FULL`); an operation that fails leaves nothing
//! behind and does not disturb its neighbours.

mod schema;
mod snapshot;

pub(crate) use snapshot::Snapshot;

use std::fs::OpenOptions;
use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::{Notify, oneshot};

use crate::searches::ListQueryLimiter;
use crate::sql::{Param, Row, Value, unexpected};
use crate::tx::Touched;
use crate::{Engine, Generation, ListQuery, Moments, Store, StoreError, Tx, UseCase, Vault};

/// A `SELECT` needs nothing to hold its rows: there is one writer.
pub(crate) const FOR_UPDATE: &str = "";

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::OwnedText(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::OwnedBytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

/// The value of a row's column.
pub(crate) fn value<'a>(row: &'a rusqlite::Row<'a>, index: usize) -> Result<Value<'a>, StoreError> {
    Ok(match row.get_ref(index).map_err(unexpected)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(unexpected)?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return Err(unexpected(format!("column {index} holds a fraction"))),
    })
}

/// Hands each row of an answer to `take`, until it says that it wants no more.
pub(crate) fn rows(
    connection: &Connection,
    sql: &str,
    params: &[Param<'_>],
    mut take: impl FnMut(Row<'_>) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(connection, error))?;
    let mut rows =
        statement.query(rusqlite::params_from_iter(params)).map_err(|error| failure(connection, error))?;
    while let Some(row) = rows.next().map_err(|error| failure(connection, error))? {
        if !take(Row::Sqlite(row))? {
            break;
        }
    }
    Ok(())
}

/// Changes rows; answers how many. Outside of a transaction nothing is changed.
pub(crate) fn execute(connection: &Connection, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
    in_transaction(connection)?;
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(connection, error))?;
    statement.execute(rusqlite::params_from_iter(params)).map_err(|error| failure(connection, error))
}

/// The hexadecimal digits of an id, in capitals, as an expression.
pub(crate) fn id_digits(column: &str) -> String {
    format!("hex({column})")
}

/// Operations that may wait for the writer; one more is refused.
const QUEUE: usize = 8_192;
/// Operations that one commit may serve.
const BATCH: usize = 512;
/// Prepared statements kept by a connection.
const STATEMENTS: usize = 256;
/// How long a connection waits for another process, such as a command of this program.
const BUSY: Duration = Duration::from_secs(30);
/// How long a search may take.
const SEARCH: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the clock.
const SEARCH_STEPS: i32 = 10_000;
/// How often the log's size is looked at.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// The log's size, in bytes, from which it is written back while the server works.
const CHECKPOINT_FROM: u64 = 16 << 20;
/// The log's size, in pages of 4 KiB, at which the writer stops to write it back itself: its bound.
const CHECKPOINT_AT_ONCE: u32 = 65_536;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs in the transaction that is open; without one, it has only an answer to give.
type Job = Box<dyn FnOnce(Option<&mut Connection>) -> Answer + Send>;

/// An open SQLite database.
pub struct Sqlite {
    path: PathBuf,
    moments: Moments,
    generation: Arc<Generation>,
    webhooks: Arc<Notify>,
    mail: Arc<Notify>,
    queue: Mutex<Option<SyncSender<Job>>>,
    readers: Mutex<Vec<Connection>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    searches: ListQueryLimiter,
    vault: Arc<OnceLock<Arc<dyn Vault>>>,
}

/// Opens the database at `path`, creating and migrating it as needed.
///
/// # Errors
/// When the file cannot be opened, or its schema is newer than this program.
pub fn open(path: &Path, moments: Moments) -> Result<Store, StoreError> {
    let mut writer = connect(path, OpenFlags::default())?;
    schema::migrate(&mut writer, &moments)?;
    start(path, writer, moments)
}

/// Opens the database at `path` to be read: it is neither made nor migrated, so that the program that it is
/// of can go on with it.
///
/// # Errors
/// When there is none, or its schema is not the one that this program knows.
pub fn open_existing(path: &Path, moments: Moments) -> Result<Store, StoreError> {
    let writer = connect(path, OpenFlags::default().difference(OpenFlags::SQLITE_OPEN_CREATE))?;
    schema::check(&writer)?;
    start(path, writer, moments)
}

fn start(path: &Path, mut writer: Connection, moments: Moments) -> Result<Store, StoreError> {
    let (queue, jobs) = sync_channel::<Job>(QUEUE);
    let (stop_checkpoints, stopped) = sync_channel::<()>(0);
    let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
    let checkpointer = connect(path, OpenFlags::default())?;
    let threads = vec![
        spawn("tenantry-checkpoint", move || checkpoints(&checkpointer, &log, &stopped))?,
        spawn("tenantry-write", move || {
            write_all(&mut writer, &jobs);
            drop(stop_checkpoints);
            finish(&writer);
        })?,
    ];
    let sqlite = Sqlite {
        path: path.to_owned(),
        moments,
        generation: Arc::default(),
        webhooks: Arc::default(),
        mail: Arc::default(),
        queue: Mutex::new(Some(queue)),
        readers: Mutex::default(),
        threads: Mutex::new(threads),
        searches: ListQueryLimiter::new(),
        vault: Arc::default(),
    };
    Ok(Store::new(Engine::Sqlite(Arc::new(sqlite))))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(unexpected)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    if flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
        // A new file is its owner's alone, and what SQLite puts beside it is like it. What is wrong, it tells.
        drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path));
    }
    let connect = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_AT_ONCE)?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    };
    connect().map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))
}

impl Sqlite {
    pub(crate) const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    pub(crate) const fn webhooks(&self) -> &Arc<Notify> {
        &self.webhooks
    }

    pub(crate) const fn mail(&self) -> &Arc<Notify> {
        &self.mail
    }

    pub(crate) async fn write<O: UseCase>(&self, operation: O) -> Result<O::Output, O::Error> {
        let (reply, answer) = oneshot::channel();
        let moments = Arc::clone(&self.moments);
        let (generation, vault) = (Arc::clone(&self.generation), Arc::clone(&self.vault));
        let webhooks = Arc::clone(&self.webhooks);
        let mail = Arc::clone(&self.mail);
        let job: Job = Box::new(move |connection| {
            if reply.is_closed() {
                // The request was given up while it waited: it must not happen after all.
                return Box::new(|_| {});
            }
            let (outcome, touched) = match connection {
                Some(connection) => {
                    run_in_savepoint(connection, &operation, &moments, vault.get().map(AsRef::as_ref))
                }
                None => {
                    (Err(StoreError::Unavailable("no transaction began".into()).into()), Touched::default())
                }
            };
            Box::new(move |committed| {
                // Before the answer: whoever hears that a token is revoked finds it dead.
                if touched.credentials {
                    generation.advance();
                }
                if touched.webhooks && committed.is_ok() {
                    webhooks.notify_one();
                }
                if touched.mail && committed.is_ok() {
                    mail.notify_one();
                }
                // Nobody listens when the request was given up meanwhile; what it did stays done.
                drop(reply.send(committed.map_err(O::Error::from).and(outcome)));
            })
        });
        self.enqueue(job)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it is closed".into()).into()))
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(StoreError::Unavailable("it is closed".into())) };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Unavailable("too many writes are waiting".into()),
            TrySendError::Disconnected(_) => StoreError::Unavailable("its writer has stopped".into()),
        })
    }

    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect_reader()?,
        };
        Ok(Reader { pool: self, connection: Some(connection) })
    }

    fn connect_reader(&self) -> Result<Connection, StoreError> {
        let connection = connect(&self.path, OpenFlags::default())?;
        connection.pragma_update(None, "query_only", true).map_err(unexpected)?;
        Ok(connection)
    }

    pub(crate) fn set_vault(&self, vault: Arc<dyn Vault>) {
        if self.vault.set(vault).is_err() {
            tracing::warn!("the store keeps the vault that it has");
        }
    }

    fn vault(&self) -> Option<&dyn Vault> {
        self.vault.get().map(AsRef::as_ref)
    }

    pub(crate) async fn search<S: ListQuery>(self: Arc<Self>, search: S) -> Result<S::Output, StoreError> {
        let place = self.searches.place(search.organization()).await?;
        // It keeps its place until it has come to its end, whether or not anybody still waits for it.
        let searching = tokio::task::spawn_blocking(move || {
            let found = self.search_here(&search);
            drop(place);
            found
        });
        searching.await.map_err(unexpected)?
    }

    fn search_here<S: ListQuery>(&self, search: &S) -> Result<S::Output, StoreError> {
        let mut reader = self.reader()?;
        let deadline = Instant::now() + SEARCH;
        reader.watch(Some(move || Instant::now() > deadline))?;
        let found = now(search.run(&mut reader.tx()?));
        reader.watch(None::<fn() -> bool>)?;
        found
    }

    pub(crate) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a database thread ended in a panic");
            }
        }
    }
}

/// A connection for reading, given back when it is dropped.
pub(crate) struct Reader<'a> {
    pool: &'a Sqlite,
    connection: Option<Connection>,
}

impl Reader<'_> {
    /// Has `late` asked now and then, which ends what runs when it says so.
    fn watch<F: FnMut() -> bool + Send + 'static>(&mut self, late: Option<F>) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or_else(|| unexpected("a reader without connection"))?;
        connection.progress_handler(SEARCH_STEPS, late).map_err(unexpected)
    }

    /// The database as it is committed at each query.
    pub(crate) fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        let connection = self.connection.as_mut().ok_or_else(|| unexpected("a reader without connection"))?;
        Ok(Tx::sqlite(connection, self.pool.vault()))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// Runs one operation so that it leaves everything or nothing. Answers as well what others must hear of.
fn run_in_savepoint<O: UseCase>(
    connection: &mut Connection,
    operation: &O,
    moments: &Moments,
    vault: Option<&dyn Vault>,
) -> (Result<O::Output, O::Error>, Touched) {
    let execute = |connection: &Connection, sql: &str| {
        let statement = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        statement.map_err(|error| failure(connection, error))
    };
    if let Err(error) = execute(connection, "SAVEPOINT operation") {
        return (Err(error.into()), Touched::default());
    }
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut tx = Tx::sqlite(connection, vault);
        let outcome = now(operation.run(&mut tx, &mut moments()));
        (outcome, tx.touched())
    }));
    let (outcome, touched) =
        ran.unwrap_or_else(|_| (Err(unexpected("an operation panicked").into()), Touched::default()));
    let undone = in_transaction(connection).and_then(|()| match outcome {
        Ok(_) => Ok(0),
        Err(_) => execute(connection, "ROLLBACK TO operation"),
    });
    match undone.and_then(|_| execute(connection, "RELEASE operation").map(|_| ())) {
        Ok(()) => (outcome, touched),
        Err(error) => {
            // What cannot be undone alone must not be committed with the others.
            drop(connection.execute_batch("ROLLBACK"));
            (Err(error.into()), Touched::default())
        }
    }
}

/// Whether the transaction is still there. A full or failing disk makes SQLite undo all of it, not only the
/// statement that met it; a savepoint or a statement after that would be a transaction of its own.
pub(crate) fn in_transaction(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable("there is no transaction; a full disk ends it".into()));
    }
    Ok(())
}

/// The result of a future that SQLite alone can make wait, which it never does.
fn now<T, E: From<StoreError>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(unexpected("an operation waited for something besides the database").into()),
    }
}

fn write_all(connection: &mut Connection, jobs: &Receiver<Job>) {
    let mut answers = Vec::with_capacity(BATCH);
    while let Ok(first) = jobs.recv() {
        let begun = begin(connection);
        answers.push(first(begun.is_ok().then_some(&mut *connection)));
        let committed = begun.and_then(|()| {
            while answers.len() < BATCH
                && in_transaction(connection).is_ok()
                && let Ok(next) = jobs.try_recv()
            {
                answers.push(next(Some(connection)));
            }
            in_transaction(connection)?;
            connection.execute_batch("COMMIT").map_err(|error| failure(connection, error))
        });
        if let Err(error) = &committed {
            tracing::error!(%error, "a transaction was not committed");
            // There may be nothing to roll back; the next BEGIN tells if there is.
            drop(connection.execute_batch("ROLLBACK"));
        }
        for answer in answers.drain(..) {
            answer(committed.clone());
        }
    }
}

fn begin(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| failure(connection, error))
}

/// Writes the log back whenever it has grown, until the writer stops.
fn checkpoints(connection: &Connection, log: &Path, stopped: &Receiver<()>) {
    while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(RecvTimeoutError::Timeout) {
        let size = std::fs::metadata(log).map_or(0, |log| log.len());
        if size >= CHECKPOINT_FROM
            && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the log was not written back");
        }
    }
}

fn finish(connection: &Connection) {
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = done.and_then(|()| connection.execute_batch("PRAGMA optimize")) {
        tracing::warn!(%error, "the database was closed with its log not written back");
    }
}

/// What an error of SQLite means here. A violated constraint is told by the name of its index.
pub(crate) fn failure(connection: &Connection, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &error else { return unexpected(error) };
    match code.code {
        ErrorCode::ConstraintViolation => StoreError::Violated(constraint_name(connection, message)),
        ErrorCode::OperationInterrupted => StoreError::Unavailable("it took too long".into()),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure => StoreError::Unavailable(error.to_string()),
        _ => unexpected(error),
    }
}

/// SQLite names the columns of a violated index, not the index: this finds it. The index of a primary key
/// has lost the name it was declared with, which is `<table>_pkey`. Only an error pays for it.
fn constraint_name(connection: &Connection, message: &str) -> String {
    let Some((_, columns)) = message.split_once("UNIQUE constraint failed: ") else {
        return message.rsplit(": ").next().unwrap_or(message).to_owned();
    };
    let named: Vec<(&str, &str)> = columns.split(", ").filter_map(|column| column.split_once('.')).collect();
    let Some((table, _)) = named.first() else { return columns.to_owned() };
    let names: Vec<&str> = named.iter().map(|(_, column)| *column).collect();
    let found = connection.query_row(
        "SELECT CASE list.origin WHEN 'pk' THEN ?1 || '_pkey' ELSE list.name END
         FROM pragma_index_list(?1) AS list
         WHERE list.\"unique\" AND (SELECT group_concat(info.name, ',') FROM pragma_index_info(list.name) AS info) = ?2",
        (table, names.join(",")),
        |row| row.get::<_, String>(0),
    );
    found.unwrap_or_else(|_| columns.to_owned())
}

#[cfg(test)]
mod tests;
