//! Where Tenantry remembers: the only place with SQL.
//!
//! A use case is an [`UseCase`], written once and run by the engine in a transaction: SQLite runs many
//! in one physical transaction on its writer thread ([`sqlite`]). The queries (`tables`) are written once
//! too; they speak through [`Tx`], which knows the engine. [`postgres`] is the engine of many nodes.
//!
//! Invariants: every query on a tenant's data names the organization; every uniqueness rule is a database
//! constraint as well, reported by its name ([`StoreError::Violated`]).

mod catalogue;
mod company;
pub mod doctor;
mod error;
mod migrations;
pub mod postgres;
mod queries;
mod reader;
mod rows;
mod searches;
mod snapshot;
mod sql;
pub mod sqlite;
mod tx;

pub use catalogue::{Catalog, Column, ColumnKind, Table};
pub use company::PeerChannel;
pub use error::StoreError;
pub use queries::{
    AccessTokenKey, AuditImages, AuditRecord, CredentialOwner, CustomerFilter, CustomerKey, DeliveryQueue,
    DueQueue, Edge, IdempotencyClaim, IdempotencyNamespace, IdempotencyState, Keyset, KeysetPage,
    LeasedDelivery, MemberConflicts, MemberFilter, Order, OrganizationFilter, OrganizationKey, Page, Paged,
    PendingEvent, StoredResponse, TokenUse, WebhookDelivery, WebhookDeliveryFilter, WebhookDeliveryShown,
    WebhookEventRow,
};
pub use reader::Reader;
pub use rows::{Field, Fields};
pub use snapshot::Snapshot;
pub use tx::Tx;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenantry_core::ids::OrganizationId;
use tenantry_core::{ExecutionContext, Timestamp};

/// A use case: everything that happens in one transaction. The engine may run it again after a conflict,
/// so it holds its input and changes nothing but the database.
pub trait UseCase: Send + Sync + 'static {
    /// What it answers.
    type Output: Send + 'static;
    /// Why it can fail; its changes are then rolled back.
    type Error: From<StoreError> + Send + 'static;
    /// Whether it may change very many rows, or hold some for long. An engine may run it apart from others;
    /// nothing but speed depends on the answer.
    const IS_LONG: bool = false;

    /// Does it.
    fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// The organization whose rows it changes, where that is known before it runs. An engine may run the
    /// operations of one organization one after the other; nothing but speed depends on the answer.
    fn organization(&self) -> Option<OrganizationId> {
        None
    }
}

/// A reading use case that may look at many rows: it runs apart from the requests that do not.
pub trait ListQuery: Send + Sync + 'static {
    /// What it finds.
    type Output: Send + 'static;

    /// Looks.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;

    /// In whose rows it looks, or in whose first: the searches of one organization leave places for others.
    fn organization(&self) -> Option<OrganizationId> {
        None
    }
}

/// Seals what must be read again but is nobody's business: it stands in the database unreadable without
/// the installation's key.
pub trait Vault: Send + Sync {
    /// `text` so that only this vault reads it, and only as what was sealed for `about`.
    fn seal(&self, about: &[u8], text: &[u8]) -> Option<Vec<u8>>;

    /// What was sealed for `about`; nothing when it was not, or was tampered with.
    fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Makes the [`ExecutionContext`] of each transaction: the clock and the operating system's randomness.
pub type Moments = Arc<dyn Fn() -> ExecutionContext + Send + Sync>;

/// Counts the changes that can take a right away from a credential. Whoever remembers a credential
/// remembers the count it was read at, and stops believing it when the count has moved.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// The count now.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(Arc<postgres::Postgres>),
}

/// The database, whichever engine it is. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
}

impl Store {
    fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Runs `operation` in a transaction. When this returns `Ok`, the change is on disk.
    ///
    /// # Errors
    /// The operation's own, [`StoreError::Unavailable`] when the database cannot take it now, or
    /// [`StoreError::InDoubt`] when it was lost on the way.
    pub async fn write<O: UseCase>(&self, operation: O) -> Result<O::Output, O::Error> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(operation).await,
            Engine::Postgres(postgres) => postgres.write(operation).await,
        }
    }

    /// A connection for reading what is committed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub fn reader(&self) -> Result<Reader<'_>, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Ok(Reader::sqlite(sqlite.reader()?)),
            Engine::Postgres(postgres) => Ok(Reader::postgres(postgres)),
        }
    }

    /// Runs a search, a few at a time and not for long.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it takes too long, or too many wait for it already.
    pub async fn search<S: ListQuery>(&self, search: S) -> Result<S::Output, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Arc::clone(sqlite).search(search).await,
            Engine::Postgres(postgres) => postgres.search(&search).await,
        }
    }

    /// What time it is where the database is; nothing where that is here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.time().await.map(Some),
        }
    }

    /// Whether the database answers, and may be written to as far as that can be told without writing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_writable(&self) -> Result<bool, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.reader().map(|_| true),
            Engine::Postgres(postgres) => postgres.is_writable().await,
        }
    }

    /// The count of changes to credentials that this process made, or heard of.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.generation(),
            Engine::Postgres(postgres) => postgres.generation(),
        }
    }

    /// The other processes on this database, where there can be some and they can be told anything.
    #[must_use]
    pub fn company(&self) -> Option<PeerChannel> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => postgres.company(),
        }
    }

    /// Wakes the one who delivers webhooks: notified after each commit that left it something to do.
    #[must_use]
    pub fn webhooks_written(&self) -> &tokio::sync::Notify {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.webhooks(),
            Engine::Postgres(postgres) => postgres.webhooks(),
        }
    }

    /// Woken when a mail is left to be sent through this process.
    #[must_use]
    pub fn mail_signal(&self) -> &tokio::sync::Notify {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.mail(),
            Engine::Postgres(postgres) => postgres.mail(),
        }
    }

    /// Gives the store its vault, once; what is sealed cannot be read or written before.
    pub fn set_vault(&self, vault: Arc<dyn Vault>) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.set_vault(vault),
            Engine::Postgres(postgres) => postgres.set_vault(vault),
        }
    }

    /// Spreads the tenants over the shards of a cluster, where they are not yet; answers with the tables that
    /// were spread.
    ///
    /// # Errors
    /// When the database cannot: it is no PostgreSQL, or has no Citus.
    pub async fn distribute(&self) -> Result<Vec<String>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => {
                Err(StoreError::Unavailable("a file has no shards: that takes PostgreSQL with Citus".into()))
            }
            Engine::Postgres(postgres) => postgres.distribute().await,
        }
    }

    /// Finishes what is queued and closes the database.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}
