//! Reads and writes raw rows of any table of the [`Catalog`](crate::Catalog), for backup, restore and the doctor.
//! Only these queries are not limited to one organization: they see every tenant's rows.

use std::fmt::Write;

use uuid::Uuid;

use crate::row::Row;
use crate::schema::{Column, ColumnKind, Table};
use crate::value::Param;
use crate::{StoreError, Tx};

/// The value of one column in one row. Values of one column are ordered as by the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnValue {
    /// SQL `NULL`.
    Null,
    /// A UUID.
    Id(Uuid),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An integer, or a time in microseconds since the Unix epoch.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
}

impl ColumnValue {
    pub(super) fn read(row: &Row<'_>, index: usize, kind: ColumnKind) -> Result<Self, StoreError> {
        Ok(match kind {
            ColumnKind::Id => row.get::<Option<Uuid>>(index)?.map_or(Self::Null, Self::Id),
            ColumnKind::Bytes => row.get::<Option<Vec<u8>>>(index)?.map_or(Self::Null, Self::Bytes),
            ColumnKind::Time | ColumnKind::Int => {
                row.get::<Option<i64>>(index)?.map_or(Self::Null, Self::Int)
            }
            ColumnKind::Bool => row.get::<Option<bool>>(index)?.map_or(Self::Null, Self::Bool),
            ColumnKind::Text => row.get::<Option<String>>(index)?.map_or(Self::Null, Self::Text),
        })
    }

    pub(super) fn param(&self, kind: ColumnKind) -> Param<'_> {
        match (self, kind) {
            (Self::Null, ColumnKind::Id) => None::<Uuid>.into(),
            (Self::Null, ColumnKind::Bytes) => None::<&[u8]>.into(),
            (Self::Null, ColumnKind::Time | ColumnKind::Int) => None::<i64>.into(),
            (Self::Null, ColumnKind::Bool) => None::<bool>.into(),
            (Self::Null, ColumnKind::Text) => None::<&str>.into(),
            (Self::Id(id), _) => (*id).into(),
            (Self::Bytes(bytes), _) => bytes.as_slice().into(),
            (Self::Int(value), _) => (*value).into(),
            (Self::Bool(value), _) => (*value).into(),
            (Self::Text(text), _) => text.as_str().into(),
        }
    }

    /// The approximate size in memory, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
            _ => 16,
        }
    }
}

/// The values of one row, in the order of the table's columns.
pub type RowValues = Vec<ColumnValue>;

/// Rows per `INSERT` statement.
const ROWS_AT_ONCE: usize = 32;

pub(super) fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The placeholders of a `VALUES` list, such as `(?1, ?2), (?3, ?4)`.
pub(super) fn places(rows: usize, columns: usize) -> String {
    let mut sql = String::new();
    for number in 0..rows * columns {
        let open = match (number, number % columns) {
            (0, _) => "(",
            (_, 0) => "), (",
            _ => ", ",
        };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{open}?{}", number + 1);
    }
    sql.push(')');
    sql
}

impl Table {
    /// The values of a row's primary key.
    #[must_use]
    pub fn key_of(&self, row: &[ColumnValue]) -> RowValues {
        self.key.iter().filter_map(|place| row.get(*place).cloned()).collect()
    }
}

impl Tx<'_> {
    /// Reads at most `limit` rows of a table in the order of the primary key, beginning after the key `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_after(
        &mut self,
        table: &Table,
        after: Option<&[ColumnValue]>,
        limit: i64,
    ) -> Result<Vec<RowValues>, StoreError> {
        self.rows_after_where(table, "1 = 1", after, limit).await
    }

    /// Like [`Self::rows_after`], but only rows for which the SQL condition `which` is true. It calls the table `t`.
    pub(crate) async fn rows_after_where(
        &mut self,
        table: &Table,
        which: &str,
        after: Option<&[ColumnValue]>,
        limit: i64,
    ) -> Result<Vec<RowValues>, StoreError> {
        self.rows_where(table, (which, Vec::new()), after, limit).await
    }

    /// Like [`Self::rows_after_where`], with values for the parameters of the condition, which begin with `?2`.
    pub(super) async fn rows_where(
        &mut self,
        table: &Table,
        (which, values): (&str, Vec<Param<'_>>),
        after: Option<&[ColumnValue]>,
        limit: i64,
    ) -> Result<Vec<RowValues>, StoreError> {
        let key: Vec<String> = table.key_columns().map(|column| format!("t.{}", column.name)).collect();
        let key = key.join(", ");
        let columns: Vec<String> = table.columns.iter().map(|column| format!("t.{}", column.name)).collect();
        let mut params: Vec<Param<'_>> = vec![limit.into()];
        params.extend(values);
        let first = params.len() + 1;
        let mut sql = format!("SELECT {} FROM {} AS t WHERE ({which})", columns.join(", "), table.name);
        if let Some(after) = after {
            params.extend(
                after.iter().zip(table.key_columns()).map(|(field, column)| field.param(column.kind)),
            );
            let places: Vec<String> = (first..=params.len()).map(|place| format!("?{place}")).collect();
            let _ = write!(sql, " AND ({key}) > ({})", places.join(", "));
        }
        let _ = write!(sql, " ORDER BY {key} LIMIT ?1");
        self.all(&sql, &params, |row| {
            table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| ColumnValue::read(row, index, column.kind))
                .collect()
        })
        .await
    }

    /// Inserts rows into a table.
    ///
    /// # Errors
    /// When the database fails, or a row violates a constraint.
    pub async fn rows_insert(&mut self, table: &Table, rows: &[RowValues]) -> Result<(), StoreError> {
        let (chunks, rest) = rows.as_chunks::<ROWS_AT_ONCE>();
        // Only two statement texts for each table, so that both stay prepared whatever the number of rows.
        for chunk in chunks.iter().map(<[RowValues; ROWS_AT_ONCE]>::as_slice).chain(rest.chunks(1)) {
            let sql = format!(
                "INSERT INTO {} ({}) VALUES {}",
                table.name,
                names(table.columns.iter()),
                places(chunk.len(), table.columns.len())
            );
            let params = chunk.iter().flat_map(|row| {
                row.iter().zip(&table.columns).map(|(field, column)| field.param(column.kind))
            });
            self.execute_unawaited(&sql, &params.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Whether a table has any row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_exist(&mut self, table: &Table) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        Ok(self.first(&sql, &[], |row| row.get::<i64>(0)).await?.is_some())
    }

    /// The number of rows in a table.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_count(&mut self, table: &Table) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        Ok(self.first(&sql, &[], |row| row.get::<i64>(0)).await?.unwrap_or(0))
    }

    /// Gathers the planner's statistics of a table (`ANALYZE`), as after a restore.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_analyze(&mut self, table: &Table) -> Result<(), StoreError> {
        self.analyze(&table.name).await
    }

    /// Deletes at most `limit` rows of a table and returns their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_delete(&mut self, table: &Table, limit: i64) -> Result<usize, StoreError> {
        let (key, name) = (names(table.key_columns()), &table.name);
        let kinds: Vec<ColumnKind> = table.key_columns().map(|column| column.kind).collect();
        // A separate query: Citus does not accept a subquery in a DELETE on several shards.
        let last = format!("SELECT {key} FROM {name} ORDER BY {key} LIMIT 1 OFFSET ?1");
        let last = self
            .first(&last, &[limit.saturating_sub(1).into()], |row| {
                kinds.iter().enumerate().map(|(index, kind)| ColumnValue::read(row, index, *kind)).collect()
            })
            .await?;
        let Some(last): Option<RowValues> = last else {
            return self.execute(&format!("DELETE FROM {name}"), &[]).await;
        };
        let params: Vec<Param<'_>> =
            last.iter().zip(&kinds).map(|(field, kind)| field.param(*kind)).collect();
        let sql = format!("DELETE FROM {name} WHERE ({key}) <= {}", places(1, params.len()));
        self.execute(&sql, &params).await
    }
}
