//! Reads and writes the raw rows of one organization in any table of the [`Catalog`](crate::Catalog), for the export
//! and import of organizations.
//!
//! The primary key of most of these tables begins with the organization. In `credentials` and `former_team_members` it
//! does not, so a query for one organization reads all rows of these tables.

use std::fmt::Write;

use tenantry_core::ids::OrganizationId;

use super::rows::{ColumnValue, RowValues, names, places};
use crate::error::unexpected;
use crate::schema::{ColumnKind, Table};
use crate::value::Param;
use crate::{StoreError, Tx};

fn tenant(table: &Table) -> Result<&str, StoreError> {
    let column = table.tenant_column().map(|column| column.name.as_str());
    column.ok_or_else(|| unexpected(format!("table {} has no organization", table.name)))
}

fn key_params<'a>(table: &Table, key: &'a [ColumnValue]) -> Vec<Param<'a>> {
    key.iter().zip(table.key_columns()).map(|(field, column)| field.param(column.kind)).collect()
}

/// The condition that the primary key has the values of the parameters from `first` on.
fn has_key(table: &Table, first: usize) -> String {
    let columns = table.key_columns().zip(first..);
    columns.map(|(column, place)| format!("{} = ?{place}", column.name)).collect::<Vec<_>>().join(" AND ")
}

impl Tx<'_> {
    /// Reads at most `limit` rows of some organizations in the order of the primary key, beginning after the key
    /// `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_rows_after(
        &mut self,
        table: &Table,
        organizations: &[OrganizationId],
        after: Option<&[ColumnValue]>,
        limit: i64,
    ) -> Result<Vec<RowValues>, StoreError> {
        let places: Vec<String> = (2..organizations.len() + 2).map(|place| format!("?{place}")).collect();
        let which = match places.as_slice() {
            [] => return Ok(Vec::new()),
            [one] => format!("t.{} = {one}", tenant(table)?),
            several => format!("t.{} IN ({})", tenant(table)?, several.join(", ")),
        };
        let values = organizations.iter().map(|id| (*id).into()).collect();
        self.rows_where(table, (&which, values), after, limit).await
    }

    /// Reads at most `limit` rows of an organization for which an SQL condition on the table `t` is true, in the order
    /// of the primary key, beginning after the key `after`.
    pub(super) async fn tenant_rows_where(
        &mut self,
        table: &Table,
        (condition, organization): (&str, OrganizationId),
        after: Option<&[ColumnValue]>,
        limit: i64,
    ) -> Result<Vec<RowValues>, StoreError> {
        let which = format!("t.{} = ?2 AND ({condition})", tenant(table)?);
        self.rows_where(table, (&which, vec![organization.into()]), after, limit).await
    }

    /// Reads the rows of an organization whose primary key is neither below `first` nor above `last`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_rows_between(
        &mut self,
        table: &Table,
        organization: OrganizationId,
        (first, last): (&[ColumnValue], &[ColumnValue]),
    ) -> Result<Vec<RowValues>, StoreError> {
        let (key, width) = (names(table.key_columns()), table.key.len());
        let list = |from: usize| {
            (from..from + width).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ")
        };
        let which = format!(
            "t.{} = ?2 AND ({key}) >= ({}) AND ({key}) <= ({})",
            tenant(table)?,
            list(3),
            list(3 + width)
        );
        let mut params = vec![organization.into()];
        params.extend(key_params(table, first));
        params.extend(key_params(table, last));
        self.rows_where(table, (&which, params), None, i64::MAX).await
    }

    /// The number of rows of an organization in a table.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_rows_count(
        &mut self,
        table: &Table,
        organization: OrganizationId,
    ) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE {} = ?1", table.name, tenant(table)?);
        Ok(self.first(&sql, &[organization.into()], |row| row.get::<i64>(0)).await?.unwrap_or(0))
    }

    /// Deletes at most `limit` rows of an organization, those with the first keys. Returns their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_rows_delete(
        &mut self,
        table: &Table,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let (key, name, column) = (names(table.key_columns()), &table.name, tenant(table)?);
        let kinds: Vec<ColumnKind> = table.key_columns().map(|column| column.kind).collect();
        // A separate query: Citus does not accept a subquery in a DELETE on several shards.
        let last = format!("SELECT {key} FROM {name} WHERE {column} = ?1 ORDER BY {key} LIMIT 1 OFFSET ?2");
        let last: Option<RowValues> = self
            .first(&last, &[organization.into(), limit.saturating_sub(1).into()], |row| {
                kinds.iter().enumerate().map(|(index, kind)| ColumnValue::read(row, index, *kind)).collect()
            })
            .await?;
        let (mut sql, mut params) =
            (format!("DELETE FROM {name} WHERE {column} = ?1"), vec![organization.into()]);
        if let Some(last) = &last {
            params.extend(key_params(table, last));
            let list: Vec<String> = (2..=params.len()).map(|place| format!("?{place}")).collect();
            // Writing to a string cannot fail.
            let _ = write!(sql, " AND ({key}) <= ({})", list.join(", "));
        }
        self.execute(&sql, &params).await
    }

    /// The row with this primary key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row_by_key(
        &mut self,
        table: &Table,
        key: &[ColumnValue],
    ) -> Result<Option<RowValues>, StoreError> {
        let which = has_key(table, 2);
        Ok(self.rows_where(table, (&which, key_params(table, key)), None, 1).await?.pop())
    }

    /// Inserts a row, or replaces the one with its primary key.
    ///
    /// # Errors
    /// When the database fails, or the row violates a constraint.
    pub async fn row_upsert(&mut self, table: &Table, row: &[ColumnValue]) -> Result<(), StoreError> {
        let others = table.columns.iter().enumerate().filter(|(place, _)| !table.key.contains(place));
        let changes: Vec<String> =
            others.map(|(_, column)| format!("{0} = excluded.{0}", column.name)).collect();
        let action = match changes.as_slice() {
            [] => "NOTHING".to_owned(),
            changes => format!("UPDATE SET {}", changes.join(", ")),
        };
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {} ON CONFLICT ({}) DO {action}",
            table.name,
            names(table.columns.iter()),
            places(1, table.columns.len()),
            names(table.key_columns())
        );
        let params = row.iter().zip(&table.columns).map(|(field, column)| field.param(column.kind));
        self.execute_unawaited(&sql, &params.collect::<Vec<_>>()).await
    }

    /// Deletes the row with this primary key, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row_delete(&mut self, table: &Table, key: &[ColumnValue]) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM {} WHERE {}", table.name, has_key(table, 1));
        self.execute_unawaited(&sql, &key_params(table, key)).await
    }

    /// Changes one column of the row with this primary key, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row_set(
        &mut self,
        table: &Table,
        key: &[ColumnValue],
        (column, value): (&str, &ColumnValue),
    ) -> Result<(), StoreError> {
        let kind = table.position(column).and_then(|place| table.columns.get(place)).map(|one| one.kind);
        let kind = kind.ok_or_else(|| unexpected(format!("table {} has no column {column}", table.name)))?;
        let sql = format!("UPDATE {} SET {column} = ?1 WHERE {}", table.name, has_key(table, 2));
        let mut params = vec![value.param(kind)];
        params.extend(key_params(table, key));
        self.execute_unawaited(&sql, &params).await
    }
}
