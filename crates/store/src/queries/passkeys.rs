//! Passkeys, their ceremonies, and recovery codes.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, PasskeyId, UserId};
use tenantry_core::passkey::{Ceremony, CeremonyPurpose, Passkey};
use tenantry_core::token::TokenHash;
use tenantry_core::values::PersonName;

use super::count;
use super::token_secrets::hash;
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

const PASSKEY: &str = "id, user_id, created_at, modified_at, last_used_at, name, credential_id, credential";

fn passkey(row: &Row<'_>) -> Result<Passkey, StoreError> {
    Ok(Passkey {
        id: row.get(0)?,
        user: row.get(1)?,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        last_used_at: row.get(4)?,
        name: row.parse(5, PersonName::parse_stored)?.ok_or_else(|| unexpected("a passkey without name"))?,
        credential_id: row.get(6)?,
        credential: row.get(7)?,
    })
}

impl Tx<'_> {
    /// Inserts a passkey.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `passkeys_credential_id` when the authenticator's id of it is taken.
    pub async fn passkey_insert(&mut self, new: &Passkey) -> Result<(), StoreError> {
        let Passkey { id, user, created_at, modified_at, last_used_at, name, credential_id, credential } =
            new;
        self.execute_unawaited(
            "INSERT INTO passkeys
                (id, user_id, created_at, modified_at, last_used_at, name, credential_id, credential)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                (*id).into(),
                (*user).into(),
                (*created_at).into(),
                (*modified_at).into(),
                (*last_used_at).into(),
                name.as_str().into(),
                Param::Bytes(credential_id),
                credential.as_str().into(),
            ],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// The passkeys of a person, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkeys(&mut self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        let sql = format!("SELECT {PASSKEY} FROM passkeys WHERE user_id = ?1");
        let mut passkeys = self.all(&sql, &[user.into()], passkey).await?;
        passkeys.sort_unstable_by_key(|passkey| std::cmp::Reverse(passkey.id));
        Ok(passkeys)
    }

    /// A passkey, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_for_update(&mut self, id: PasskeyId) -> Result<Option<Passkey>, StoreError> {
        let sql = format!("SELECT {PASSKEY} FROM passkeys WHERE id = ?1{}", self.for_update());
        self.first(&sql, &[id.into()], passkey).await
    }

    /// The passkey with this id of an authenticator, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_by_credential(
        &mut self,
        credential_id: &[u8],
    ) -> Result<Option<Passkey>, StoreError> {
        let sql = format!("SELECT {PASSKEY} FROM passkeys WHERE credential_id = ?1{}", self.for_update());
        self.first(&sql, &[Param::Bytes(credential_id)], passkey).await
    }

    /// Saves the name of a passkey, its counter and its last use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_update(&mut self, changed: &Passkey) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE passkeys SET modified_at = ?2, last_used_at = ?3, name = ?4, credential = ?5 WHERE id = ?1",
            &[
                changed.id.into(),
                changed.modified_at.into(),
                changed.last_used_at.into(),
                changed.name.as_str().into(),
                changed.credential.as_str().into(),
            ],
        )
        .await
    }

    /// Deletes a passkey.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_delete(&mut self, id: PasskeyId) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM passkeys WHERE id = ?1", &[id.into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Inserts a ceremony of the browser whose secret has this hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_ceremony_insert(
        &mut self,
        browser: &TokenHash,
        new: &Ceremony,
    ) -> Result<(), StoreError> {
        let Ceremony { purpose, user, expires_at, state } = new;
        self.execute_unawaited(
            "INSERT INTO passkey_ceremonies (secret_hash, user_id, expires_at, purpose, state)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                Param::Bytes(&browser.0),
                (*user).into(),
                (*expires_at).into(),
                purpose.as_str().into(),
                state.as_str().into(),
            ],
        )
        .await
    }

    /// Deletes the ceremony of a browser. Returns it, to the first of concurrent transactions alone. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_ceremony_take(
        &mut self,
        browser: &TokenHash,
    ) -> Result<Option<Ceremony>, StoreError> {
        let sql = format!(
            "SELECT user_id, expires_at, purpose, state FROM passkey_ceremonies WHERE secret_hash = ?1{}",
            self.for_update()
        );
        let found = self
            .first(&sql, &[Param::Bytes(&browser.0)], |row| {
                Ok(Ceremony {
                    user: row.get(0)?,
                    expires_at: row.get(1)?,
                    purpose: row.named(2, CeremonyPurpose::from_name)?,
                    state: row.get(3)?,
                })
            })
            .await?;
        if found.is_some() {
            self.passkey_ceremony_delete(browser).await?;
        }
        Ok(found)
    }

    async fn passkey_ceremony_delete(&mut self, browser: &TokenHash) -> Result<(), StoreError> {
        let sql = "DELETE FROM passkey_ceremonies WHERE secret_hash = ?1";
        self.execute_unawaited(sql, &[Param::Bytes(&browser.0)]).await
    }

    /// Deletes up to `limit` ceremonies that have expired at `now`. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn passkey_ceremonies_delete_expired(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql = "SELECT secret_hash FROM passkey_ceremonies WHERE expires_at <= ?1
             ORDER BY expires_at LIMIT ?2";
        let expired = self.all(sql, &[now.into(), limit.into()], |row| hash(row.get(0)?)).await?;
        for browser in &expired {
            self.passkey_ceremony_delete(browser).await?;
        }
        Ok(expired.len())
    }

    /// Inserts recovery codes of a person in place of those before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_codes_replace(
        &mut self,
        user: UserId,
        codes: &[TokenHash],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.recovery_codes_delete(user).await?;
        for code in codes {
            self.execute_unawaited(
                "INSERT INTO recovery_codes (code_hash, user_id, created_at) VALUES (?1, ?2, ?3)",
                &[Param::Bytes(&code.0), user.into(), now.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Deletes the recovery codes of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_codes_delete(&mut self, user: UserId) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM recovery_codes WHERE user_id = ?1", &[user.into()]).await
    }

    /// The number of a person's recovery codes that were not used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_code_count(&mut self, user: UserId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM recovery_codes WHERE user_id = ?1";
        Ok(count(self.first(sql, &[user.into()], |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// The person of a recovery code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_code_user(&mut self, code: &TokenHash) -> Result<Option<UserId>, StoreError> {
        let sql = "SELECT user_id FROM recovery_codes WHERE code_hash = ?1";
        self.first(sql, &[Param::Bytes(&code.0)], |row| row.get(0)).await
    }

    /// Deletes a recovery code. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_code_delete(&mut self, code: &TokenHash) -> Result<bool, StoreError> {
        let sql = "DELETE FROM recovery_codes WHERE code_hash = ?1";
        Ok(self.execute(sql, &[Param::Bytes(&code.0)]).await? > 0)
    }

    /// Up to `limit` passkeys of anybody, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkeys_oldest(&mut self, limit: i64) -> Result<Vec<Passkey>, StoreError> {
        let sql = format!("SELECT {PASSKEY} FROM passkeys ORDER BY id LIMIT ?1");
        self.all(&sql, &[limit.into()], passkey).await
    }

    /// The time since which an organization requires a passkey of its team; none when it does not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_passkey_required_at(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT passkey_required_at FROM organizations WHERE id = ?1 AND deleted_at IS NULL";
        Ok(self.first(sql, &[organization.into()], |row| row.get(0)).await?.flatten())
    }

    /// Saves whether an organization requires a passkey of its team, and since when.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_update_passkey_required_at(
        &mut self,
        organization: OrganizationId,
        required_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE organizations SET passkey_required_at = ?2 WHERE id = ?1",
            &[organization.into(), required_at.into()],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }
}
