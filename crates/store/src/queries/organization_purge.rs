//! The purge of organizations: the removal of all their rows in bounded parts. An import of an organization that ended
//! early is removed in the same way.

use tenantry_core::Timestamp;
use tenantry_core::ids::{ImportId, OrganizationId, UserId};
use tenantry_core::values::Slug;
use uuid::Uuid;

use super::LISTED;
use crate::row::Row;
use crate::schema::{Catalog, Column, ColumnKind, Purge, TENANT_TABLES, Table, TenantTable};
use crate::value::Param;
use crate::{StoreError, Tx};

/// The rows that a purge deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgedRows {
    /// The rows of an organization that was deleted. Audit entries about users, who outlive it, move to the log of the
    /// installation. Tables with few rows are left to [`Tx::organization_purge`].
    OfDeleted,
    /// The rows of an organization that an import has filled and never revealed. Nothing outside of it may change: the file
    /// may name rows of others.
    OfImport,
}

impl PurgedRows {
    fn contain(self, table: &TenantTable) -> bool {
        match self {
            Self::OfDeleted => table.purge == Purge::InParts,
            Self::OfImport => {
                table.purge == Purge::InParts
                    || table.purge == Purge::WithTheRest
                    || table.name == "webhook_queues"
            }
        }
    }
}

/// An audit entry about a user, as it is stored.
struct Entry {
    id: Uuid,
    created_at: Timestamp,
    actor_kind: String,
    actor: Option<Uuid>,
    action: String,
    subject: Uuid,
    before: Option<String>,
    after: Option<String>,
    request_id: Option<String>,
    credential: Option<Uuid>,
}

impl Entry {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            created_at: row.get(1)?,
            actor_kind: row.get(2)?,
            actor: row.get(3)?,
            action: row.get(4)?,
            subject: row.get(5)?,
            before: row.get(6)?,
            after: row.get(7)?,
            request_id: row.get(8)?,
            credential: row.get(9)?,
        })
    }
}

impl Tx<'_> {
    /// Organizations whose purge has begun, the earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations_in_purge(&mut self) -> Result<Vec<OrganizationId>, StoreError> {
        let sql = "SELECT id FROM organizations WHERE purge_began_at > 0 ORDER BY purge_began_at";
        self.all(sql, &[], |row| row.get(0)).await
    }

    /// Organizations to purge: those whose purge has begun, and those that were deleted before a time. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations_to_purge(
        &mut self,
        deleted_before: Timestamp,
        limit: i64,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        let mut found = self.organizations_in_purge().await?;
        let due = "SELECT id FROM organizations WHERE deleted_at > 0 AND deleted_at < ?1 ORDER BY deleted_at LIMIT ?2";
        for id in self.all(due, &[deleted_before.into(), limit.into()], |row| row.get(0)).await? {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Marks the purge of a deleted organization as begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_begin_purge(
        &mut self,
        id: OrganizationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE organizations SET purge_began_at = ?2 WHERE id = ?1";
        self.execute_unawaited(sql, &[id.into(), now.into()]).await
    }

    /// Deletes some sub-accounts of an organization in purge, and begins their purge. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sub_accounts_begin_purge(
        &mut self,
        parent: OrganizationId,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql =
            format!("SELECT id FROM organizations WHERE parent_id = ?1 AND {LISTED} ORDER BY id LIMIT ?2");
        let children: Vec<OrganizationId> =
            self.all(&sql, &[parent.into(), limit.into()], |row| row.get(0)).await?;
        for child in &children {
            self.execute_unawaited(
                "UPDATE organizations SET deleted_at = ?2, purge_began_at = ?2 WHERE id = ?1",
                &[(*child).into(), now.into()],
            )
            .await?;
        }
        if !children.is_empty() {
            self.mark_credentials_changed();
        }
        Ok(children.len())
    }

    /// Deletes the delivery queues of an organization that no worker has leased at `now`. Returns whether none is left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_purge(
        &mut self,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.execute_unawaited(
            "DELETE FROM webhook_queues WHERE organization_id = ?1 AND coalesce(leased_until, 0) <= ?2",
            &[organization.into(), now.into()],
        )
        .await?;
        let sql = "SELECT 1 FROM webhook_queues WHERE organization_id = ?1 LIMIT 1";
        Ok(self.first(sql, &[organization.into()], |_| Ok(())).await?.is_none())
    }

    /// Deletes about `limit` rows of an organization, with the rows of other tables that refer to them. Returns whether
    /// more are left. Several round trips for each table.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_rows_purge(
        &mut self,
        organization: OrganizationId,
        limit: i64,
        which: PurgedRows,
    ) -> Result<bool, StoreError> {
        let import = "SELECT id FROM customer_imports WHERE organization_id = ?1 ORDER BY id LIMIT 1";
        let import = self.first(import, &[organization.into()], |row| row.get::<ImportId>(0)).await?;
        if let Some(import) = import {
            self.customer_import_delete(organization, import, limit).await?;
            return Ok(true);
        }
        let mut left = limit;
        for table in Catalog::now()?.tenant_tables(|table| which.contain(table)).iter().rev() {
            let deleted = self.table_rows_purge(organization, table, left, which).await?;
            left = left.saturating_sub(i64::try_from(deleted).unwrap_or(i64::MAX));
            if left <= 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes the first rows of an organization in a table, with the rows that refer to them. Returns how many.
    async fn table_rows_purge(
        &mut self,
        organization: OrganizationId,
        table: &Table,
        limit: i64,
        which: PurgedRows,
    ) -> Result<usize, StoreError> {
        let column = table.key_columns().nth(1).filter(|column| column.kind == ColumnKind::Id);
        let Some(Column { name: column, .. }) = column else {
            return self.tenant_rows_delete(table, organization, limit).await;
        };
        let table = table.name.as_str();
        let rows =
            format!("SELECT {column} FROM {table} WHERE organization_id = ?1 ORDER BY {column} LIMIT ?2");
        let ids: Vec<Uuid> = self.all(&rows, &[organization.into(), limit.into()], |row| row.get(0)).await?;
        let Some(last) = ids.last() else { return Ok(0) };
        self.references_purge(organization, table, *last, which).await?;
        self.execute_unawaited(
            &format!("DELETE FROM {table} WHERE organization_id = ?1 AND {column} <= ?2"),
            &[organization.into(), (*last).into()],
        )
        .await?;
        Ok(ids.len())
    }

    /// Deletes the rows that refer to the rows of a table up to `last`, in tables without an organization.
    async fn references_purge(
        &mut self,
        organization: OrganizationId,
        table: &str,
        last: Uuid,
        which: PurgedRows,
    ) -> Result<(), StoreError> {
        let is_deleted = which == PurgedRows::OfDeleted;
        let params = [organization.into(), last.into()];
        match table {
            "access_tokens" => {
                let sql = "SELECT secret_hash, previous_secret_hash FROM access_tokens
                     WHERE organization_id = ?1 AND id <= ?2";
                self.secrets_purge(organization, sql, &params).await
            }
            "customer_sessions" => {
                let sql = "SELECT secret_hash, secret_hash FROM customer_sessions
                     WHERE organization_id = ?1 AND id <= ?2";
                self.secrets_purge(organization, sql, &params).await
            }
            "email_updates" => {
                let sql = "SELECT secret_hash, secret_hash FROM email_updates
                     WHERE organization_id = ?1 AND customer_id <= ?2";
                self.secrets_purge(organization, sql, &params).await
            }
            "invitations" => {
                let sql = "SELECT secret_hash, secret_hash FROM invitations
                     WHERE organization_id = ?1 AND id <= ?2";
                self.secrets_purge(organization, sql, &params).await?;
                self.invitation_addresses_purge(organization, &params).await
            }
            "customers" if is_deleted => {
                let sql = "SELECT id FROM customers WHERE organization_id = ?1 AND id <= ?2";
                self.callers_purge(organization, sql, &params).await
            }
            "members" if is_deleted => {
                let sql = "SELECT id FROM members WHERE organization_id = ?1 AND id <= ?2";
                self.callers_purge(organization, sql, &params).await
            }
            "audit_entries" => {
                if is_deleted {
                    self.user_entries_keep(&params).await?;
                }
                let sql = "SELECT subject_id FROM audit_entries WHERE organization_id = ?1 AND id <= ?2
                     AND (nullif(action, '') LIKE 'team_member.%' OR nullif(action, '') LIKE 'user.%')";
                self.memberships_purge(organization, sql, &params).await
            }
            "team_members" => {
                let sql = "SELECT user_id FROM team_members WHERE organization_id = ?1 AND user_id <= ?2";
                self.memberships_purge(organization, sql, &params).await
            }
            _ => Ok(()),
        }
    }

    /// Deletes the credentials of an organization whose hashes a query selects.
    async fn secrets_purge(
        &mut self,
        organization: OrganizationId,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let hashes: Vec<[Option<Vec<u8>>; 2]> =
            self.all(sql, params, |row| Ok([row.get(0)?, row.get(1)?])).await?;
        for hash in hashes.into_iter().flatten().flatten() {
            // The rows of an import may name the hash of a credential that is not its own.
            let sql = "DELETE FROM credentials WHERE secret_hash = ?1 AND organization_id = ?2";
            self.execute_unawaited(sql, &[hash.as_slice().into(), organization.into()]).await?;
        }
        Ok(())
    }

    /// Deletes the counters of the customers that a query selects, and the stored responses of these customers or
    /// members.
    async fn callers_purge(
        &mut self,
        organization: OrganizationId,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = self.all(sql, params, |row| row.get(0)).await?;
        for id in ids {
            self.execute_unawaited(
                "DELETE FROM row_counters
                 WHERE organization_id = ?1 AND counter = 'customer_members' AND subject_id = ?2",
                &[organization.into(), id.into()],
            )
            .await?;
            let responses = "DELETE FROM idempotency_records WHERE organization_id = ?1";
            self.execute_unawaited(responses, &[id.into()]).await?;
        }
        Ok(())
    }

    /// Moves the entries about users, who outlive the organization that added them, to the log of the installation.
    async fn user_entries_keep(&mut self, params: &[Param<'_>]) -> Result<(), StoreError> {
        let sql =
            "SELECT id, created_at, actor_kind, actor_id, action, subject_id, before, after, request_id,
                credential_id
             FROM audit_entries WHERE organization_id = ?1 AND id <= ?2 AND nullif(action, '') LIKE 'user.%'";
        let entries = self.all(sql, params, Entry::read).await?;
        for entry in entries {
            self.execute_unawaited(
                "INSERT INTO audit_entries (organization_id, id, created_at, actor_kind, actor_id, action,
                    subject_id, before, after, request_id, credential_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                &[
                    Uuid::nil().into(),
                    entry.id.into(),
                    entry.created_at.into(),
                    entry.actor_kind.as_str().into(),
                    entry.actor.into(),
                    entry.action.as_str().into(),
                    entry.subject.into(),
                    entry.before.as_deref().into(),
                    entry.after.as_deref().into(),
                    entry.request_id.as_deref().into(),
                    entry.credential.into(),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Deletes the memberships in an organization of the people that a query selects.
    async fn memberships_purge(
        &mut self,
        organization: OrganizationId,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let people: Vec<UserId> = self.all(sql, params, |row| row.get(0)).await?;
        for user in people {
            for sql in [
                "DELETE FROM user_organizations WHERE user_id = ?1 AND organization_id = ?2",
                "DELETE FROM former_team_members WHERE user_id = ?1 AND organization_id = ?2",
            ] {
                self.execute_unawaited(sql, &[user.into(), organization.into()]).await?;
            }
        }
        Ok(())
    }

    /// Deletes the last rows of an organization and the organization. Its slug stays taken and names no organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_purge(&mut self, id: OrganizationId, slug: &Slug) -> Result<(), StoreError> {
        for table in TENANT_TABLES.iter().filter(|table| table.purge == Purge::WithTheRest) {
            let sql = format!("DELETE FROM {} WHERE organization_id = ?1", table.name);
            self.execute_unawaited(&sql, &[id.into()]).await?;
        }
        self.execute_unawaited("DELETE FROM organizations WHERE id = ?1", &[id.into()]).await?;
        let sql = "UPDATE organization_slugs SET organization_id = NULL WHERE slug = ?1";
        self.execute_unawaited(sql, &[slug.as_str().into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }
}
