//! The audit log: appended to, never changed.

use tenantry_core::Timestamp;
use tenantry_core::audit::AuditEntry;
use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::{StoreError, Tx};

/// An entry of the audit log as it is read back, without the images of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor, where it has an id.
    pub actor: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// The row that changed.
    pub subject: Uuid,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

impl Tx<'_> {
    /// Appends an entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_append(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let AuditEntry { id, organization, at, actor, action, subject, before, after, request_id } = entry;
        self.execute(
            "INSERT INTO audit_entries
                (organization_id, id, at, actor_kind, actor_id, action, subject_id, before, after, request_id)
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
        .map(|_| ())
    }

    /// How many entries an organization has of an action on a subject. For checks that a change was written
    /// down.
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
    pub async fn audit_log(&mut self, organization: OrganizationId) -> Result<Vec<AuditLine>, StoreError> {
        self.all(
            "SELECT at, actor_kind, actor_id, action, subject_id, request_id FROM audit_entries
             WHERE organization_id = ?1 ORDER BY at, id",
            &[organization.into()],
            |row| {
                Ok(AuditLine {
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
