//! SQLite, embedded: the default engine.
//!
//! One thread writes ([`writer`]). It commits many use cases in one transaction, so one `fsync` serves a whole batch.
//! Parties take turns, so that the work of one delays no other for long ([`crate::turns`]).
//! Reads run on the threads of their callers and use a pool of connections ([`readers`]), except those that may take
//! some milliseconds: they run on threads of their own. A checkpoint thread copies
//! the write-ahead log into the database file ([`checkpoint`]), so that no request waits for it.
//!
//! Invariants: the change of an answered write is on disk (`synchronous=FULL`); a use case that fails leaves no change
//! and does not disturb the others of its batch.

mod checkpoint;
pub(crate) mod driver;
mod readers;
mod schema;
mod snapshot;
mod writer;

pub(crate) use readers::Reader;
#[cfg(test)]
pub(crate) use schema::migrate;
pub(crate) use snapshot::Snapshot;

use std::any::type_name;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::error::unexpected;
use crate::list_query_limiter::ListQueryLimiter;
use crate::signals::Signals;
use crate::turns::{LineKey, TurnQueue};
use crate::{ListQuery, Moments, StoreError, UseCase, Vault};
use driver::connect;
use readers::Readers;
use writer::Job;

/// Large reads that run at once. Each has a connection with a cache of its own; a further one waits.
const LARGE_READS: usize = 8;
/// The time limit of a list query or large read.
const LIST_QUERY: Duration = Duration::from_secs(5);

/// An open SQLite database.
pub(crate) struct Sqlite {
    moments: Moments,
    signals: Arc<Signals>,
    queue: Arc<TurnQueue<Job>>,
    readers: Readers,
    threads: Mutex<Vec<JoinHandle<()>>>,
    list_queries: ListQueryLimiter,
    large_reads: Arc<Semaphore>,
    vault: Arc<OnceLock<Arc<dyn Vault>>>,
}

impl Sqlite {
    /// Opens the database at `path`, creating and migrating it as needed.
    pub(crate) fn open(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        let mut writer = connect(path, OpenFlags::default())?;
        schema::migrate(&mut writer, &moments)?;
        Self::start(path, writer, moments)
    }

    /// Opens the database at `path` without creating or migrating it.
    pub(crate) fn open_existing(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        let writer = connect(path, OpenFlags::default().difference(OpenFlags::SQLITE_OPEN_CREATE))?;
        schema::check(&writer)?;
        Self::start(path, writer, moments)
    }

    fn start(path: &Path, mut writer: Connection, moments: Moments) -> Result<Self, StoreError> {
        driver::delete_statistics(&writer)?;
        let queue = Arc::new(TurnQueue::default());
        let jobs = Arc::clone(&queue);
        let (stop_checkpoints, stopped) = sync_channel::<()>(0);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let log = path.with_file_name(format!("{name}-wal"));
        let checkpointer = connect(path, OpenFlags::default())?;
        let threads = vec![
            spawn("tenantry-checkpoint", move || checkpoint::run(&checkpointer, &log, &stopped))?,
            spawn("tenantry-write", move || {
                writer::write_all(&mut writer, &jobs);
                drop(stop_checkpoints);
                checkpoint::finish(&writer);
            })?,
        ];
        let vault = Arc::default();
        Ok(Self {
            moments,
            signals: Arc::default(),
            queue,
            readers: Readers::new(path.to_owned(), Arc::clone(&vault)),
            threads: Mutex::new(threads),
            list_queries: ListQueryLimiter::new(),
            large_reads: Arc::new(Semaphore::new(LARGE_READS)),
            vault,
        })
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(crate) fn set_vault(&self, vault: Arc<dyn Vault>) {
        if self.vault.set(vault).is_err() {
            tracing::warn!("the store already has a vault and keeps it");
        }
    }

    pub(crate) async fn write<U: UseCase>(&self, use_case: U) -> Result<U::Output, U::Error> {
        let vault = self.vault.get().map(Arc::clone);
        let line = LineKey { party: use_case.party().limited_as, is_long: U::IS_LONG };
        let (job, outcome) =
            writer::job(use_case, Arc::clone(&self.moments), vault, Arc::clone(&self.signals));
        self.queue.push(line, Instant::now(), job)?;
        match outcome.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(foreign_await)) => Err(foreign_await.report().into()),
            Err(_) => Err(StoreError::Unavailable("the database is closed".into()).into()),
        }
    }

    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        self.readers.reader()
    }

    pub(crate) async fn run_list_query<Q: ListQuery>(
        self: Arc<Self>,
        query: Q,
    ) -> Result<Q::Output, StoreError> {
        let permit = self.list_queries.admit(query.limited_as()).await?;
        // The query keeps its permit until it ends, whether or not its caller still waits.
        let running = tokio::task::spawn_blocking(move || {
            let found = self.run_within_limit(&query);
            drop(permit);
            found
        });
        running.await.map_err(unexpected)?
    }

    pub(crate) async fn run_large_read<Q: ListQuery>(
        self: Arc<Self>,
        query: Q,
    ) -> Result<Q::Output, StoreError> {
        let permit = Arc::clone(&self.large_reads).acquire_owned().await.map_err(unexpected)?;
        let running = tokio::task::spawn_blocking(move || {
            let found = self.run_within_limit(&query);
            drop(permit);
            found
        });
        running.await.map_err(unexpected)?
    }

    fn run_within_limit<Q: ListQuery>(&self, query: &Q) -> Result<Q::Output, StoreError> {
        let mut reader = self.reader()?;
        let deadline = Instant::now() + LIST_QUERY;
        reader.set_interrupt(Some(move || Instant::now() > deadline))?;
        let found = writer::poll_once(type_name::<Q>(), query.run(&mut reader.tx()?));
        reader.set_interrupt(None::<fn() -> bool>)?;
        found.unwrap_or_else(|foreign_await| Err(foreign_await.report()))
    }

    /// Runs the queued use cases, then ends the threads and closes every connection.
    pub(crate) async fn close(&self) {
        self.queue.close();
        self.readers.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a database thread panicked");
            }
        }
    }
}

impl Drop for Sqlite {
    /// The writer ends after the queued use cases, also when the database was not closed.
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(unexpected)
}

#[cfg(test)]
mod tests;
