//! Sub-accounts: organizations that have a parent. The parent's row counts its sub-accounts. The constraint
//! `organizations_one_level` uses the count so that a sub-account has none of its own.

use std::collections::HashMap;

use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::Organization;

use super::organizations::{COLUMNS, organization};
use super::{Keyset, KeysetPage, LISTED, Query, count};
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The sub-account of this id of this parent, and the size of its team.
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

    /// The sub-account of this id of this parent, locked until the transaction ends.
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

    /// The number of people in an organization's team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_size(&mut self, organization: OrganizationId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM team_members WHERE organization_id = ?1";
        let size = self.first(sql, &[organization.into()], |row| row.get(0)).await?;
        Ok(count(size.unwrap_or(0)))
    }

    /// A page of the list of a parent's sub-accounts, newest first, with the sizes of their teams. One round
    /// trip more than other pages by keyset, for the sizes of the teams.
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

    /// The number of people in the team of each of these organizations.
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

    /// The ids and names of a parent's sub-accounts, oldest first.
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

    /// The number of sub-accounts of a parent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_account_count(&mut self, parent: OrganizationId) -> Result<i64, StoreError> {
        let sql = "SELECT sub_account_count FROM organizations WHERE id = ?1";
        Ok(self.first(sql, &[parent.into()], |row| row.get(0)).await?.unwrap_or(0))
    }

    /// Adds `more` to the number of a parent's sub-accounts. The caller has locked the parent's row.
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
