//! Authentication of bearer tokens, with a cache of verified credentials.
//!
//! | state of an entry | condition | effect |
//! |---|---|---|
//! | fresh | same generation as the store, younger than [`limits::CREDENTIAL_CACHE_TTL_MS`] | used without a query |
//! | outdated | a credential or team changed since: the store's generation is higher | loaded again |
//! | old | older than the limit | loaded again |
//! | expired | the credential's own `expires_at` has passed | refused |
//!
//! [`tenantry_store::Generation`] rises with each commit on this node that may change a credential, and with each
//! notice of such a commit on another node. A lost notice therefore costs at most the time limit. Generation and
//! clock are read before the database, so that a change during the query makes the new entry outdated. The cache
//! holds hashes of secrets, never secrets.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tenantry_core::Timestamp;
use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_meter::Counter;
use tenantry_store::{CredentialOwner, Generation, ListQuery, StoreError, Tx};
use tokio::sync::{Mutex, MutexGuard};

use crate::{App, Caller, Principal, limits};

/// The reason why a bearer token is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is malformed, unknown, revoked or expired.
    #[error("the token is unknown, revoked or expired")]
    Unknown,
    /// Its organization or that organization's parent is suspended.
    #[error("the organization is suspended")]
    Suspended,
    /// The database failed, so that the token could not be checked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
pub(crate) struct CredentialCache {
    entries: RwLock<HashMap<TokenHash, Arc<Caller>>>,
    /// Locks for the look-ups of persons' tokens, by hash. So several requests with one token cause one look-up, and
    /// leave places for the look-ups of other persons.
    lookups: [Mutex<()>; LOOKUP_LOCKS],
    hits: Counter,
    misses: Counter,
}

/// The number of authentications that found their credential in the cache, and of those that read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheReading {
    /// Authentications without a query.
    pub hits: u64,
    /// Authentications that read the credential from the database.
    pub misses: u64,
}

/// The number of locks for look-ups of persons' tokens.
const LOOKUP_LOCKS: usize = 32;

/// A look-up of a credential: the state that it saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verification {
    pub(crate) hash: TokenHash,
    /// The store's generation, read before the database.
    pub(crate) generation: u64,
    started: Instant,
}

impl Verification {
    /// A look-up that starts now.
    pub(crate) fn start(hash: TokenHash, generation: &Generation) -> Self {
        Self { hash, generation: generation.current(), started: Instant::now() }
    }

    /// Whether so little time has passed that a lost notice from another node is accepted.
    pub(crate) fn is_recent(&self) -> bool {
        self.started.elapsed() < Duration::from_millis(limits::CREDENTIAL_CACHE_TTL_MS)
    }
}

impl CredentialCache {
    fn get(&self, hash: &TokenHash, generation: u64) -> Option<Arc<Caller>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(hash)?;
        let verification = found.verification();
        (verification.generation == generation && verification.is_recent()).then(|| Arc::clone(found))
    }

    /// The lock for the look-up of this hash.
    async fn lock(&self, TokenHash(hash): &TokenHash) -> Option<MutexGuard<'_, ()>> {
        let number = hash.first().map_or(0, |byte| usize::from(*byte) % LOOKUP_LOCKS);
        Some(self.lookups.get(number)?.lock().await)
    }

    fn insert(&self, caller: &Arc<Caller>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= limits::CREDENTIAL_CACHE_ENTRIES {
            entries.clear();
        }
        entries.insert(caller.verification().hash, Arc::clone(caller));
    }
}

/// The look-up of a person's token. It reads the person's role in each of their organizations, which may be many.
struct PersonQuery {
    hash: TokenHash,
    now: Timestamp,
}

impl ListQuery for PersonQuery {
    type Output = Option<CredentialOwner>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<CredentialOwner>, StoreError> {
        tx.credential_owner(&self.hash, self.now).await
    }
}

impl App {
    /// The use of the cache of credentials so far.
    #[must_use]
    pub fn credential_cache(&self) -> CacheReading {
        CacheReading { hits: self.credentials.hits.value(), misses: self.credentials.misses.value() }
    }

    /// The caller of a bearer token.
    ///
    /// # Errors
    /// When the token is refused, or when the database fails.
    pub async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, AuthenticationError> {
        let kind = Secret::recognize(bearer).filter(|kind| kind.is_credential());
        self.authenticate_as(bearer, kind.ok_or(AuthenticationError::Unknown)?).await
    }

    /// The caller of the same credential, as it is now.
    ///
    /// # Errors
    /// When the credential is refused by now, or when the database fails.
    pub async fn authenticate_again(&self, caller: &Caller) -> Result<Arc<Caller>, AuthenticationError> {
        let is_person = matches!(caller.principal, Principal::User { .. });
        self.authenticate_hash(caller.verification().hash, is_person).await
    }

    /// The caller of a session of the console: a person, as with the person's own token.
    ///
    /// # Errors
    /// When the session is unknown or has ended, or when the database fails.
    pub async fn authenticate_session(&self, secret: &str) -> Result<Arc<Caller>, AuthenticationError> {
        match Secret::recognize(secret) {
            Some(SecretKind::ConsoleSession) => {
                self.authenticate_as(secret, SecretKind::ConsoleSession).await
            }
            _ => Err(AuthenticationError::Unknown),
        }
    }

    async fn authenticate_as(
        &self,
        secret: &str,
        kind: SecretKind,
    ) -> Result<Arc<Caller>, AuthenticationError> {
        let is_person = matches!(kind, SecretKind::UserToken | SecretKind::ConsoleSession);
        self.authenticate_hash(self.hash_key.hash(secret), is_person).await
    }

    async fn authenticate_hash(
        &self,
        hash: TokenHash,
        is_person: bool,
    ) -> Result<Arc<Caller>, AuthenticationError> {
        // Read before the database: a change during the query makes the new entry outdated.
        let verification = Verification::start(hash, self.store.generation());
        let now = self.now();
        if let Some(cached) = self.cached(&verification, now) {
            self.credentials.hits.increment();
            return cached;
        }
        self.credentials.misses.increment();
        if is_person {
            return self.authenticate_person(hash).await;
        }
        let owner = self.store.reader()?.tx()?.credential_owner(&hash, now).await?;
        self.verified(owner, verification, now)
    }

    /// The caller of a person's token that is not cached. An unknown token costs one point look-up and no place for a
    /// large read.
    async fn authenticate_person(&self, hash: TokenHash) -> Result<Arc<Caller>, AuthenticationError> {
        if self.store.reader()?.tx()?.secret_subject(&hash).await?.is_none() {
            return Err(AuthenticationError::Unknown);
        }
        let _lock = self.credentials.lock(&hash).await;
        let verification = Verification::start(hash, self.store.generation());
        let now = self.now();
        if let Some(cached) = self.cached(&verification, now) {
            return cached;
        }
        let owner = self.store.run_large_read(PersonQuery { hash, now }).await?;
        self.verified(owner, verification, now)
    }

    fn cached(
        &self,
        verification: &Verification,
        now: Timestamp,
    ) -> Option<Result<Arc<Caller>, AuthenticationError>> {
        let caller = self.credentials.get(&verification.hash, verification.generation)?;
        Some(if caller.is_valid_at(now) { Ok(caller) } else { Err(AuthenticationError::Unknown) })
    }

    /// The caller that a look-up found. Adds it to the cache.
    fn verified(
        &self,
        owner: Option<CredentialOwner>,
        verification: Verification,
        now: Timestamp,
    ) -> Result<Arc<Caller>, AuthenticationError> {
        let owner = owner.ok_or(AuthenticationError::Unknown)?;
        // Cache misses suffice: an entry is loaded again within CREDENTIAL_CACHE_TTL_MS.
        self.token_uses.note(&owner, now);
        let caller = Arc::new(Caller::from_owner(owner, verification).ok_or(AuthenticationError::Suspended)?);
        self.credentials.insert(&caller);
        Ok(caller)
    }
}
