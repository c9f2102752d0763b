//! The use cases of Tenantry, one [`UseCase`] each, grouped in one file or folder for each noun.
//!
//! A use case loads facts, lets `tenantry_core` decide, and stores the result, its audit entry and its webhook
//! events in one transaction. Mail and webhooks are sent by the worker after the commit.
//!
//! [`App`] holds the store, the clock and the caches that all dialects share.

pub mod access_tokens;
mod account_path;
mod admission;
pub mod api_keys;
pub mod archive;
pub mod audit_log;
pub mod bootstrap;
mod caller;
mod changes;
pub mod conditional;
pub mod console;
mod console_sessions;
mod credentials;
pub mod cursors;
pub mod customers;
pub mod email_updates;
mod error;
mod expiry_notices;
pub mod idempotency;
pub mod imports;
pub mod invitations;
pub mod limits;
mod mails;
pub mod members;
pub mod operator;
pub mod organization_deletion;
pub mod organizations;
pub mod ownership;
mod pace;
pub mod people;
pub mod portal;
pub mod portal_sessions;
pub mod portal_sign_in;
mod retention;
pub mod rotation;
mod secrets;
pub mod sessions;
pub mod sub_accounts;
pub mod suspension;
pub mod team;
mod token_uses;
pub mod tokens;
mod users;
mod verified;
pub mod webhooks;

pub use account_path::AccountPath;
pub use caller::{Caller, Principal, RequestOrigin, Requester};
pub use credentials::{AuthenticationError, CacheReading};
pub use error::{Error, LimitReached};
pub use pace::Pace;
pub use retention::Retention;
pub use secrets::{HashKey, KeyCheck, moments};
pub use tenantry_core::team::TeamPermission;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tenantry_core::mail::MailLimits;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{ListQuery, Page, Store, StoreError, Tx, UseCase};
use tokio::sync::Notify;
use verified::Verified;

use credentials::CredentialCache;
use idempotency::InFlight;
use token_uses::TokenUses;

/// A source of the current time. Tests replace it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Hosts to which webhooks may be sent by plain HTTP, as `host` or `host:port` (default port 80). Set by the operator.
pub type PlainHttpHosts = Arc<[String]>;

/// The application without a wire format. Every dialect calls it.
pub struct App {
    store: Store,
    clock: Clock,
    hash_key: HashKey,
    credentials: CredentialCache,
    in_flight: InFlight,
    plain_http_hosts: PlainHttpHosts,
    mail_limits: MailLimits,
    retention: Retention,
    token_uses: TokenUses,
    clock_skew_ms: AtomicU64,
    doctor_asked: Notify,
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
            credentials: CredentialCache::default(),
            in_flight: InFlight::default(),
            token_uses: TokenUses::default(),
            clock_skew_ms: AtomicU64::new(0),
            doctor_asked: Notify::new(),
            plain_http_hosts: PlainHttpHosts::default(),
            mail_limits: MailLimits::default(),
            retention: Retention::default(),
        }
    }

    /// Allows plain HTTP webhooks to these hosts.
    #[must_use]
    pub fn with_plain_http_hosts(self, hosts: &[String]) -> Self {
        Self { plain_http_hosts: hosts.into(), ..self }
    }

    /// Sends at most these numbers of mails.
    #[must_use]
    pub fn with_mail_limits(self, mail_limits: MailLimits) -> Self {
        Self { mail_limits, ..self }
    }

    /// Keeps old rows for these times.
    #[must_use]
    pub fn with_retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Hosts to which webhooks may be sent by plain HTTP.
    #[must_use]
    pub const fn plain_http_hosts(&self) -> &PlainHttpHosts {
        &self.plain_http_hosts
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The database.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The key of secret hashes and seals.
    #[must_use]
    pub const fn hash_key(&self) -> &HashKey {
        &self.hash_key
    }

    /// Runs a use case for its requester. It fails if the requester's credential lost a right before the commit, so
    /// that a request that waited for the writer or for a lock does not act after a revocation was answered.
    ///
    /// # Errors
    /// The errors of the use case, [`Error::CallerUnknown`], [`Error::CallerSuspended`] or [`Error::CallerReduced`].
    pub async fn write_as<U: UseCase<Error = Error>>(
        &self,
        by: &Requester,
        use_case: U,
    ) -> Result<U::Output, Error> {
        let Some(caller) = by.authenticated() else { return self.store.write(use_case).await };
        let (caller, generation) = (Arc::clone(caller), Arc::clone(self.store.generation()));
        let (use_case, repeats) = (Arc::new(use_case), Arc::default());
        let verified = Verified { use_case, caller, generation, repeats };
        for _ in 1..limits::RUNS_WITH_CHANGED_CREDENTIAL {
            let outcome = self.store.write(verified.clone()).await;
            if outcome.is_ok() || !verified.repeats.load(Ordering::Relaxed) {
                return outcome;
            }
        }
        self.store.write(verified).await
    }

    /// Runs a use case of the operator or of the server itself in a write transaction. `Ok` means that the commit is
    /// on disk. A use case of a caller runs by [`App::write_as`].
    ///
    /// # Errors
    /// The errors of the use case.
    pub async fn write<U: UseCase<Error = Error>>(&self, use_case: U) -> Result<U::Output, Error> {
        self.store.write(use_case).await
    }

    /// Runs the query of a page of a list. It runs directly when its filter is selective and the page is near the
    /// beginning, else within the limits for list queries. Every list with page numbers runs here.
    async fn run_list<Q: ListQuery>(
        &self,
        query: Q,
        page: Page,
        is_selective: bool,
    ) -> Result<Q::Output, Error> {
        if is_selective && page.is_near_start() {
            return Ok(query.run(&mut self.store.reader()?.tx()?).await?);
        }
        Ok(self.store.run_list_query(query).await?)
    }

    /// Commits a write, to prove that the database accepts writes. `attempts` counts the tries, also while this
    /// still waits.
    ///
    /// # Errors
    /// When the write is not committed.
    pub async fn ready(&self, attempts: &WriteAttempts) -> Result<(), StoreError> {
        self.store.write(ReadinessProbe(attempts.clone())).await
    }

    /// Measures the difference between this node's clock and the database's. Returns a lower bound; zero for an
    /// engine without a clock of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check_clock(&self) -> Result<Duration, StoreError> {
        let before = self.now().as_micros();
        let Some(database) = self.store.time().await? else { return Ok(Duration::ZERO) };
        let after = self.now().as_micros();
        // The database read its clock at some time between `before` and `after`.
        let database = database.as_micros();
        let skew = before.saturating_sub(database).max(database.saturating_sub(after));
        let skew = Duration::from_micros(u64::try_from(skew).unwrap_or(0));
        self.clock_skew_ms.store(u64::try_from(skew.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(skew)
    }

    /// Whether a lease lasts for at least `needed` from now. A worker drops a lease that it got too late; another
    /// worker takes it after its end.
    #[must_use]
    pub fn lease_outlasts(&self, leased_until: Timestamp, needed: Duration) -> bool {
        let needed = i64::try_from(needed.as_micros()).unwrap_or(i64::MAX);
        leased_until.as_micros().saturating_sub(self.now().as_micros()) >= needed
    }

    /// The clock difference that [`App::check_clock`] measured last.
    #[must_use]
    pub fn clock_skew(&self) -> Duration {
        Duration::from_millis(self.clock_skew_ms.load(Ordering::Relaxed))
    }
}

/// Counts the attempts of the readiness write.
#[derive(Debug, Clone, Default)]
pub struct WriteAttempts(Arc<AtomicU32>);

impl WriteAttempts {
    /// Whether the write was attempted more than twice. Two attempts are normal: one in the fast lane, then one in the
    /// slow lane.
    #[must_use]
    pub fn is_repeated_failure(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 2
    }
}

/// Stores the time of the last readiness check.
struct ReadinessProbe(WriteAttempts);

impl UseCase for ReadinessProbe {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        tx.installation_write_heartbeat(context.now()).await
    }
}
