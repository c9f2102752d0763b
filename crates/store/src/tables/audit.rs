//! The audit log: appended to, never changed.

use tenantry_core::audit::AuditEntry;

use crate::{StoreError, Tx};

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
        organization: tenantry_core::ids::OrganizationId,
        action: &str,
        subject: uuid::Uuid,
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
}
