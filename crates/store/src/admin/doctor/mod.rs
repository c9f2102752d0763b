//! The doctor: finds rows that break an invariant of `docs/ARCHITECTURE.md`.
//!
//! The program maintains the invariants. A finding therefore means a defect in the program, a damaged file, or a
//! change that was made directly in the database.
//!
//! The doctor reads all tenants' rows in one snapshot. It reads `ROWS` rows at a time and keeps none of them, so
//! its memory does not grow with the database.

mod check;
mod forgotten;
mod metadata;
mod queries;
mod traces;
mod values;

use std::fmt::{self, Write};

use crate::admin::rows::{ColumnValue, RowValues};
use crate::schema::{Catalog, Table};
use crate::{StoreError, Tx};

/// Rows per query.
const ROWS: i64 = 500;

/// A row that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the invariant.
    pub check: &'static str,
    /// The table of the row.
    pub table: String,
    /// The names and values of the row's primary key; empty for a finding about the file.
    pub key: Vec<(String, ColumnValue)>,
    /// The description of the fault, as shown to the operator.
    pub says: String,
}

impl Finding {
    fn new(check: &'static str, table: &Table, row: &[ColumnValue], says: impl Into<String>) -> Self {
        let names = table.key_columns().map(|column| column.name.clone());
        Self {
            check,
            table: table.name.clone(),
            key: names.zip(table.key_of(row)).collect(),
            says: says.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.table)?;
        for (column, value) in &self.key {
            write!(f, " {column}={value}")?;
        }
        write!(f, ": {}", self.says)
    }
}

impl fmt::Display for ColumnValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Id(id) => id.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Int(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Text(text) => text.chars().try_for_each(|letter| match letter {
                // A finding is printed on one line.
                letter if letter.is_control() => f.write_char('?'),
                letter => f.write_char(letter),
            }),
        }
    }
}

/// One check of the doctor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The name of the invariant.
    pub check: &'static str,
    /// The table whose rows are checked.
    pub table: &'static str,
    /// The description of a row that breaks the invariant.
    pub says: &'static str,
}

/// Every check of the doctor.
pub fn rules() -> impl Iterator<Item = Rule> {
    let queries = queries::CHECKS.iter().chain(traces::CHECKS);
    let values = values::CHECKS.iter();
    queries
        .map(|one| Rule { check: one.name, table: one.table, says: one.says })
        .chain(values.map(|one| Rule { check: one.name, table: one.table, says: one.says }))
        .chain([metadata::RULE])
        .chain(forgotten::rules())
}

/// Runs every check and passes each finding to `found`. `tx` belongs to a snapshot and has a vault.
///
/// # Errors
/// When the database fails.
pub async fn inspect(tx: &mut Tx<'_>, mut found: impl FnMut(Finding)) -> Result<(), StoreError> {
    let catalogue = Catalog::now()?;
    // The engine's own check of its file: damage need not show in the rows.
    for says in tx.file_faults().await? {
        let (check, table) = ("a whole file", "the file".to_owned());
        found(Finding { check, table, key: Vec::new(), says });
    }
    queries::inspect(tx, &catalogue, &mut found).await?;
    values::inspect(tx, &catalogue, &mut found).await?;
    metadata::inspect(tx, &catalogue, &mut found).await?;
    forgotten::inspect(tx, &catalogue, &mut found).await
}

/// Reads the rows of a table for which the SQL condition `which` is true, [`ROWS`] at a time.
struct Parts<'a> {
    table: &'a Table,
    which: &'a str,
    after: Option<RowValues>,
    done: bool,
}

impl<'a> Parts<'a> {
    const fn new(table: &'a Table, which: &'a str) -> Self {
        Self { table, which, after: None, done: false }
    }

    /// The next rows, or `None` after the last.
    async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<Vec<RowValues>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let rows = tx.rows_after_where(self.table, self.which, self.after.as_deref(), ROWS).await?;
        self.done = i64::try_from(rows.len()).is_ok_and(|count| count < ROWS);
        self.after = rows.last().map(|row| self.table.key_of(row));
        Ok((!rows.is_empty()).then_some(rows))
    }
}
