//! Organizations that an import is filling. The row of such an organization has `deleted_at`, so that no other query
//! finds it.
//!
//! | rows of `organization_imports` | meaning |
//! |---|---|
//! | none | the organization is complete, or does not exist |
//! | `import_id` | the process that fills it; every transaction of that process compares it |
//! | `leased_until` of the first organization | in the past: the process has ended, and another one may remove the rows |

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::row::Row;
use crate::{StoreError, Tx};

/// The value of `organizations.deleted_at` while an import fills the organization. It is before every deletion, so that such
/// an organization is neither listed as deleted, nor brought back, nor purged.
pub const HIDDEN_AT: Timestamp = Timestamp::from_micros(-1);

/// The mark of an organization that an import is filling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationImportMark {
    /// The organization.
    pub organization: OrganizationId,
    /// The first organization of the file.
    pub root: OrganizationId,
    /// The import that fills it.
    pub import: Uuid,
    /// The end of the lease of the import, in the row of the first organization.
    pub leased_until: Option<Timestamp>,
    /// Whether the import has taken the slug.
    pub has_new_slug: bool,
}

const COLUMNS: &str = "organization_id, root_id, import_id, leased_until, has_new_slug";

fn import(row: &Row<'_>) -> Result<OrganizationImportMark, StoreError> {
    Ok(OrganizationImportMark {
        organization: row.get(0)?,
        root: row.get(1)?,
        import: row.get(2)?,
        leased_until: row.get(3)?,
        has_new_slug: row.get(4)?,
    })
}

impl Tx<'_> {
    /// The import of an organization, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_import(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<OrganizationImportMark>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM organization_imports WHERE organization_id = ?1{}",
            self.for_update()
        );
        self.first(&sql, &[organization.into()], import).await
    }

    /// Whether an import is filling an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_is_in_import(
        &mut self,
        organization: OrganizationId,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM organization_imports WHERE organization_id = ?1";
        Ok(self.first(sql, &[organization.into()], |_| Ok(())).await?.is_some())
    }

    /// The organizations of one import, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_imports(
        &mut self,
        root: OrganizationId,
    ) -> Result<Vec<OrganizationImportMark>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM organization_imports WHERE root_id = ?1 ORDER BY root_id, organization_id"
        );
        self.all(&sql, &[root.into()], import).await
    }

    /// At most `limit` imports whose lease has ended before `now`, by their first organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_imports_abandoned(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        let sql = "SELECT organization_id FROM organization_imports WHERE leased_until < ?1
             ORDER BY leased_until LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| row.get(0)).await
    }

    /// Inserts the mark of an organization that an import fills.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `organization_imports_pkey` when another import does.
    pub async fn organization_import_insert(
        &mut self,
        new: &OrganizationImportMark,
    ) -> Result<(), StoreError> {
        let OrganizationImportMark { organization, root, import, leased_until, has_new_slug } = new;
        self.execute_unawaited(
            "INSERT INTO organization_imports (organization_id, root_id, import_id, leased_until, has_new_slug)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                (*organization).into(),
                (*root).into(),
                (*import).into(),
                (*leased_until).into(),
                (*has_new_slug).into(),
            ],
        )
        .await
    }

    /// Gives an import the lease of its organizations until a time. The caller has locked the first organization's row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_import_lease(
        &mut self,
        root: OrganizationId,
        import: Uuid,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE organization_imports SET import_id = ?2, leased_until = ?3 WHERE organization_id = ?1",
            &[root.into(), import.into(), until.into()],
        )
        .await
    }

    /// Deletes the mark of an organization, which is complete or removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_import_delete(
        &mut self,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM organization_imports WHERE organization_id = ?1";
        self.execute_unawaited(sql, &[organization.into()]).await
    }

    /// Makes an organization visible that an import has filled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_reveal(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        let sql = "UPDATE organizations SET deleted_at = NULL WHERE id = ?1";
        self.execute_unawaited(sql, &[id.into()]).await
    }
}
