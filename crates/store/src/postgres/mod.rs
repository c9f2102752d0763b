//! PostgreSQL: the engine for several nodes.
//!
//! Reads share a few connections and are pipelined on them (`readers`). Writes are queued for a few writers, each
//! with its own connection (`writer`). A use case that meets a lock conflict leaves its batch for an isolated retry
//! (`alone`). Transactions are `READ COMMITTED`: use cases lock the rows that a decision depends on, and constraints
//! protect the rest.
//!
//! Invariants:
//! - A write whose caller got a success is committed.
//! - A use case never runs again if its commit may have happened.
//! - Behind a pooler, no setting outlasts its transaction.

mod alone;
mod cancel;
mod connection;
mod distribute;
mod hosts;
mod job;
mod limits;
mod listen;
mod reach;
pub(crate) mod readers;
mod schema;
pub(crate) mod session;
mod shared;
mod silence;
mod snapshot;
mod target;
mod tls;
pub(crate) mod values;
mod violations;
mod workers;
mod writer;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex as Turn, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::error::unexpected;
use crate::list_query_limiter::{ListQueryLimiter, ListQueryPermit};
use crate::peers::{PeerBroadcast, PeerChannel};
use crate::signals::Signals;
use crate::{ListQuery, Moments, StoreError, Tx, UseCase, Vault};
use connection::Connection;
use job::AnyJob;
use readers::Readers;
use session::{Mode, NotCommitted, Session};
use shared::Shared;

#[cfg(test)]
pub(crate) use connection::PLANNING;
pub(crate) use snapshot::Snapshot;
pub use target::{Target, UrlError};

/// The handling of an outdated schema when a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Apply the missing migrations.
    Yes,
    /// Fail to open the database.
    No,
}

/// The queues of the writers.
struct Queues {
    /// One for each writer.
    writers: Vec<mpsc::Sender<AnyJob>>,
    long: mpsc::Sender<AnyJob>,
}

/// Starts the tasks of the writers and of the isolated retries.
fn writing(shared: &Arc<Shared>) -> (Queues, Vec<JoinHandle<()>>) {
    let (alone, left) = mpsc::channel(limits::QUEUE);
    let mut tasks = vec![shared.runtime.spawn(alone::run_all(Arc::clone(shared), left))];
    let (long, jobs) = mpsc::channel(limits::QUEUE);
    let jobs = Arc::new(Turn::new(jobs));
    for _ in 0..limits::LONG {
        let write = writer::write_long(Arc::clone(shared), Arc::clone(&jobs), alone.clone());
        tasks.push(shared.runtime.spawn(write));
    }
    let mut writers = Vec::new();
    for _ in 0..shared.target.writers {
        let (queue, jobs) = mpsc::channel(limits::QUEUE);
        writers.push(queue);
        tasks.push(shared.runtime.spawn(writer::write_all(Arc::clone(shared), jobs, alone.clone())));
    }
    (Queues { writers, long }, tasks)
}

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    queues: Mutex<Option<Queues>>,
    next: AtomicUsize,
    readers: Readers,
    list_queries: ListQueryLimiter,
    list_connections: Mutex<Vec<Arc<Connection>>>,
    workers: workers::WorkerProbe,
    writers: Mutex<Vec<JoinHandle<()>>>,
    listener: Option<JoinHandle<()>>,
    _own_runtime: Option<OwnRuntime>,
}

/// A list query in progress. If its caller stops waiting, it keeps its permit until the database has ended its
/// transaction. So a caller that cancels and repeats queries cannot exceed the limit.
struct UnderWay(Option<(session::Transaction, ListQueryPermit)>, Handle);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((transaction, place)) = self.0.take() {
            self.1.spawn(async move {
                transaction.roll_back().await;
                drop(place);
            });
        }
    }
}

/// A runtime that can be dropped inside a task of another runtime.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> Result<OwnRuntime, StoreError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.worker_threads(2).thread_name("tenantry-postgres").enable_all().build();
    built.map(|own| OwnRuntime(Some(own))).map_err(unexpected)
}

impl Postgres {
    /// Opens a database.
    ///
    /// # Errors
    /// When no host can be reached, or the schema is newer than this program, or older and `migrate` is
    /// [`Migrate::No`].
    pub(crate) async fn open(target: Target, migrate: Migrate, moments: Moments) -> Result<Self, StoreError> {
        // On a single-threaded runtime, a caller that blocks would also stop the connections: they get their own.
        let outer = Handle::try_current().ok();
        let outer = outer.filter(|outer| outer.runtime_flavor() == RuntimeFlavor::MultiThread);
        let own_runtime = if outer.is_none() { Some(runtime()?) } else { None };
        let runtime =
            own_runtime.as_ref().and_then(|own| own.0.as_ref()).map(|own| own.handle().clone()).or(outer);
        let runtime = runtime.ok_or_else(|| unexpected("no runtime"))?;
        // Nodes ignore notices with their own name. Should two share one, their caches expire after 500 ms anyway.
        let node = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (gossip, told) = PeerBroadcast::new();
        let shared = Arc::new(Shared {
            target,
            runtime,
            moments,
            gossip,
            signals: Signals::default(),
            vault: OnceLock::new(),
            failed: Mutex::default(),
            connecting: Arc::new(Semaphore::new(limits::CONNECTING)),
            notice: format!("NOTIFY {}, '{node}'", listen::CHANNEL),
            node,
        });
        let opening = Arc::clone(&shared);
        let prepared = shared.runtime.spawn(async move {
            let connection = opening.connect().await?;
            match migrate {
                Migrate::Yes => schema::migrate(&connection, &opening.moments).await?,
                Migrate::No => schema::check(&connection).await?,
            }
            if opening.target.pooled {
                schema::look_at_limits(&connection).await?;
            }
            Ok::<_, StoreError>(Arc::new(connection))
        });
        let first = prepared.await.map_err(unexpected)??;
        let listener = if shared.target.pooled { None } else { Some(listen::start(&shared, told).await) };
        let (queues, writers) = writing(&shared);
        let readers = Readers::new(Arc::clone(&shared), first);
        Ok(Self {
            shared,
            queues: Mutex::new(Some(queues)),
            next: AtomicUsize::new(0),
            readers,
            list_queries: ListQueryLimiter::new(),
            list_connections: Mutex::default(),
            workers: workers::WorkerProbe::default(),
            writers: Mutex::new(writers),
            listener,
            _own_runtime: own_runtime,
        })
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.shared.signals
    }

    pub(crate) const fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The channel to the other nodes. `None` behind a pooler, where `LISTEN` does not work.
    pub(crate) fn peers(&self) -> Option<PeerChannel> {
        self.listener.as_ref().map(|_| self.shared.gossip.channel())
    }

    pub(crate) fn set_vault(&self, vault: Arc<dyn Vault>) {
        if self.shared.vault.set(vault).is_err() {
            tracing::warn!("the store keeps the vault that it has");
        }
    }

    pub(crate) async fn write<O: UseCase>(&self, operation: O) -> Result<O::Output, O::Error> {
        let near = operation.party().organization;
        let (job, answer) = job::job(&self.shared, operation);
        {
            let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let queues = queues.as_ref().ok_or_else(|| StoreError::Unavailable("it is closed".into()))?;
            let queue = if O::IS_LONG { &queues.long } else { self.writer(&queues.writers, near)? };
            queue.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Unavailable("too many writes are waiting".into()),
                TrySendError::Closed(_) => StoreError::Unavailable("its writer has stopped".into()),
            })?;
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it is closed".into()).into()))
    }

    /// The queue of one writer. All use cases of an organization go to the same writer, so that they do not wait for
    /// each other's row locks.
    fn writer<'q>(
        &self,
        writers: &'q [mpsc::Sender<AnyJob>],
        near: Option<OrganizationId>,
    ) -> Result<&'q mpsc::Sender<AnyJob>, StoreError> {
        let near = near.map(|near| near.uuid().as_u64_pair().1);
        let turn = near.and_then(|near| usize::try_from(near % 65_536).ok());
        let turn = turn.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
        let queue = turn.checked_rem(writers.len()).and_then(|turn| writers.get(turn));
        queue.ok_or_else(|| unexpected("no writer"))
    }

    fn tx(&self) -> Tx<'_> {
        Tx::postgres(Session::Reading(&self.readers), self.readers.vault())
    }

    /// The time of the database server's clock.
    pub(crate) async fn time(&self) -> Result<Timestamp, StoreError> {
        let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
        let micros = self.tx().first(sql, &[], |row| row.get::<i64>(0)).await?;
        micros.map(Timestamp::from_micros).ok_or_else(|| unexpected("the database server has no time"))
    }

    /// Whether the database accepts writes. A standby or a read-only database does not.
    pub(crate) async fn is_writable(&self) -> Result<bool, StoreError> {
        // With Citus, a worker that hangs can delay the shared connections.
        if let Some(is_writable) = self.workers.is_writable(&self.shared).await? {
            return Ok(is_writable);
        }
        let sql = "SELECT current_setting('transaction_read_only')";
        Ok(self.tx().first(sql, &[], |row| row.get::<String>(0)).await?.as_deref() == Some("off"))
    }

    /// The number of workers of Citus that do not answer.
    pub(crate) async fn lost_servers(&self) -> Result<usize, StoreError> {
        self.workers.lost(&self.shared).await
    }

    pub(crate) async fn run_list_query<Q: ListQuery>(&self, query: &Q) -> Result<Q::Output, StoreError> {
        let place = self.list_queries.admit(query.limited_as()).await?;
        let known = self.list_connections.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match known.filter(|known| !known.is_lost()) {
            Some(connection) => connection,
            None => Arc::new(self.shared.connect().await?),
        };
        let transaction = session::Transaction::new(Arc::clone(&connection), Mode::ListQuery);
        let mut under_way = UnderWay(Some((transaction, place)), self.shared.runtime.clone());
        let Some((transaction, _)) = &mut under_way.0 else { return Err(unexpected("no transaction")) };
        let session = Session::Searching(transaction);
        let found = query.run(&mut Tx::postgres(session, self.shared.vault())).await;
        let Some((transaction, _place)) = under_way.0.take() else { return found };
        if found.is_err() {
            transaction.roll_back().await;
        } else if let Err(NotCommitted::Undone(..) | NotCommitted::Unknown(_)) =
            transaction.commit(None).await
        {
            connection.give_up();
        }
        // Not reached if the caller stopped waiting: that connection is not reused.
        if !connection.is_lost() {
            self.list_connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        found
    }

    pub(crate) async fn distribute_tables(&self) -> Result<Vec<String>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let work = self.shared.runtime.spawn(async move {
            let patience = Duration::from_millis(limits::MIGRATION_MS);
            let connection = shared.connect().await?.answers_within(patience);
            distribute::distribute(&connection).await
        });
        work.await.map_err(unexpected)?
    }

    pub(crate) async fn close(&self) {
        drop(self.queues.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            if writer.await.is_err() {
                tracing::error!("a writer ended in a panic");
            }
        }
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        self.list_connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.readers.close().await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}
