//! The audit log. Entries are appended. The images of an entry are replaced when a customer is anonymized, and old entries
//! are deleted where the operator wishes it.

use tenantry_core::Timestamp;
use tenantry_core::audit::AuditEntry;
use tenantry_core::ids::{AuditId, OrganizationId};
use uuid::Uuid;

use crate::{StoreError, Tx};

/// An entry of the audit log without the images of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The time of the action.
    pub at: Timestamp,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor, where it has an id.
    pub actor: Option<Uuid>,
    /// The action.
    pub action: String,
    /// The row that changed.
    pub subject: Uuid,
    /// The id of the request that made the change.
    pub request_id: Option<String>,
}

/// An old entry of the audit log that has an image of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldAuditEntry {
    /// The tenant.
    pub organization: OrganizationId,
    /// The entry.
    pub id: AuditId,
    /// Whether the row was created. The doctor looks for such an entry of each row.
    pub is_of_creation: bool,
}

/// The id of an entry and the images of its row: before and after the change.
pub type AuditImages = (AuditId, Option<String>, Option<String>);

impl Tx<'_> {
    /// The images of the next entries about a row, oldest first, after the entry `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_images(
        &mut self,
        organization: OrganizationId,
        subject: Uuid,
        after: Option<AuditId>,
        limit: i64,
    ) -> Result<Vec<AuditImages>, StoreError> {
        let after = after.map_or(Uuid::nil(), AuditId::uuid);
        self.all(
            "SELECT id, before, after FROM audit_entries
             WHERE organization_id = ?1 AND subject_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
            &[organization.into(), subject.into(), after.into(), limit.into()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .await
    }

    /// Replaces the images of an entry by images without personal data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_images_replace(
        &mut self,
        organization: OrganizationId,
        (id, before, after): AuditImages,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE audit_entries SET before = ?3, after = ?4 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), before.into(), after.into()],
        )
        .await
    }

    /// At most `limit` entries with an image of all organizations that are older than `before`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entries_before(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<OldAuditEntry>, StoreError> {
        self.all(
            "SELECT organization_id, id, action FROM audit_entries
             WHERE created_at < ?1 AND (before IS NOT NULL OR after IS NOT NULL)
             ORDER BY created_at, organization_id, id LIMIT ?2",
            &[before.into(), limit.into()],
            |row| {
                Ok(OldAuditEntry {
                    organization: row.get(0)?,
                    id: row.get(1)?,
                    is_of_creation: row.get::<String>(2)?.ends_with(".created"),
                })
            },
        )
        .await
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entry_delete(
        &mut self,
        organization: OrganizationId,
        id: AuditId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM audit_entries WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into()],
        )
        .await
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_append(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let AuditEntry { id, organization, at, actor, action, subject, before, after, request_id } = entry;
        self.execute_unawaited(
            "INSERT INTO audit_entries
                (organization_id, id, created_at, actor_kind, actor_id, action, subject_id, before, after, request_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            &[
                (*organization).into(),
                (*id).into(),
                (*at).into(),
                actor.kind().into(),
                actor.id().into(),
                (*action).into(),
                (*subject).into(),
                before.as_deref().into(),
                after.as_deref().into(),
                request_id.as_deref().into(),
            ],
        )
        .await
    }

    /// The number of an organization's entries of an action on a subject, for tests that a change has its
    /// audit entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_count(
        &mut self,
        organization: OrganizationId,
        action: &str,
        subject: Uuid,
    ) -> Result<u64, StoreError> {
        let found = self
            .first(
                "SELECT count(*) FROM audit_entries
                 WHERE organization_id = ?1 AND action = ?2 AND subject_id = ?3",
                &[organization.into(), action.into(), subject.into()],
                |row| row.get::<i64>(0),
            )
            .await?;
        Ok(super::count(found.unwrap_or(0)))
    }

    /// The audit log of an organization, oldest entry first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(&mut self, organization: OrganizationId) -> Result<Vec<AuditRecord>, StoreError> {
        self.all(
            "SELECT created_at, actor_kind, actor_id, action, subject_id, request_id FROM audit_entries
             WHERE organization_id = ?1 ORDER BY id",
            &[organization.into()],
            |row| {
                Ok(AuditRecord {
                    at: row.get(0)?,
                    actor_kind: row.get(1)?,
                    actor: row.get(2)?,
                    action: row.get(3)?,
                    subject: row.get(4)?,
                    request_id: row.get(5)?,
                })
            },
        )
        .await
    }
}
