//! Sub-accounts: organizations as their parent sees them. A parent's row counts its live children, which
//! keeps a child from having any (`organizations_one_level`).

use std::collections::HashMap;

use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::Organization;

use super::organizations::{COLUMNS, organization};
use super::{Keyset, KeysetPage, LISTED, Query, count};
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The sub-account of this id under this parent, and how many people its team has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account(
        &mut self,
        parent: OrganizationId,
        id: OrganizationId,
    ) -> Result<Option<(Organization, u64)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT count(*) FROM team_members WHERE organization_id = ?1)
             FROM organizations WHERE id = ?1 AND parent_id = ?2 AND deleted_at IS NULL"
        );
        self.first(&sql, &[id.into(), parent.into()], |row| Ok((organization(row)?, count(row.get(11)?))))
            .await
    }

    /// The same without its team, held until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account_for_update(
        &mut self,
        parent: OrganizationId,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        let hold = self.for_update();
        let sql = format!(
            "SELECT {COLUMNS} FROM organizations
             WHERE id = ?1 AND parent_id = ?2 AND deleted_at IS NULL{hold}"
        );
        self.first(&sql, &[id.into(), parent.into()], organization).await
    }

    /// How many people the team of an organization has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_size(&mut self, organization: OrganizationId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM team_members WHERE organization_id = ?1";
        let size = self.first(sql, &[organization.into()], |row| row.get(0)).await?;
        Ok(count(size.unwrap_or(0)))
    }

    /// A part of the list of the live sub-accounts of a parent, newest first, with the sizes of their teams.
    /// One more round trip than other parts: sizes and rows of several tenants are asked for apart.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_accounts_by_cursor(
        &mut self,
        parent: OrganizationId,
        keyset: Keyset,
    ) -> Result<KeysetPage<(Organization, u64)>, StoreError> {
        let mut query = Query::new("FROM organizations WHERE parent_id = ");
        let parent = query.param(parent);
        query.push(&format!("{parent} AND {LISTED}"));
        let KeysetPage { items, newer, older } =
            self.keyset_page(COLUMNS, &query, keyset, organization, |child| child.id.uuid()).await?;
        let ids: Vec<OrganizationId> = items.iter().map(|child| child.id).collect();
        let mut sizes = self.team_sizes(&ids).await?;
        let sized = items.into_iter().map(|child| {
            let size = sizes.remove(&child.id).unwrap_or(0);
            (child, size)
        });
        Ok(KeysetPage { items: sized.collect(), newer, older })
    }

    /// How many people the teams of these organizations have.
    async fn team_sizes(
        &mut self,
        organizations: &[OrganizationId],
    ) -> Result<HashMap<OrganizationId, u64>, StoreError> {
        if organizations.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Query::new("SELECT organization_id, count(*) FROM team_members WHERE ");
        query.organizations("organization_id", organizations);
        query.push(" GROUP BY organization_id");
        let sizes = self.all(&query.sql, &query.params, |row| Ok((row.get(0)?, count(row.get(1)?)))).await?;
        Ok(sizes.into_iter().collect())
    }

    /// The live sub-accounts of a parent, oldest first: their ids and names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account_names(
        &mut self,
        parent: OrganizationId,
    ) -> Result<Vec<(OrganizationId, String)>, StoreError> {
        let sql = format!("SELECT id, name FROM organizations WHERE parent_id = ?1 AND {LISTED} ORDER BY id");
        self.all(&sql, &[parent.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// How many live sub-accounts a parent has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account_count(&mut self, parent: OrganizationId) -> Result<i64, StoreError> {
        let sql = "SELECT sub_account_count FROM organizations WHERE id = ?1";
        Ok(self.first(sql, &[parent.into()], |row| row.get(0)).await?.unwrap_or(0))
    }

    /// Counts `more` sub-accounts of a parent, whose row is held.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `organizations_one_level` when the parent is a sub-account itself.
    pub async fn sub_account_count_add(
        &mut self,
        parent: OrganizationId,
        more: i64,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE organizations SET sub_account_count = sub_account_count + ?2 WHERE id = ?1";
        self.execute_unawaited(sql, &[parent.into(), more.into()]).await
    }
}
