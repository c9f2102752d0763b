//! Sessions of the portal and requested changes of an e-mail address. Both are looked up by the hash of a
//! secret.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, EmailUpdateId, MemberId, OrganizationId, SessionId};
use tenantry_core::portal::{CustomerSession, EmailUpdate};
use tenantry_core::token::{SecretKind, TokenHash};
use tenantry_core::values::HttpUrl;
use uuid::Uuid;

use super::count;
use super::credentials::{TENANT, Tenant};
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

fn session(row: &Row<'_>) -> Result<CustomerSession, StoreError> {
    Ok(CustomerSession {
        organization: row.get(0)?,
        id: row.get(1)?,
        customer: row.get(2)?,
        member: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        return_url: row.parse_optional(6, HttpUrl::parse)?,
    })
}

fn email_update(row: &Row<'_>) -> Result<EmailUpdate, StoreError> {
    Ok(EmailUpdate {
        organization: row.get(0)?,
        customer: row.get(1)?,
        id: row.get(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        email: row.email(5, 6)?.ok_or_else(|| unexpected("an email update without address"))?,
    })
}

impl Tx<'_> {
    /// The session of this id, if it has not expired at `now` and its customer and member are not deleted.
    /// The organization must be neither deleted nor blocked.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn customer_session_active(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<(CustomerSession, Tenant)>, StoreError> {
        // PostgreSQL may turn `EXISTS` into a join with all customers of the organization. It cannot do so
        // with a sub-query that has a value.
        let sql = format!(
            "SELECT organization_id, id, customer_id, member_id, created_at, expires_at, return_url,
                tenant_parent_id, tenant_suspended_at, tenant_owner_id
             FROM customer_sessions CROSS JOIN {TENANT}
             WHERE organization_id = ?1 AND id = ?2 AND coalesce(expires_at, 0) > ?3
               AND (SELECT id FROM customers
                    WHERE organization_id = ?1 AND id = customer_sessions.customer_id AND deleted_at IS NULL)
                   IS NOT NULL
               AND (member_id IS NULL OR (
                    SELECT id FROM members
                    WHERE organization_id = ?1 AND id = customer_sessions.member_id AND deleted_at IS NULL)
                   IS NOT NULL)"
        );
        self.first(&sql, &[organization.into(), id.into(), now.into()], |row| {
            Ok((session(row)?, Tenant::read(row, 7)?))
        })
        .await
    }

    /// Inserts a session and the hash of its secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_session_insert(
        &mut self,
        new: &CustomerSession,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let CustomerSession { id, organization, created_at, expires_at, customer, member, return_url } = new;
        self.execute_unawaited(
            "INSERT INTO customer_sessions (organization_id, id, customer_id, member_id, created_at, expires_at,
                return_url, secret_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                (*organization).into(),
                (*id).into(),
                (*customer).into(),
                (*member).into(),
                (*created_at).into(),
                (*expires_at).into(),
                return_url.as_ref().map(HttpUrl::as_str).into(),
                Param::Bytes(&hash.0),
            ],
        )
        .await?;
        let kind = if member.is_some() { SecretKind::MemberSession } else { SecretKind::CustomerSession };
        self.credential_insert(hash, kind, Some(*organization), id.uuid()).await
    }

    /// The number of a customer's sessions that have not expired at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_session_count(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM customer_sessions
             WHERE organization_id = ?1 AND customer_id = ?2 AND coalesce(expires_at, 0) > ?3";
        let which = [organization.into(), customer.into(), now.into()];
        Ok(count(self.first(sql, &which, |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// The sessions of a customer that have not expired at `now`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_sessions(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        now: Timestamp,
    ) -> Result<Vec<CustomerSession>, StoreError> {
        let sql = "SELECT organization_id, id, customer_id, member_id, created_at, expires_at, return_url
             FROM customer_sessions
             WHERE organization_id = ?1 AND customer_id = ?2 AND coalesce(expires_at, 0) > ?3";
        let mut found = self.all(sql, &[organization.into(), customer.into(), now.into()], session).await?;
        found.sort_unstable_by_key(|session| std::cmp::Reverse(session.id));
        Ok(found)
    }

    /// Deletes a session of a customer with its credential, and the change of the customer's address that is requested,
    /// because the session may have requested it. Returns the session if there was one. The caller has locked the customer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_session_end(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        id: SessionId,
    ) -> Result<Option<CustomerSession>, StoreError> {
        const CONDITION: &str = "organization_id = ?1 AND id = ?2 AND customer_id = ?3";
        let parameters = [organization.into(), id.into(), customer.into()];
        let sql = format!(
            "SELECT organization_id, id, customer_id, member_id, created_at, expires_at, return_url
             FROM customer_sessions WHERE {CONDITION}"
        );
        let Some(found) = self.first(&sql, &parameters, session).await? else { return Ok(None) };
        let hash = format!("SELECT secret_hash FROM customer_sessions WHERE {CONDITION}");
        self.credentials_delete(&hash, &parameters).await?;
        self.email_update_delete(organization, customer).await?;
        self.mark_credentials_changed();
        let sql = format!("DELETE FROM customer_sessions WHERE {CONDITION}");
        self.execute_unawaited(&sql, &parameters).await?;
        Ok(Some(found))
    }

    /// Deletes the sessions of a customer, or only the sessions of one of its members.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_sessions_delete(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        member: Option<MemberId>,
    ) -> Result<(), StoreError> {
        const CONDITION: &str =
            "organization_id = ?1 AND customer_id = ?2 AND (?3 IS NULL OR member_id = ?3)";
        let parameters = [organization.into(), customer.into(), member.into()];
        let ended = format!("SELECT secret_hash FROM customer_sessions WHERE {CONDITION}");
        if self.credentials_delete(&ended, &parameters).await? == 0 {
            return Ok(());
        }
        self.mark_credentials_changed();
        self.execute_unawaited(&format!("DELETE FROM customer_sessions WHERE {CONDITION}"), &parameters).await
    }

    /// Stores a requested change of a customer's address in place of the customer's earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_update_replace(
        &mut self,
        new: &EmailUpdate,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let EmailUpdate { id, organization, customer, created_at, expires_at, email } = new;
        self.email_update_delete(*organization, *customer).await?;
        self.execute_unawaited(
            "INSERT INTO email_updates (organization_id, customer_id, id, created_at, expires_at, email,
                email_key, secret_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                (*organization).into(),
                (*customer).into(),
                (*id).into(),
                (*created_at).into(),
                (*expires_at).into(),
                email.as_str().into(),
                email.key().into(),
                Param::Bytes(&hash.0),
            ],
        )
        .await?;
        self.credential_insert(hash, SecretKind::EmailChange, Some(*organization), id.uuid()).await
    }

    /// The requested change of an address with the secret of this hash; nothing when it has expired at `now`.
    /// Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_update_by_hash(
        &mut self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<EmailUpdate>, StoreError> {
        let found = self
            .first(
                "SELECT organization_id, subject_id FROM credentials WHERE secret_hash = ?1 AND kind = ?2",
                &[Param::Bytes(&hash.0), SecretKind::EmailChange.as_str().into()],
                |row| Ok((row.get::<OrganizationId>(0)?, row.get::<EmailUpdateId>(1)?)),
            )
            .await?;
        let Some((organization, id)) = found else { return Ok(None) };
        let sql = "SELECT organization_id, customer_id, id, created_at, expires_at, email, email_key
             FROM email_updates WHERE organization_id = ?1 AND id = ?2 AND coalesce(expires_at, 0) > ?3";
        self.first(sql, &[organization.into(), id.into(), now.into()], email_update).await
    }

    /// Deletes a requested change of an address; returns whether it was still there. The caller has locked
    /// the customer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_update_consume(&mut self, update: &EmailUpdate) -> Result<bool, StoreError> {
        const CONDITION: &str = "organization_id = ?1 AND customer_id = ?2 AND id = ?3";
        let parameters = [update.organization.into(), update.customer.into(), update.id.into()];
        self.credentials_delete(
            &format!("SELECT secret_hash FROM email_updates WHERE {CONDITION}"),
            &parameters,
        )
        .await?;
        let used = self.execute(&format!("DELETE FROM email_updates WHERE {CONDITION}"), &parameters).await?;
        Ok(used > 0)
    }

    /// Deletes a customer's requested change of an address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_update_delete(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<(), StoreError> {
        const CONDITION: &str = "organization_id = ?1 AND customer_id = ?2";
        let parameters = [organization.into(), customer.into()];
        self.credentials_delete(
            &format!("SELECT secret_hash FROM email_updates WHERE {CONDITION}"),
            &parameters,
        )
        .await?;
        self.execute_unawaited(&format!("DELETE FROM email_updates WHERE {CONDITION}"), &parameters).await
    }

    /// Deletes at most `limit` expired sessions, and as many expired changes of an address; returns how many
    /// of both.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_delete_expired(&mut self, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for (table, key) in [("customer_sessions", "id"), ("email_updates", "customer_id")] {
            let expired = format!(
                "SELECT organization_id, {key}, secret_hash FROM {table}
                 WHERE expires_at <= ?1 ORDER BY expires_at, organization_id, {key} LIMIT ?2"
            );
            let row =
                format!("DELETE FROM {table} WHERE organization_id = ?1 AND {key} = ?2 AND secret_hash = ?3");
            let expired = self
                .all(&expired, &[now.into(), limit.into()], |row| {
                    Ok((row.get::<OrganizationId>(0)?, row.get::<Uuid>(1)?, row.get::<Vec<u8>>(2)?))
                })
                .await?;
            for (organization, id, hash) in expired {
                let hash = hash.as_slice();
                self.execute_unawaited("DELETE FROM credentials WHERE secret_hash = ?1", &[hash.into()])
                    .await?;
                deleted += self.execute(&row, &[organization.into(), id.into(), hash.into()]).await?;
            }
        }
        Ok(deleted)
    }

    /// Deletes the credentials whose hashes the query `hashes` selects; returns how many. The hashes are read first,
    /// since a credential may be on another shard than its session.
    async fn credentials_delete(
        &mut self,
        hashes: &str,
        parameters: &[Param<'_>],
    ) -> Result<usize, StoreError> {
        const DELETE: &str = "DELETE FROM credentials WHERE secret_hash = ?1";
        let mut deleted = 0;
        for hash in self.all(hashes, parameters, |row| row.get::<Vec<u8>>(0)).await? {
            deleted += self.execute(DELETE, &[hash.as_slice().into()]).await?;
        }
        Ok(deleted)
    }
}
