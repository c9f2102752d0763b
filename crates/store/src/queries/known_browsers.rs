//! The browsers that people have signed in with, by the hash of the browser's mark.

use std::cmp::Reverse;

use tenantry_core::Timestamp;
use tenantry_core::ids::UserId;
use tenantry_core::token::TokenHash;

use super::token_secrets::hash;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The browsers of a person, of which there are few: the one that was used last comes first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_browsers(&mut self, user: UserId) -> Result<Vec<TokenHash>, StoreError> {
        let sql = "SELECT mark_hash, last_used_at FROM known_browsers WHERE user_id = ?1";
        let read = |row: &Row<'_>| Ok((hash(row.get(0)?)?, row.get::<Timestamp>(1)?));
        let mut found = self.all(sql, &[user.into()], read).await?;
        found.sort_by_key(|(mark, last_used_at)| (Reverse(*last_used_at), mark.0));
        Ok(found.into_iter().map(|(mark, _)| mark).collect())
    }

    /// Inserts a browser of a person, or saves its last use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_browser_save(
        &mut self,
        user: UserId,
        mark: &TokenHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO known_browsers (user_id, mark_hash, last_used_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id, mark_hash) DO UPDATE SET last_used_at = excluded.last_used_at",
            &[user.into(), Param::Bytes(&mark.0), now.into()],
        )
        .await
    }

    /// Deletes a browser of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_browser_delete(&mut self, user: UserId, mark: &TokenHash) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM known_browsers WHERE user_id = ?1 AND mark_hash = ?2",
            &[user.into(), Param::Bytes(&mark.0)],
        )
        .await
    }
}
