//! The imports of customers that wait for a worker or for their deletion, and those that count against the limits of an
//! owner.

use tenantry_core::Timestamp;
use tenantry_core::customer::ImportState;
use tenantry_core::ids::{ImportId, OrganizationId, UserId};

use super::count;
use super::customer_imports::{COLUMNS, CustomerImport, import};
use crate::{StoreError, Tx};

/// An import that waits for no worker has a due time that no worker reaches.
const NEVER: i64 = i64::MAX;

impl Tx<'_> {
    /// The number of an owner's imports in a state that is not their end, at `now`. Abandoned uploads do not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_unfinished(
        &mut self,
        owner: UserId,
        state: ImportState,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM customer_imports
             WHERE owner_user_id = ?1 AND finished_at IS NULL AND coalesce(expires_at, 9223372036854775807) > ?2
               AND state = ?3";
        let which = [owner.into(), now.into(), state.as_str().into()];
        Ok(count(self.first(sql, &which, |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// The number of an owner's imports, and the size of what is stored for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_stored(&mut self, owner: UserId) -> Result<(u64, i64), StoreError> {
        let sql = "SELECT count(*), CAST(coalesce(sum(stored_bytes), 0) AS BIGINT) FROM customer_imports
             WHERE owner_user_id = ?1";
        let found = self.first(sql, &[owner.into()], |row| Ok((row.get(0)?, row.get(1)?))).await?;
        let (imports, bytes) = found.unwrap_or((0, 0));
        Ok((count(imports), bytes))
    }

    /// Ends the retention of an owner's finished imports, all but the `kept` that began last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_expire(
        &mut self,
        owner: UserId,
        now: Timestamp,
        (kept, limit): (i64, i64),
    ) -> Result<(), StoreError> {
        let sql = "SELECT organization_id, id FROM customer_imports
             WHERE owner_user_id = ?1 AND finished_at IS NOT NULL ORDER BY created_at DESC LIMIT ?2 OFFSET ?3";
        let found: Vec<(OrganizationId, ImportId)> = self
            .all(sql, &[owner.into(), limit.into(), kept.into()], |row| Ok((row.get(0)?, row.get(1)?)))
            .await?;
        for (organization, id) in found {
            self.execute_unawaited(
                "UPDATE customer_imports SET expires_at = ?3 WHERE organization_id = ?1 AND id = ?2",
                &[organization.into(), id.into(), now.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Imports of every organization that a worker may take at `now`, those that have waited longest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_due(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, ImportId)>, StoreError> {
        let sql =
            "SELECT organization_id, id FROM customer_imports WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// Imports of an organization that a worker may take at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_due_of(
        &mut self,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Vec<(OrganizationId, ImportId)>, StoreError> {
        let sql = "SELECT id FROM customer_imports WHERE organization_id = ?1 AND coalesce(due_at, ?3) <= ?2";
        let params = [organization.into(), now.into(), NEVER.into()];
        self.all(sql, &params, |row| Ok((organization, row.get(0)?))).await
    }

    /// The time at which the next import of an organization is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_next_due_of(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(coalesce(due_at, ?2)) FROM customer_imports WHERE organization_id = ?1";
        let found: Option<i64> =
            self.first(sql, &[organization.into(), NEVER.into()], |row| row.get(0)).await?.flatten();
        Ok(found.filter(|due| *due != NEVER).map(Timestamp::from_micros))
    }

    /// Leases an import until a time, if it is due at `now` and no other transaction has locked it. Counts the attempt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_lease(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<CustomerImport>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM customer_imports
             WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 9223372036854775807) <= ?3{}",
            self.for_update_skip_locked()
        );
        let Some(found) = self.first(&sql, &[organization.into(), id.into(), now.into()], import).await?
        else {
            return Ok(None);
        };
        self.execute_unawaited(
            "UPDATE customer_imports SET due_at = ?3, attempts = attempts + 1 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), until.into()],
        )
        .await?;
        Ok(Some(CustomerImport { due_at: Some(until), attempts: found.attempts.saturating_add(1), ..found }))
    }

    /// Imports of every organization whose retention, or whose time to arrive, is over at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_expired(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, ImportId)>, StoreError> {
        let sql = "SELECT organization_id, id FROM customer_imports WHERE expires_at <= ?1
             ORDER BY expires_at LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// Ends every import of every organization that is not finished, as failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_imports_fail_all(
        &mut self,
        reason: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE customer_imports SET state = 'failed', stop_reason = ?1, finished_at = ?2, due_at = ?2,
                expires_at = ?3
             WHERE finished_at IS NULL",
            &[reason.into(), now.into(), expires_at.into()],
        )
        .await
    }
}
