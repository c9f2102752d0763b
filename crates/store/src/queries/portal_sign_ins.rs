//! Codes that were mailed to sign in to the portal.
//!
//! A row is found by the keyed hash of its flow, or of its code if it has no flow, before its organization is known. So
//! the table is not sharded by organization.

use tenantry_core::Timestamp;
use tenantry_core::portal::PortalSignIn;
use tenantry_core::token::TokenHash;

use super::token_secrets::hash;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

const COLUMNS: &str =
    "organization_id, customer_id, email_key, created_at, expires_at, code_hash, failed_tries, proved_at";

fn sign_in(row: &Row<'_>) -> Result<PortalSignIn, StoreError> {
    Ok(PortalSignIn {
        organization: row.get(0)?,
        customer: row.get(1)?,
        email_key: row.get(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        code_hash: hash(row.get(5)?)?,
        failed_tries: u32::try_from(row.get::<i64>(6)?).unwrap_or(u32::MAX),
        proved_at: row.get(7)?,
    })
}

impl Tx<'_> {
    /// Inserts a code under the hash by which it is found. Returns whether the hash was free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in_insert(
        &mut self,
        secret: &TokenHash,
        new: &PortalSignIn,
    ) -> Result<bool, StoreError> {
        let PortalSignIn {
            organization,
            customer,
            email_key,
            created_at,
            expires_at,
            code_hash,
            failed_tries,
            proved_at,
        } = new;
        let inserted = self
            .execute(
                "INSERT INTO portal_sign_ins
                    (secret_hash, organization_id, customer_id, email_key, created_at, expires_at, code_hash,
                     failed_tries, proved_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (secret_hash) DO NOTHING",
                &[
                    Param::Bytes(&secret.0),
                    (*organization).into(),
                    (*customer).into(),
                    email_key.as_deref().into(),
                    (*created_at).into(),
                    (*expires_at).into(),
                    Param::Bytes(&code_hash.0),
                    i64::from(*failed_tries).into(),
                    (*proved_at).into(),
                ],
            )
            .await?;
        Ok(inserted > 0)
    }

    /// The code under a hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in(&mut self, secret: &TokenHash) -> Result<Option<PortalSignIn>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM portal_sign_ins WHERE secret_hash = ?1");
        self.first(&sql, &[Param::Bytes(&secret.0)], sign_in).await
    }

    /// The code under a hash, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in_for_update(
        &mut self,
        secret: &TokenHash,
    ) -> Result<Option<PortalSignIn>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM portal_sign_ins WHERE secret_hash = ?1{}", self.for_update());
        self.first(&sql, &[Param::Bytes(&secret.0)], sign_in).await
    }

    /// Counts a wrong code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in_count_failure(&mut self, secret: &TokenHash) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE portal_sign_ins SET failed_tries = failed_tries + 1 WHERE secret_hash = ?1",
            &[Param::Bytes(&secret.0)],
        )
        .await
    }

    /// Notes that the right code was entered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in_prove(
        &mut self,
        secret: &TokenHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE portal_sign_ins SET proved_at = ?2 WHERE secret_hash = ?1",
            &[Param::Bytes(&secret.0), now.into()],
        )
        .await
    }

    /// Deletes a code, so that it does not work any more. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_in_delete(&mut self, secret: &TokenHash) -> Result<bool, StoreError> {
        let sql = "DELETE FROM portal_sign_ins WHERE secret_hash = ?1";
        Ok(self.execute(sql, &[Param::Bytes(&secret.0)]).await? > 0)
    }

    /// Deletes up to `limit` codes that have expired at `now`. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_sign_ins_delete_expired(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql =
            "SELECT secret_hash FROM portal_sign_ins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
        let expired = self.all(sql, &[now.into(), limit.into()], |row| hash(row.get(0)?)).await?;
        for secret in &expired {
            self.portal_sign_in_delete(secret).await?;
        }
        Ok(expired.len())
    }
}
