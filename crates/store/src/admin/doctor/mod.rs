//! Whether what must always hold does: `docs/ARCHITECTURE.md` names the invariants, this looks for rows that
//! break them. The program keeps them; this finds a defect of it, a damaged file, or a hand in the database.
//!
//! It reads in parts and keeps nothing, so its memory does not grow with the database. It looks across all
//! tenants, in one snapshot.

mod forgotten;
mod metadata;
mod queries;
mod traces;
mod values;

use std::fmt::{self, Write};

use crate::admin::rows::{ColumnValue, RowValues};
use crate::schema::{Catalog, Table};
use crate::{StoreError, Tx};

/// Rows read at once.
const ROWS: i64 = 500;

/// A row that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The invariant that it breaks.
    pub check: &'static str,
    /// Its table.
    pub table: String,
    /// Its primary key, by column.
    pub key: Vec<(String, ColumnValue)>,
    /// What is wrong with it.
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
                // A finding is one line.
                letter if letter.is_control() => f.write_char('?'),
                letter => f.write_char(letter),
            }),
        }
    }
}

/// One thing that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The invariant.
    pub check: &'static str,
    /// The table whose rows are looked at.
    pub table: &'static str,
    /// What is said of a row that breaks it.
    pub says: &'static str,
}

/// Everything that is looked at.
pub fn rules() -> impl Iterator<Item = Rule> {
    let queries = queries::CHECKS.iter().chain(traces::CHECKS);
    let values = values::CHECKS.iter();
    queries
        .map(|one| Rule { check: one.name, table: one.table, says: one.says })
        .chain(values.map(|one| Rule { check: one.name, table: one.table, says: one.says }))
        .chain([metadata::RULE])
        .chain(forgotten::rules())
}

/// Looks at everything and hands each finding to `found`; `tx` is that of a snapshot, with its vault.
///
/// # Errors
/// When the database fails.
pub async fn inspect(tx: &mut Tx<'_>, mut found: impl FnMut(Finding)) -> Result<(), StoreError> {
    let catalogue = Catalog::now()?;
    // What the engine says of its file; the rows may tell nothing of it.
    for says in tx.file_faults().await? {
        let (check, table) = ("a whole file", "the file".to_owned());
        found(Finding { check, table, key: Vec::new(), says });
    }
    queries::inspect(tx, &catalogue, &mut found).await?;
    values::inspect(tx, &catalogue, &mut found).await?;
    metadata::inspect(tx, &catalogue, &mut found).await?;
    forgotten::inspect(tx, &catalogue, &mut found).await
}

/// The rows of a table that `which` is true of, in parts.
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

    /// The next part; nothing after the last.
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
