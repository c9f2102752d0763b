//! Answers kept for a second request with the same idempotency key.

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;

use crate::sql::Param;
use crate::{StoreError, Tx};

/// An answer as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Vec<u8>,
}

/// What a request with a key claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The account whose keys these are.
    pub organization: OrganizationId,
    /// The client's key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The request that used the key first.
    pub fingerprint: Vec<u8>,
    /// What was answered.
    pub answer: StoredAnswer,
}

impl Tx<'_> {
    /// The record of a key that is claimed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_record(
        &mut self,
        claim: &Claim,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.first(
            "SELECT fingerprint, status, body FROM idempotency_records
             WHERE organization_id = ?1 AND idempotency_key = ?2",
            &[claim.organization.into(), claim.key.as_str().into()],
            |row| {
                let status = u16::try_from(row.get::<i64>(1)?).unwrap_or(500);
                let answer = StoredAnswer { status, body: row.get(2)? };
                Ok(IdempotencyRecord { fingerprint: row.get(0)?, answer })
            },
        )
        .await
    }

    /// Claims a key until `expires_at`, in place of an expired record; answers whether it was free. Another
    /// transaction that claims it at the same time is waited for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_claim(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "INSERT INTO idempotency_records
                    (organization_id, idempotency_key, fingerprint, created_at, expires_at, status, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
                 ON CONFLICT (organization_id, idempotency_key) DO UPDATE SET
                    fingerprint = excluded.fingerprint, created_at = excluded.created_at,
                    expires_at = excluded.expires_at, status = excluded.status, body = excluded.body
                 WHERE idempotency_records.expires_at <= excluded.created_at",
                &[
                    claim.organization.into(),
                    claim.key.as_str().into(),
                    Param::Bytes(&claim.fingerprint),
                    now.into(),
                    expires_at.into(),
                    Param::Bytes(&[]),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    /// Keeps the answer to the request that claimed a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_answer(
        &mut self,
        claim: &Claim,
        answer: &StoredAnswer,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE idempotency_records SET status = ?3, body = ?4
             WHERE organization_id = ?1 AND idempotency_key = ?2",
            &[
                claim.organization.into(),
                claim.key.as_str().into(),
                i64::from(answer.status).into(),
                Param::Bytes(&answer.body),
            ],
        )
        .await
        .map(|_| ())
    }

    /// Deletes at most `limit` expired records; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_sweep(&mut self, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
        self.execute(
            "DELETE FROM idempotency_records WHERE (organization_id, idempotency_key) IN (
                SELECT organization_id, idempotency_key FROM idempotency_records
                WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            &[now.into(), limit.into()],
        )
        .await
    }
}
