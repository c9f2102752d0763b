//! Who a bearer is. A credential that the database confirmed is believed for a moment, so that not every
//! request asks for it.
//!
//! Invariants: a credential is believed for at most [`limits::CREDENTIAL_TRUST_MS`], and on this node no
//! longer than until something could have changed it ([`tenantry_store::Generation`]). The secret itself is
//! not kept, only its hash.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_store::{CredentialOwner, StoreError};

use crate::{App, Caller, limits};

/// Why a bearer is nobody.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthenticationError {
    /// It is unknown, mistyped, revoked or expired.
    #[error("the token is not alive")]
    Unknown,
    /// Its organization is suspended, or that one's parent is shut out.
    #[error("the organization is suspended")]
    Suspended,
    /// Nobody knows: the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
pub(crate) struct Credentials {
    known: RwLock<HashMap<TokenHash, Known>>,
}

struct Known {
    caller: Arc<Caller>,
    generation: u64,
    confirmed: Instant,
}

impl Credentials {
    fn get(&self, hash: &TokenHash, generation: u64) -> Option<Arc<Caller>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(hash)?;
        let trusted = Duration::from_millis(limits::CREDENTIAL_TRUST_MS);
        (found.generation == generation && found.confirmed.elapsed() < trusted)
            .then(|| Arc::clone(&found.caller))
    }

    fn insert(&self, hash: TokenHash, caller: &Arc<Caller>, generation: u64, confirmed: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::CREDENTIALS_REMEMBERED {
            known.clear();
        }
        known.insert(hash, Known { caller: Arc::clone(caller), generation, confirmed });
    }
}

impl App {
    /// Whom a bearer token acts for.
    ///
    /// # Errors
    /// When it is nobody's, or when the database fails.
    pub async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, AuthenticationError> {
        if !Secret::recognize(bearer).is_some_and(SecretKind::is_credential) {
            return Err(AuthenticationError::Unknown);
        }
        let hash = self.hash_key.hash(bearer);
        // Both are read before the database is: what changes after that is not missed.
        let generation = self.store.generation().current();
        let asked = Instant::now();
        let now = self.now();
        if let Some(caller) = self.credentials.get(&hash, generation) {
            return Some(caller).filter(|caller| caller.is_live(now)).ok_or(AuthenticationError::Unknown);
        }
        let owner = self.store.reader()?.tx()?.credential_owner(&hash, now).await?;
        let owner = owner.ok_or(AuthenticationError::Unknown)?;
        if let CredentialOwner::Organization(token) = &owner {
            // Here and not at every request: what is remembered is asked again within a moment.
            self.token_uses.note(token, now);
        }
        let caller = Arc::new(Caller::of(owner).ok_or(AuthenticationError::Suspended)?);
        self.credentials.insert(hash, &caller, generation, asked);
        Ok(caller)
    }
}
