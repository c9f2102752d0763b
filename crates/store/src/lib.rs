//! Where Tenantry remembers: the only place with SQL.
//!
//! A use case is an [`Operation`], written once and run by the engine in a transaction: SQLite runs many
//! in one physical transaction on its writer thread ([`sqlite`]). The queries (`tables`) are written once
//! too; they speak through [`Tx`], which knows the engine.
//!
//! Invariants: every query on a tenant's data names the organization; every uniqueness rule is a database
//! constraint as well, reported by its name ([`StoreError::Violated`]).

mod catalogue;
pub mod doctor;
mod error;
mod migrations;
mod rows;
mod snapshot;
mod sql;
pub mod sqlite;
mod tables;
mod tx;

pub use catalogue::{Catalogue, Column, ColumnKind, Table};
pub use error::StoreError;
pub use rows::{Field, Fields};
pub use snapshot::Snapshot;
pub use tables::{
    AccessTokenKey, AuditImages, AuditLine, Claim, CredentialOwner, CustomerFilter, CustomerKey, Edge,
    KeySpace, KeyUse, Keyset, MemberFilter, Order, OrganizationFilter, OrganizationKey, Page, Paged, Part,
    StoredAnswer, TokenUse, WaitingEvent, WebhookClaim, WebhookDelivery, WebhookDeliveryFilter,
    WebhookDeliveryShown, WebhookEventRow, WebhookLane, WebhookLaneDue,
};
pub use tx::Tx;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenantry_core::Moment;

/// A use case: everything that happens in one transaction. The engine may run it again after a conflict,
/// so it holds its input and changes nothing but the database.
pub trait Operation: Send + Sync + 'static {
    /// What it answers.
    type Output: Send + 'static;
    /// Why it can fail; its changes are then rolled back.
    type Error: From<StoreError> + Send + 'static;

    /// Does it.
    fn run(
        &self,
        tx: &mut Tx<'_>,
        moment: &mut Moment,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// A reading use case that may look at many rows: it runs apart from the requests that do not.
pub trait Search: Send + Sync + 'static {
    /// What it finds.
    type Output: Send + 'static;

    /// Looks.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// Seals what must be read again but is nobody's business: it stands in the database unreadable without
/// the installation's key.
pub trait Vault: Send + Sync {
    /// `text` so that only this vault reads it, and only as what was sealed for `about`.
    fn seal(&self, about: &[u8], text: &[u8]) -> Option<Vec<u8>>;

    /// What was sealed for `about`; nothing when it was not, or was tampered with.
    fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Makes the [`Moment`] of each transaction: the clock and the operating system's randomness.
pub type Moments = Arc<dyn Fn() -> Moment + Send + Sync>;

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

/// The database, whichever engine it is. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    sqlite: Arc<sqlite::Sqlite>,
}

impl Store {
    /// Runs `operation` in a transaction. When this returns `Ok`, the change is on disk.
    ///
    /// # Errors
    /// The operation's own, or [`StoreError::Unavailable`] when the database cannot take it now.
    pub async fn write<O: Operation>(&self, operation: O) -> Result<O::Output, O::Error> {
        self.sqlite.write(operation).await
    }

    /// A connection for reading what is committed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub fn reader(&self) -> Result<sqlite::Reader<'_>, StoreError> {
        self.sqlite.reader()
    }

    /// Runs a search, a few at a time and not for long.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it takes too long.
    pub async fn search<S: Search>(&self, search: S) -> Result<S::Output, StoreError> {
        Arc::clone(&self.sqlite).search(search).await
    }

    /// The count of changes to credentials made through this process.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        self.sqlite.generation()
    }

    /// Wakes the one who delivers webhooks: notified after each commit that left it something to do.
    #[must_use]
    pub fn webhooks_written(&self) -> &tokio::sync::Notify {
        self.sqlite.webhooks()
    }

    /// Woken when a mail is left to be sent through this process.
    #[must_use]
    pub fn mail_signal(&self) -> &tokio::sync::Notify {
        self.sqlite.mail()
    }

    /// Gives the store its vault, once; what is sealed cannot be read or written before.
    pub fn seal_with(&self, vault: Arc<dyn Vault>) {
        self.sqlite.seal_with(vault);
    }

    /// Finishes what is queued, writes the log back into the database, and closes it.
    pub async fn close(&self) {
        self.sqlite.close().await;
    }
}
