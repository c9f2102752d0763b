//! SQLite, embedded: the default engine.
//!
//! One thread writes ([`writer`]). It commits many use cases in one transaction, so one `fsync` serves a whole batch.
//! Parties take turns, so that the work of one delays no other for long ([`crate::turns`]).
//! Reads run on the threads of their callers and use a pool of connections ([`readers`]), except those that may take
//! some milliseconds: they run on threads of their own. A checkpoint thread copies the write-ahead log into the
//! database file and bounds its size ([`checkpoint`]).
//!
//! Invariants: the change of an answered write is on disk (`synchronous=FULL`); a use case that fails leaves no change
//! and does not disturb the others of its batch.

mod checkpoint;
pub(crate) mod driver;
mod gate;
mod large_reads;
mod log;
mod query_threads;
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::error::unexpected;
use crate::list_query_limiter::ListQueryLimiter;
use crate::readings::{EngineReading, StoreMeters, StoreReading};
use crate::signals::Signals;
use crate::turns::{LineKey, TurnQueue};
use crate::{ListQuery, Moments, StoreError, UseCase, Vault};
use driver::connect;
use gate::Gate;
use large_reads::LargeReads;
use log::{Log, LogLimits};
use query_threads::QueryThreads;
use readers::Readers;
use writer::Job;

/// The time limit of a list query or large read.
const LIST_QUERY: Duration = Duration::from_secs(5);
/// Runs of a list query: one more, if the first was interrupted to truncate the log.
const LIST_QUERY_RUNS: usize = 2;

/// An open SQLite database.
pub(crate) struct Sqlite {
    moments: Moments,
    signals: Arc<Signals>,
    queue: Arc<TurnQueue<Job>>,
    readers: Readers,
    log: Arc<Log>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    list_queries: ListQueryLimiter,
    query_threads: QueryThreads,
    large_reads: LargeReads,
    meters: Arc<StoreMeters>,
    vault: Arc<OnceLock<Arc<dyn Vault>>>,
}

impl Sqlite {
    /// Opens the database at `path`, creating and migrating it as needed.
    pub(crate) fn open(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        let mut writer = connect(path, OpenFlags::default())?;
        schema::migrate(&mut writer, &moments)?;
        Self::start(path, writer, moments, LogLimits::DEFAULT)
    }

    /// Opens the database at `path` without creating or migrating it.
    pub(crate) fn open_existing(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        let writer = connect(path, OpenFlags::default().difference(OpenFlags::SQLITE_OPEN_CREATE))?;
        schema::check(&writer)?;
        Self::start(path, writer, moments, LogLimits::DEFAULT)
    }

    fn start(
        path: &Path,
        mut writer: Connection,
        moments: Moments,
        limits: LogLimits,
    ) -> Result<Self, StoreError> {
        driver::delete_statistics(&writer)?;
        let queue = Arc::new(TurnQueue::default());
        let jobs = Arc::clone(&queue);
        let checkpointer = connect(path, OpenFlags::default())?;
        let log = Arc::new(Log::new(path, limits));
        let (writer_log, checkpoint_log) = (Arc::clone(&log), Arc::clone(&log));
        let meters = Arc::new(StoreMeters::default());
        let writer_meters = Arc::clone(&meters);
        let threads = vec![
            spawn("tenantry-write", move || {
                writer::write_all(&mut writer, &jobs, &writer_log, &writer_meters);
                writer_log.stop();
                checkpoint::finish(&writer);
            })?,
            spawn("tenantry-checkpoint", move || checkpoint::run(&checkpointer, &checkpoint_log))?,
        ];
        let vault = Arc::default();
        Ok(Self {
            moments,
            signals: Arc::default(),
            queue,
            readers: Readers::new(path.to_owned(), Arc::clone(&vault), Arc::clone(&log)),
            log,
            threads: Mutex::new(threads),
            list_queries: ListQueryLimiter::new(),
            query_threads: QueryThreads::start()?,
            large_reads: LargeReads::new(),
            meters,
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
        let queued = self.queue.push(line, Instant::now(), job);
        queued.inspect_err(|_| self.meters.refused_writes.increment())?;
        match outcome.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(foreign_await)) => Err(foreign_await.report().into()),
            Err(_) => Err(StoreError::Unavailable("the database is closed".into()).into()),
        }
    }

    pub(crate) fn reading(&self) -> StoreReading {
        let (list_queries_running, list_queries_waiting) = self.list_queries.load();
        StoreReading {
            commits: self.meters.commits.reading(),
            refused_writes: self.meters.refused_writes.value(),
            list_queries_running,
            list_queries_waiting,
            engine: EngineReading::Sqlite {
                queued: self.queue.waiting(),
                batches: self.meters.batches.reading(),
                log_bytes: self.log.size(),
            },
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
        let sqlite = Arc::clone(&self);
        let query = move || {
            let found = sqlite.run_within_limit(&query, &sqlite.log.list_queries);
            drop(permit);
            found
        };
        self.query_threads.run(query).await?
    }

    pub(crate) async fn run_large_read<Q: ListQuery>(
        self: Arc<Self>,
        query: Q,
    ) -> Result<Q::Output, StoreError> {
        let place = self.large_reads.admit(query.limited_as()).await?;
        let running = tokio::task::spawn_blocking(move || {
            let found = self.run_within_limit(&query, &self.log.large_reads);
            drop(place);
            found
        });
        running.await.map_err(unexpected)?
    }

    fn run_within_limit<Q: ListQuery>(&self, query: &Q, gate: &Gate) -> Result<Q::Output, StoreError> {
        for _ in 0..LIST_QUERY_RUNS {
            let made_room = Arc::new(AtomicBool::new(false));
            let _inside = gate.enter();
            let found = self.run_until_interrupted(query, Arc::clone(&made_room));
            if found.is_ok() || !made_room.load(Ordering::Relaxed) {
                return found;
            }
        }
        Err(StoreError::Unavailable("it was interrupted because the write-ahead log is full".into()))
    }

    /// Runs a query to its end or the time limit. Sets `made_room` when it was interrupted to truncate the log.
    fn run_until_interrupted<Q: ListQuery>(
        &self,
        query: &Q,
        made_room: Arc<AtomicBool>,
    ) -> Result<Q::Output, StoreError> {
        let mut reader = self.reader()?;
        let (log, deadline) = (Arc::clone(&self.log), Instant::now() + LIST_QUERY);
        reader.set_interrupt(Some(move || {
            let makes_room = log.interrupts_queries.load(Ordering::Relaxed);
            made_room.fetch_or(makes_room, Ordering::Relaxed);
            makes_room || Instant::now() > deadline
        }))?;
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
            // The writer is first, and has stopped the log unless it panicked.
            self.log.stop();
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
