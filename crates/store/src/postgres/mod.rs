//! PostgreSQL: the engine for several nodes.
//!
//! Reads share a few connections and are pipelined on them (`readers`). A use case is one transaction (`transaction`)
//! on one connection of a lane (`lanes`), and runs again after a conflict (`writer`). Transactions are
//! `READ COMMITTED`: use cases lock the rows that a decision depends on, and constraints protect the rest.
//!
//! Invariants:
//! - A write whose caller got a success is committed.
//! - A use case never runs again if its commit may have happened.
//! - Behind a pooler, no setting outlasts its transaction.

mod connection;
mod distribute;
mod faults;
mod lanes;
mod limits;
mod listen;
mod reach;
pub(crate) mod readers;
mod schema;
pub(crate) mod session;
mod shared;
mod snapshot;
mod target;
mod tls;
mod transaction;
pub(crate) mod values;
mod violations;
mod workers;
mod writer;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tenantry_core::Timestamp;
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::sync::{Mutex as Turn, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::error::unexpected;
use crate::list_query_limiter::ListQueryLimiter;
use crate::peers::{PeerBroadcast, PeerChannel};
use crate::readings::{EngineReading, StoreMeters, StoreReading};
use crate::signals::Signals;
use crate::{ListQuery, Moments, StoreError, Tx, UseCase, Vault};
use lanes::Lanes;
use readers::Readers;
use session::Session;
use shared::Shared;
use transaction::{Mode, Transaction};
use writer::{Attempts, Job};

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

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    lanes: Arc<Lanes>,
    /// Each running use case has a clone. `None` once the store is closed.
    running: Mutex<Option<mpsc::Sender<()>>>,
    /// Ends when no use case runs any more.
    idle: Turn<mpsc::Receiver<()>>,
    readers: Readers,
    list_queries: ListQueryLimiter,
    workers: workers::WorkerProbe,
    listener: Option<JoinHandle<()>>,
    _own_runtime: Option<OwnRuntime>,
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
            meters: StoreMeters::default(),
            vault: OnceLock::new(),
            attempts: Mutex::default(),
            lists: Mutex::default(),
            connecting: Arc::new(Semaphore::new(limits::CONNECTING)),
            notice: format!("NOTIFY {}, '{node}'", listen::CHANNEL),
            node,
        });
        let opening = Arc::clone(&shared);
        let prepared = shared.runtime.spawn(async move {
            let connection = opening.connect(limits::PATIENT).await?.for_whole_tables();
            match migrate {
                Migrate::Yes => schema::migrate(&connection, &opening.moments).await?,
                Migrate::No => schema::check(&connection).await?,
            }
            if opening.target.pooled {
                schema::look_at_limits(&connection).await?;
            }
            Ok::<_, StoreError>(())
        });
        prepared.await.map_err(unexpected)??;
        let listener = if shared.target.pooled { None } else { Some(listen::start(&shared, told).await) };
        let (running, idle) = mpsc::channel(1);
        let lanes = Arc::new(Lanes::new(shared.target.writers));
        let readers = Readers::new(Arc::clone(&shared), Arc::clone(&lanes));
        Ok(Self {
            lanes,
            running: Mutex::new(Some(running)),
            idle: Turn::new(idle),
            shared,
            readers,
            list_queries: ListQueryLimiter::new(),
            workers: workers::WorkerProbe::default(),
            listener,
            _own_runtime: own_runtime,
        })
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.shared.signals
    }

    pub(crate) fn reading(&self) -> StoreReading {
        let (list_queries_running, list_queries_waiting) = self.list_queries.load();
        let meters = &self.shared.meters;
        StoreReading {
            commits: meters.commits.reading(),
            refused_writes: meters.refused_writes.value(),
            list_queries_running,
            list_queries_waiting,
            engine: EngineReading::Postgres { lanes: self.lanes.readings(), retries: meters.retries() },
        }
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

    pub(crate) async fn write<U: UseCase>(&self, use_case: U) -> Result<U::Output, U::Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let running = running.ok_or_else(|| StoreError::Unavailable("it is closed".into()))?;
        let party = use_case.party().limited_as.unwrap_or_default();
        let (job, answer) = writer::job(use_case);
        let _waits = self.spawn_attempts(party, U::IS_LONG, job, running);
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it is closed".into()).into()))
    }

    /// Runs a job in a task. The caller stops waiting by dropping the result; an attempt that has begun is completed all
    /// the same.
    fn spawn_attempts(
        &self,
        party: Uuid,
        is_long: bool,
        job: Box<dyn Job>,
        running: mpsc::Sender<()>,
    ) -> oneshot::Sender<()> {
        let (waits, given_up) = oneshot::channel();
        let (shared, lanes) = (Arc::clone(&self.shared), Arc::clone(&self.lanes));
        let attempts = Attempts { shared, lanes, party, is_long };
        self.shared.runtime.spawn(async move {
            attempts.run(job, given_up).await;
            drop(running);
        });
        waits
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

    pub(crate) async fn run_list_query<Q: ListQuery>(&self, query: Q) -> Result<Q::Output, StoreError> {
        let permit = self.list_queries.admit(query.limited_as()).await?;
        let shared = Arc::clone(&self.shared);
        // If the caller stops waiting, the permit is kept until the database has ended the transaction. So a caller
        // that cancels and repeats queries cannot exceed the limit.
        let (_waits, given_up) = oneshot::channel::<()>();
        let running = self.shared.runtime.spawn(async move {
            let _permit = permit;
            let known = shared.lists().pop().filter(|known| !known.is_lost());
            let connection = match known {
                Some(connection) => connection,
                None => Arc::new(shared.connect(limits::LIST_QUERY).await?),
            };
            let mut transaction = Transaction::new(Arc::clone(&connection), Mode::ListQuery);
            let session = Session::Searching(&mut transaction);
            let mut tx = Tx::postgres(session, shared.vault());
            let found = tokio::select! {
                biased;
                found = query.run(&mut tx) => found,
                _ = given_up => Err(StoreError::Unavailable("nobody waits for it".into())),
            };
            transaction.roll_back().await;
            if !connection.is_lost() {
                shared.lists().push(connection);
            }
            found
        });
        running.await.map_err(unexpected)?
    }

    pub(crate) async fn distribute_tables(&self) -> Result<Vec<String>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let work = self.shared.runtime.spawn(async move {
            let connection = shared.connect(limits::MIGRATION).await?.for_whole_tables();
            distribute::distribute(&connection).await
        });
        work.await.map_err(unexpected)?
    }

    pub(crate) async fn close(&self) {
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take());
        while self.idle.lock().await.recv().await.is_some() {}
        self.lanes.close();
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        self.shared.lists().clear();
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
