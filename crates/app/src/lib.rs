//! The use cases of Tenantry: one [`UseCase`] each, a file a noun.
//!
//! An operation loads the facts, lets the core decide, stores what follows and writes the change down (audit
//! entry and webhook events), all in one transaction. Nothing leaves the process before the commit.
//!
//! [`App`] is what a dialect holds: the store, the clock, and what is known of credentials.

pub mod access_tokens;
mod account_path;
mod anonymize;
pub mod api_keys;
pub mod archive;
pub mod bootstrap;
mod caller;
mod changes;
mod credentials;
pub mod cursors;
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
pub mod sub_accounts;
pub mod suspension;
pub mod team;
pub mod tokens;
pub mod webhooks;

pub use account_path::AccountPath;
pub use caller::{Caller, Principal, Requester};
pub use credentials::AuthenticationError;
pub use error::Error;
pub use secrets::{HashKey, KeyCheck, moments};
pub use tenantry_core::team::TeamPermission;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{ListQuery, Store, StoreError, Tx, UseCase};

use access_tokens::TokenUses;
use credentials::Credentials;
use idempotency::InFlight;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Hosts that the operator lets webhooks reach by plain HTTP, with their port where it is not the usual one.
pub type PlainHttpHosts = Arc<[String]>;

/// Tenantry without its wire: what every dialect calls.
pub struct App {
    store: Store,
    clock: Clock,
    hash_key: HashKey,
    credentials: Credentials,
    in_flight: InFlight,
    plain_http_hosts: PlainHttpHosts,
    token_uses: TokenUses,
    clock_off_ms: AtomicU64,
}

impl App {
    /// An application over an open database.
    #[must_use]
    pub fn new(store: Store, clock: Clock, hash_key: HashKey) -> Self {
        store.set_vault(Arc::new(hash_key.clone()));
        Self {
            store,
            clock,
            hash_key,
            credentials: Credentials::default(),
            in_flight: InFlight::default(),
            token_uses: TokenUses::default(),
            clock_off_ms: AtomicU64::new(0),
            plain_http_hosts: PlainHttpHosts::default(),
        }
    }

    /// The same with hosts that webhooks may reach by plain HTTP.
    #[must_use]
    pub fn with_plain_http_hosts(self, hosts: &[String]) -> Self {
        Self { plain_http_hosts: hosts.into(), ..self }
    }

    /// Hosts that webhooks may reach by plain HTTP.
    #[must_use]
    pub const fn plain_http_hosts(&self) -> &PlainHttpHosts {
        &self.plain_http_hosts
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
    pub async fn write<O: UseCase<Error = Error>>(&self, operation: O) -> Result<O::Output, Error> {
        self.store.write(operation).await
    }

    /// Looks for something: among the requests that look at few rows, or apart from them.
    async fn look<S: ListQuery>(&self, search: S, is_narrow: bool) -> Result<S::Output, Error> {
        if is_narrow {
            return Ok(search.run(&mut self.store.reader()?.tx()?).await?);
        }
        Ok(self.store.run_list_query(search).await?)
    }

    /// Whether the database takes a write, and keeps it. `tries` tells what happens meanwhile.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ready(&self, tries: &WriteAttempts) -> Result<(), StoreError> {
        self.store.write(Probe(tries.clone())).await
    }

    /// Compares the clock with the database's, where that has one; answers how far they are apart at least.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check_clock(&self) -> Result<Duration, StoreError> {
        let before = self.now().as_micros();
        let Some(theirs) = self.store.time().await? else { return Ok(Duration::ZERO) };
        let after = self.now().as_micros();
        // The answer is from some time between the two.
        let off = before.saturating_sub(theirs.as_micros()).max(theirs.as_micros().saturating_sub(after));
        let off = Duration::from_micros(u64::try_from(off).unwrap_or(0));
        self.clock_off_ms.store(u64::try_from(off.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(off)
    }

    /// Whether what is held until then can be held for as long as `needed`: what was taken slowly is left to
    /// whoever takes it next.
    #[must_use]
    pub fn has_time(&self, held_until: Timestamp, needed: Duration) -> bool {
        let needed = i64::try_from(needed.as_micros()).unwrap_or(i64::MAX);
        held_until.as_micros().saturating_sub(self.now().as_micros()) >= needed
    }

    /// How far the clock was from the database's when they were compared last.
    #[must_use]
    pub fn clock_off(&self) -> Duration {
        Duration::from_millis(self.clock_off_ms.load(Ordering::Relaxed))
    }
}

/// How often a write was tried.
#[derive(Debug, Clone, Default)]
pub struct WriteAttempts(Arc<AtomicU32>);

impl WriteAttempts {
    /// Whether it fails again and again. Twice may be: with others, and then alone.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 2
    }
}

/// A write that changes nothing but the time of the last one.
struct Probe(WriteAttempts);

impl UseCase for Probe {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        tx.installation_write_heartbeat(context.now()).await
    }
}
