//! The days for which an organization keeps its audit log, and the deletion of older entries. `audit_swept_id` is the last
//! entry that the sweep has seen: it never reads an entry twice.

use tenantry_core::Timestamp;
use tenantry_core::ids::{AuditId, OrganizationId};
use uuid::Uuid;

use super::OldAuditEntry;
use super::audit_log::first_id;
use crate::{StoreError, Tx};

/// An organization that keeps its audit log for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRetention {
    /// The organization.
    pub organization: OrganizationId,
    /// The days for which it keeps an entry.
    pub days: u32,
    /// The last entry that the sweep has seen.
    pub swept: Option<AuditId>,
}

impl Tx<'_> {
    /// The days for which an organization keeps its audit log. Nothing if it has no such setting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_days(&mut self, organization: OrganizationId) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT audit_days FROM organizations WHERE id = ?1";
        let days = self.first(sql, &[organization.into()], |row| row.get::<Option<i64>>(0)).await?;
        Ok(days.flatten().and_then(|days| u32::try_from(days).ok()))
    }

    /// Sets the days for which an organization keeps its audit log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_days_set(
        &mut self,
        organization: OrganizationId,
        days: Option<u32>,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE organizations SET audit_days = ?2 WHERE id = ?1",
            &[organization.into(), days.map(i64::from).into()],
        )
        .await
    }

    /// The next organizations that keep their audit log for a time, by this time and their id, after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_retentions(
        &mut self,
        after: Option<AuditRetention>,
        limit: i64,
    ) -> Result<Vec<AuditRetention>, StoreError> {
        let (days, after) = after.map_or((0, Uuid::nil()), |after| (after.days, after.organization.uuid()));
        self.all(
            "SELECT id, audit_days, audit_swept_id FROM organizations
             WHERE audit_days >= ?1 AND (audit_days > ?1 OR id > ?2) ORDER BY audit_days, id LIMIT ?3",
            &[i64::from(days).into(), after.into(), limit.into()],
            |row| {
                Ok(AuditRetention {
                    organization: row.get(0)?,
                    days: u32::try_from(row.get::<i64>(1)?).unwrap_or(u32::MAX),
                    swept: row.get(2)?,
                })
            },
        )
        .await
    }

    /// The next entries of an organization that the sweep has not seen, and that are older than `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entries_to_sweep(
        &mut self,
        organization: OrganizationId,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<OldAuditEntry>, StoreError> {
        let sql = "SELECT audit_swept_id FROM organizations WHERE id = ?1";
        let swept = self.first(sql, &[organization.into()], |row| row.get::<Option<Uuid>>(0)).await?;
        let swept = swept.flatten().unwrap_or(Uuid::nil());
        self.all(
            "SELECT id, action FROM audit_entries
             WHERE organization_id = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4",
            &[organization.into(), swept.into(), first_id(before).into(), limit.into()],
            |row| {
                Ok(OldAuditEntry {
                    organization,
                    id: row.get(0)?,
                    is_of_creation: row.get::<String>(1)?.ends_with(".created"),
                })
            },
        )
        .await
    }

    /// Stores the last entry that the sweep has seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_swept(
        &mut self,
        organization: OrganizationId,
        last: AuditId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE organizations SET audit_swept_id = ?2 WHERE id = ?1",
            &[organization.into(), last.into()],
        )
        .await
    }
}
