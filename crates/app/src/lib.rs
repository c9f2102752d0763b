//! The use cases of Tenantry: one [`Operation`] each, a file a noun.
//!
//! An operation loads the facts, lets the core decide, stores what follows and appends the audit entry, all
//! in one transaction. Nothing leaves the process before the commit.
//!
//! [`App`] is what a dialect holds: the store, the clock, and what is known of credentials.

mod audit;
pub mod bootstrap;
mod caller;
mod credentials;
pub mod customers;
pub mod email_updates;
mod error;
pub mod idempotency;
pub mod limits;
mod mails;
pub mod members;
pub mod organizations;
pub mod portal;
mod secrets;
pub mod sessions;
pub mod team;
pub mod tokens;

pub use caller::{Caller, Requester, Subject};
pub use error::{Error, Right};
pub use secrets::{HashKey, KeyCheck, moments};

use std::sync::Arc;

use tenantry_core::Timestamp;
use tenantry_store::{Operation, Store, StoreError};

use credentials::Credentials;
use idempotency::InFlight;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Tenantry without its wire: what every dialect calls.
pub struct App {
    store: Store,
    clock: Clock,
    hash_key: HashKey,
    credentials: Credentials,
    in_flight: InFlight,
}

impl App {
    /// An application over an open database.
    #[must_use]
    pub fn new(store: Store, clock: Clock, hash_key: HashKey) -> Self {
        Self { store, clock, hash_key, credentials: Credentials::default(), in_flight: InFlight::default() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The database, for reading.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The key that secrets are hashed with.
    #[must_use]
    pub const fn hash_key(&self) -> &HashKey {
        &self.hash_key
    }

    /// Runs an operation that changes something. When this returns `Ok`, the change is on disk.
    ///
    /// # Errors
    /// The operation's own.
    pub async fn write<O: Operation<Error = Error>>(&self, operation: O) -> Result<O::Output, Error> {
        self.store.write(operation).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.reader()?.tx()?.any_organization().await.map(|_| ())
    }
}
