//! The last uses of tokens. They are noted in memory and stored by the sweep.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tenantry_core::token::{PreviousSecret, last_use_is_stale};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{CredentialOwner, StoreError, TokenRef, TokenUse, Tx, UseCase};

use crate::{App, limits};

/// Last uses of tokens and of previous secrets that are not stored yet. A use is noted only when the stored one is stale,
/// so that a token in constant use costs one write in
/// [`LAST_USE_RESOLUTION_S`](tenantry_core::token::LAST_USE_RESOLUTION_S).
#[derive(Default)]
pub(crate) struct TokenUses(Mutex<HashMap<(TokenRef, bool), Timestamp>>);

impl TokenUses {
    /// Notes the use of a credential, if it is a token's.
    pub(crate) fn note(&self, owner: &CredentialOwner, now: Timestamp) {
        let (owner, is_previous) = match owner {
            CredentialOwner::Previous(owner, _) => (&**owner, true),
            owner => (owner, false),
        };
        let (token, last_used_at, previous) = match owner {
            CredentialOwner::Organization(token, _) => (
                TokenRef::Organization(token.organization, token.id),
                token.last_used_at,
                token.previous_secret,
            ),
            CredentialOwner::User(token, _) | CredentialOwner::Session(token, _, _) => {
                (TokenRef::User(token.id), token.last_used_at, token.previous_secret)
            }
            _ => return,
        };
        self.note_use((token, false), last_used_at, now);
        if is_previous {
            let last_used_at = previous.and_then(|PreviousSecret { last_used_at, .. }| last_used_at);
            self.note_use((token, true), last_used_at, now);
        }
    }

    fn note_use(&self, used: (TokenRef, bool), last_used_at: Option<Timestamp>, now: Timestamp) {
        if !last_use_is_stale(last_used_at, now) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < limits::CREDENTIAL_CACHE_ENTRIES || uses.contains_key(&used) {
            uses.insert(used, now);
        }
    }

    fn take(&self) -> Vec<TokenUse> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uses = std::mem::take(&mut *uses).into_iter();
        uses.map(|((token, is_previous), at)| TokenUse { token, is_previous, at }).collect()
    }
}

/// Stores last uses of tokens.
struct StoreTokenUses(Vec<TokenUse>);

impl UseCase for StoreTokenUses {
    type Output = ();
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        for used in &self.0 {
            tx.token_record_use(used).await?;
        }
        Ok(())
    }
}

impl App {
    /// Stores the noted last uses of tokens. If that fails they are lost, and the next use is noted again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_token_uses(&self) -> Result<(), StoreError> {
        let mut uses = self.token_uses.take();
        // Sorted, so that two nodes lock the same tokens in one order.
        uses.sort_unstable_by_key(|used| (used.token, used.is_previous));
        for uses in uses.chunks(limits::TOKEN_USES_PER_TRANSACTION) {
            self.store.write(StoreTokenUses(uses.to_vec())).await?;
        }
        Ok(())
    }
}
