//! Writing the audit log. Entries are appended. The images of an entry are replaced when a customer is anonymized, and old entries
//! are deleted where the operator wishes it.

use std::collections::BTreeMap;

use tenantry_core::Timestamp;
use tenantry_core::audit::{AuditEntry, Client};
use tenantry_core::ids::{AuditId, OrganizationId};
use uuid::Uuid;

use crate::{StoreError, Tx};

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

/// An entry that concerns a person whose data is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalAuditEntry {
    /// The images, of an entry about the person.
    pub images: Option<(Option<String>, Option<String>)>,
    /// Whether the person made the change, so that the client is the person's.
    pub is_by_person: bool,
}

/// The next entries that concern a person, and whether they are the last ones.
pub type PersonalAuditEntries = (BTreeMap<AuditId, PersonalAuditEntry>, bool);

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

    /// The next entries after the entry `after` that are about a person or by the person, oldest first: at most `limit`
    /// of each kind. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entries_of_person(
        &mut self,
        organization: OrganizationId,
        person: Uuid,
        after: Option<AuditId>,
        limit: i64,
    ) -> Result<PersonalAuditEntries, StoreError> {
        let about = self.audit_images(organization, person, after, limit).await?;
        let after = after.map_or(Uuid::nil(), AuditId::uuid);
        let by: Vec<AuditId> = self
            .all(
                "SELECT id FROM audit_entries
                 WHERE organization_id = ?1 AND actor_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
                &[organization.into(), person.into(), after.into(), limit.into()],
                |row| row.get(0),
            )
            .await?;
        // Beyond the last row of a full page, entries of that kind are unknown.
        let is_full = |length: usize| i64::try_from(length).is_ok_and(|length| length >= limit);
        let ends = [
            about.last().filter(|_| is_full(about.len())).map(|(id, ..)| *id),
            by.last().filter(|_| is_full(by.len())).copied(),
        ];
        let end = ends.into_iter().flatten().min();
        let mut found = BTreeMap::new();
        for (id, before, after) in about {
            let images = Some((before, after));
            found.insert(id, PersonalAuditEntry { images, is_by_person: false });
        }
        for id in by {
            let entry = found.entry(id).or_insert(PersonalAuditEntry { images: None, is_by_person: true });
            entry.is_by_person = true;
        }
        found.retain(|id, _| end.is_none_or(|end| *id <= end));
        Ok((found, end.is_none()))
    }

    /// Removes the client of an entry, which is personal data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_client_remove(
        &mut self,
        organization: OrganizationId,
        id: AuditId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE audit_entries SET client_address = NULL, user_agent = NULL WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into()],
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
        let AuditEntry {
            id,
            organization,
            at,
            actor,
            action,
            subject,
            before,
            after,
            request_id,
            credential,
            client: Client { address, user_agent },
        } = entry;
        self.execute_unawaited(
            "INSERT INTO audit_entries
                (organization_id, id, created_at, actor_kind, actor_id, action, subject_id, before, after, request_id,
                 credential_id, client_address, user_agent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                (*credential).into(),
                address.map(|address| address.to_string()).into(),
                user_agent.as_deref().into(),
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
                 WHERE organization_id = ?1 AND nullif(action, '') = ?2 AND subject_id = ?3",
                &[organization.into(), action.into(), subject.into()],
                |row| row.get::<i64>(0),
            )
            .await?;
        Ok(super::count(found.unwrap_or(0)))
    }
}
