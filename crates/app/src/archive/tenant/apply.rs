//! Writes rows of one table while their organizations are hidden.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{Catalog, ColumnValue, RowValues, Table, Tx};
use uuid::Uuid;

use super::run::{Run, Step};
use super::stage::table;
use super::tables;
use crate::archive::ArchiveError;

/// Some rows or keys of one table.
pub(super) type Rows = Arc<[RowValues]>;

/// A change of some rows of one table.
pub(super) enum Change {
    /// Inserts rows.
    Insert(Rows),
    /// Inserts rows or replaces those with their keys.
    Upsert(Rows),
    /// Deletes the rows with these keys.
    Remove(Rows),
    /// Sets a column of the rows with these keys so that they are in no unique index ([`tables::parked`]). Their new
    /// values follow.
    Park(Rows),
}

/// Makes a change, and reads the written rows back to compare them.
pub(super) struct Apply {
    pub(super) table: Arc<Table>,
    pub(super) change: Change,
}

impl Step for Apply {
    type Output = ();

    async fn change(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext, _: Run) -> Result<(), ArchiveError> {
        let Self { table, change } = self;
        match change {
            Change::Insert(rows) => {
                tx.rows_insert(table, rows).await?;
                add_memberships(tx, table, rows).await?;
                verify(tx, table, rows, false).await
            }
            Change::Upsert(rows) => {
                for row in rows.iter() {
                    check_owner(tx, table, row).await?;
                    tx.row_upsert(table, row).await?;
                }
                add_memberships(tx, table, rows).await?;
                verify(tx, table, rows, true).await
            }
            Change::Remove(keys) => {
                for key in keys.iter() {
                    tx.row_delete(table, key).await?;
                    if table.name == "team_members" {
                        remove_membership(tx, key).await?;
                    }
                }
                Ok(())
            }
            Change::Park(keys) => {
                let Some((column, value)) = tables::parked(&table.name) else { return Ok(()) };
                for key in keys.iter() {
                    tx.row_set(table, key, (column, &value)).await?;
                }
                Ok(())
            }
        }
    }
}

/// Checks that a row replaces none of another organization. A table that is keyed by organization has no such row.
async fn check_owner(tx: &mut Tx<'_>, table: &Table, row: &RowValues) -> Result<(), ArchiveError> {
    if table.is_keyed_by_tenant() {
        return Ok(());
    }
    let owner =
        |row: &RowValues| table.tenant_column().and_then(|column| tables::id(table, row, &column.name));
    match tx.row_by_key(table, &table.key_of(row)).await? {
        Some(found) if owner(&found) != owner(row) => {
            let what = format!("another organization has a row of table {} with the same key", table.name);
            Err(ArchiveError::Conflict(what))
        }
        _ => Ok(()),
    }
}

/// Reads rows back and compares them with those that were written.
async fn verify(
    tx: &mut Tx<'_>,
    table: &Table,
    rows: &[RowValues],
    by_key: bool,
) -> Result<(), ArchiveError> {
    let mismatch = || ArchiveError::ChecksumMismatch(table.name.clone());
    if by_key || !table.is_keyed_by_tenant() {
        for row in rows {
            let stored = tx.row_by_key(table, &table.key_of(row)).await?;
            if stored.as_ref() != Some(row) {
                return Err(mismatch());
            }
        }
        return Ok(());
    }
    let mut expected: BTreeMap<RowValues, &RowValues> = BTreeMap::new();
    expected.extend(rows.iter().map(|row| (table.key_of(row), row)));
    let tenant = |key: &RowValues| match key.first() {
        Some(ColumnValue::Id(id)) => Some(OrganizationId::new(*id)),
        _ => None,
    };
    while let Some((first, organization)) =
        expected.first_key_value().and_then(|(first, _)| Some((first.clone(), tenant(first)?)))
    {
        let of_tenant = expected.keys().take_while(|key| tenant(key) == Some(organization));
        let last = of_tenant.last().cloned().unwrap_or_else(|| first.clone());
        for row in tx.tenant_rows_between(table, organization, (&first, &last)).await? {
            if expected.remove(&table.key_of(&row)).is_some_and(|expected| *expected != row) {
                return Err(mismatch());
            }
        }
        if expected.keys().next().and_then(tenant) == Some(organization) {
            return Err(mismatch());
        }
    }
    if expected.is_empty() { Ok(()) } else { Err(mismatch()) }
}

/// The membership of a row of `team_members` or of its key, as a row of `user_organizations`.
fn membership(organization: Option<Uuid>, user: Option<Uuid>) -> Option<RowValues> {
    Some(vec![ColumnValue::Id(user?), ColumnValue::Id(organization?)])
}

async fn add_memberships(tx: &mut Tx<'_>, of: &Table, rows: &[RowValues]) -> Result<(), ArchiveError> {
    if of.name != "team_members" {
        return Ok(());
    }
    let memberships = table(&Catalog::now()?, "user_organizations")?;
    for row in rows {
        let [organization, user] = ["organization_id", "user_id"].map(|column| tables::id(of, row, column));
        if let Some(row) = membership(organization, user) {
            tx.row_upsert(&memberships, &row).await?;
        }
    }
    Ok(())
}

/// Deletes the row of `user_organizations` that belongs to a key of `team_members`.
async fn remove_membership(tx: &mut Tx<'_>, key: &RowValues) -> Result<(), ArchiveError> {
    if let [ColumnValue::Id(organization), ColumnValue::Id(user)] = key.as_slice()
        && let Some(key) = membership(Some(*organization), Some(*user))
    {
        tx.row_delete(&*table(&Catalog::now()?, "user_organizations")?, &key).await?;
    }
    Ok(())
}
