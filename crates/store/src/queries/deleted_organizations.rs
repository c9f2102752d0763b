//! Deleted organizations, and their return. [`super::organization_purge`] ends them.

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::DeletedOrganization;
use tenantry_core::values::Slug;

use super::LISTED;
use super::organizations::{COLUMNS, organization};
use crate::row::Row;
use crate::{StoreError, Tx};

/// The number of columns of an organization.
const WIDTH: usize = 11;

pub(super) fn deleted(row: &Row<'_>) -> Result<DeletedOrganization, StoreError> {
    let began: Option<Timestamp> = row.get(WIDTH + 1)?;
    Ok(DeletedOrganization {
        organization: organization(row)?,
        deleted_at: row.get(WIDTH)?,
        is_in_purge: began.is_some(),
    })
}

impl Tx<'_> {
    /// The organization of this id in any state, locked until the transaction ends; nothing once it is purged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_in_any_state(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<DeletedOrganization>, StoreError> {
        let hold = self.for_update();
        let sql =
            format!("SELECT {COLUMNS}, deleted_at, purge_began_at FROM organizations WHERE id = ?1{hold}");
        self.first(&sql, &[id.into()], deleted).await
    }

    /// The parent of an organization in any state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_parent(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<OrganizationId>, StoreError> {
        let sql = "SELECT parent_id FROM organizations WHERE id = ?1";
        Ok(self.first(sql, &[id.into()], |row| row.get(0)).await?.flatten())
    }

    /// The slugs of some sub-accounts of a parent, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account_slugs(
        &mut self,
        parent: OrganizationId,
        limit: i64,
    ) -> Result<Vec<Slug>, StoreError> {
        let sql =
            format!("SELECT slug FROM organizations WHERE parent_id = ?1 AND {LISTED} ORDER BY id LIMIT ?2");
        self.all(&sql, &[parent.into(), limit.into()], |row| Ok(Slug::from_stored(row.get(0)?))).await
    }

    /// Ends the deletion of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_undelete(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        let sql = "UPDATE organizations SET deleted_at = NULL WHERE id = ?1";
        self.execute_unawaited(sql, &[id.into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Deleted organizations that are not purged, the earliest deleted first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations_deleted(&mut self) -> Result<Vec<DeletedOrganization>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, deleted_at, purge_began_at FROM organizations WHERE deleted_at > 0
             ORDER BY deleted_at, id"
        );
        self.all(&sql, &[], deleted).await
    }
}
