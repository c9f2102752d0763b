//! Stored responses, for a repeated request with the same idempotency key.
//!
//! | state of the key | record | a request with the key |
//! |---|---|---|
//! | free | none, or expired | claims the key, and stores its response in the same transaction |
//! | used | fingerprint, status and body | gets the response, or an error when its fingerprint differs |
//! | used, response deleted | fingerprint and status 0 | gets an error: the response contained a secret |
//!
//! A claim waits for another transaction that claims the same key. A response that contains a secret is
//! sealed, bound to the key and the request, and stored for a shorter time than the key.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId, UserId};
use uuid::Uuid;

use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx, Vault};

/// The status of a record without a response.
const RESPONSE_DELETED: i64 = 0;

/// A response as it was sent to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Vec<u8>,
}

/// The owner of a key: an account or a principal. Two owners can use the same text as a key without a
/// conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyNamespace(Uuid);

macro_rules! space_of {
    ($($id:ty),+) => {$(
        impl From<$id> for IdempotencyNamespace {
            fn from(id: $id) -> Self {
                Self(id.uuid())
            }
        }
    )+};
}

space_of!(OrganizationId, UserId, CustomerId, MemberId);

/// A request's claim to an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// The owner of the key.
    pub space: IdempotencyNamespace,
    /// The client's key.
    pub key: String,
    /// Identifies the request: method, path and body. Where the response contains a secret, the second half also
    /// depends on the credential.
    pub fingerprint: [u8; 32],
}

/// The vault's context for the response to a request with a key.
pub(crate) fn sealed_for(space: Uuid, fingerprint: &[u8], key: &str) -> Vec<u8> {
    [space.as_bytes().as_slice(), fingerprint, key.as_bytes()].concat()
}

impl IdempotencyClaim {
    /// Whether another fingerprint is that of the same request by another credential.
    #[must_use]
    pub fn is_by_other_credential(&self, other: &[u8]) -> bool {
        let half = self.fingerprint.len() / 2;
        other != self.fingerprint && other.get(..half) == self.fingerprint.get(..half)
    }

    fn place(&self) -> [Param<'_>; 2] {
        [self.space.0.into(), self.key.as_str().into()]
    }

    /// The vault's context for the response to this claim.
    fn about(&self) -> Vec<u8> {
        sealed_for(self.space.0, &self.fingerprint, &self.key)
    }
}

/// The state of a used key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyState {
    /// The key was used with another request.
    OtherRequest,
    /// The key was used with this request by another credential, and the response contained a secret.
    OtherCredential,
    /// The response contained a secret and is no longer stored.
    ResponseDeleted,
    /// The response to the first request with the key.
    Response(StoredResponse),
}

struct Kept {
    fingerprint: Vec<u8>,
    status: i64,
    body: Vec<u8>,
    shown_until: Option<Timestamp>,
}

impl Kept {
    fn shown(
        self,
        claim: &IdempotencyClaim,
        now: Timestamp,
        vault: Option<&dyn Vault>,
    ) -> Result<IdempotencyState, StoreError> {
        if claim.is_by_other_credential(&self.fingerprint) {
            return Ok(IdempotencyState::OtherCredential);
        }
        if self.fingerprint != claim.fingerprint {
            return Ok(IdempotencyState::OtherRequest);
        }
        if self.status == RESPONSE_DELETED || self.shown_until.is_some_and(|until| until <= now) {
            return Ok(IdempotencyState::ResponseDeleted);
        }
        let body = match self.shown_until {
            None => self.body,
            Some(_) => {
                let vault = vault.ok_or_else(|| unexpected("the store has no vault"))?;
                let opened = vault.open(&claim.about(), &self.body);
                opened.ok_or_else(|| unexpected("a stored response that cannot be opened"))?
            }
        };
        let status = u16::try_from(self.status).map_err(unexpected)?;
        Ok(IdempotencyState::Response(StoredResponse { status, body }))
    }
}

/// The primary key of a record.
fn name(row: &Row<'_>) -> Result<(Uuid, String), StoreError> {
    Ok((row.get(0)?, row.get(1)?))
}

impl Tx<'_> {
    /// The state of a claimed key; nothing when the key has no record.
    ///
    /// # Errors
    /// When the database fails, or a sealed response cannot be opened.
    pub async fn idempotency_state(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<Option<IdempotencyState>, StoreError> {
        let vault = self.vault().ok();
        let kept = self
            .first(
                "SELECT fingerprint, status, body, response_expires_at FROM idempotency_records
                 WHERE organization_id = ?1 AND idempotency_key = ?2",
                &claim.place(),
                |row| {
                    let (fingerprint, status) = (row.get(0)?, row.get(1)?);
                    Ok(Kept { fingerprint, status, body: row.get(2)?, shown_until: row.get(3)? })
                },
            )
            .await?;
        kept.map(|kept| kept.shown(claim, now, vault)).transpose()
    }

    /// Claims a key until `expires_at`; returns whether it was free. The claim replaces an expired record. It
    /// waits for another transaction that claims the same key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_claim(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let [space, key] = claim.place();
        let changed = self
            .execute(
                "INSERT INTO idempotency_records
                    (organization_id, idempotency_key, fingerprint, created_at, expires_at, status, body,
                     response_expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)
                 ON CONFLICT (organization_id, idempotency_key) DO UPDATE SET
                    fingerprint = excluded.fingerprint, created_at = excluded.created_at,
                    expires_at = excluded.expires_at, status = excluded.status, body = excluded.body,
                    response_expires_at = excluded.response_expires_at
                 WHERE idempotency_records.expires_at <= excluded.created_at",
                &[
                    space,
                    key,
                    Param::Bytes(&claim.fingerprint),
                    now.into(),
                    expires_at.into(),
                    RESPONSE_DELETED.into(),
                    Param::Bytes(&[]),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    /// Stores the response to the request that claimed the key. With `shown_until`, the response contains a
    /// secret: it is sealed, and not shown from that time on.
    ///
    /// # Errors
    /// When the database fails, or the response cannot be sealed.
    pub async fn idempotency_store_response(
        &mut self,
        claim: &IdempotencyClaim,
        response: &StoredResponse,
        shown_until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let sealed = match shown_until {
            None => None,
            Some(_) => {
                let sealed = self.vault()?.seal(&claim.about(), &response.body);
                Some(sealed.ok_or_else(|| unexpected("a response that cannot be sealed"))?)
            }
        };
        let [space, key] = claim.place();
        self.execute_unawaited(
            "UPDATE idempotency_records SET status = ?3, body = ?4, response_expires_at = ?5
             WHERE organization_id = ?1 AND idempotency_key = ?2",
            &[
                space,
                key,
                i64::from(response.status).into(),
                Param::Bytes(sealed.as_deref().unwrap_or(&response.body)),
                shown_until.into(),
            ],
        )
        .await
    }

    /// Deletes at most `limit` sealed responses whose time has passed; returns how many. Their keys stay
    /// used. One round trip more for each response.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_delete_sealed_responses(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        const EXPIRED: &str = "SELECT organization_id, idempotency_key FROM idempotency_records
            WHERE response_expires_at <= ?1
            ORDER BY response_expires_at, organization_id, idempotency_key LIMIT ?2";
        let mut deleted = 0;
        for (space, key) in self.all(EXPIRED, &[now.into(), limit.into()], name).await? {
            deleted += self
                .execute(
                    "UPDATE idempotency_records SET status = ?4, body = ?5, response_expires_at = NULL
                     WHERE organization_id = ?1 AND idempotency_key = ?2
                        AND coalesce(response_expires_at, 9223372036854775807) <= ?3",
                    &[space.into(), key.into(), now.into(), RESPONSE_DELETED.into(), Param::Bytes(&[])],
                )
                .await?;
        }
        Ok(deleted)
    }

    /// Deletes at most `limit` records of a person's own keys; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_delete_of_user(
        &mut self,
        user: UserId,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql = "SELECT idempotency_key FROM idempotency_records
            WHERE organization_id = ?1 ORDER BY idempotency_key LIMIT ?2";
        let keys: Vec<String> = self.all(sql, &[user.into(), limit.into()], |row| row.get(0)).await?;
        for key in &keys {
            let sql = "DELETE FROM idempotency_records WHERE organization_id = ?1 AND idempotency_key = ?2";
            self.execute_unawaited(sql, &[user.into(), key.as_str().into()]).await?;
        }
        Ok(keys.len())
    }

    /// Deletes at most `limit` expired records; returns how many. One round trip more for each record.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_delete_expired(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        const EXPIRED: &str = "SELECT organization_id, idempotency_key FROM idempotency_records
            WHERE expires_at <= ?1 ORDER BY expires_at, organization_id, idempotency_key LIMIT ?2";
        let mut deleted = 0;
        for (space, key) in self.all(EXPIRED, &[now.into(), limit.into()], name).await? {
            deleted += self
                .execute(
                    "DELETE FROM idempotency_records
                     WHERE organization_id = ?1 AND idempotency_key = ?2 AND coalesce(expires_at, 0) <= ?3",
                    &[space.into(), key.into(), now.into()],
                )
                .await?;
        }
        Ok(deleted)
    }
}
