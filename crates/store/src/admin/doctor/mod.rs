//! The doctor: finds rows that break an invariant of `docs/ARCHITECTURE.md`.
//!
//! The program maintains the invariants. A finding therefore means a defect in the program, a damaged file, or a
//! change that was made directly in the database.
//!
//! The doctor reads all tenants' rows in one snapshot. It reads `ROWS` rows at a time and keeps none of them, so its
//! memory does not grow with the database. An organization in purge has lost some of its rows, so findings about its
//! remaining rows are left out.

mod anonymized;
mod audit;
mod check;
mod forms;
mod metadata;
mod queries;
mod step;
mod tenant;
mod values;

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

pub use step::{Step, StepReport, steps};
pub use tenant::inspect_import;
pub use values::{ValueFault, value_fault};

use crate::admin::rows::{ColumnValue, RowValues};
use crate::schema::{Catalog, Table};
use crate::{StoreError, Tx};

/// Rows per query.
const ROWS: i64 = 500;

/// A row that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the invariant in `docs/ARCHITECTURE.md`.
    pub invariant: &'static str,
    /// The table of the row.
    pub table: String,
    /// The names and values of the row's primary key; empty for a finding about the file.
    pub key: Vec<(String, ColumnValue)>,
    /// The description of the fault, as shown to the operator.
    pub description: String,
}

impl Finding {
    fn new(rule: &Rule, table: &Table, row: &[ColumnValue]) -> Self {
        let names = table.key_columns().map(|column| column.name.clone());
        Self {
            invariant: rule.invariant,
            table: table.name.clone(),
            key: names.zip(table.key_of(row)).collect(),
            description: rule.description.to_owned(),
        }
    }
}

impl Finding {
    /// Whether the row is of one of these organizations, or one of them itself.
    fn is_about_any(&self, organizations: &BTreeSet<Uuid>) -> bool {
        let names_it =
            |name: &str| name == "organization_id" || self.table == "organizations" && name == "id";
        // An organization in purge must be deleted, so this invariant is checked.
        self.invariant != "kept while deleted"
            && self.key.iter().any(|(name, value)| {
                names_it(name) && matches!(value, ColumnValue::Id(id) if organizations.contains(id))
            })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.table)?;
        for (column, value) in &self.key {
            write!(f, " {column}={value}")?;
        }
        write!(f, ": {}", self.description)
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
    /// The name of the invariant in `docs/ARCHITECTURE.md`.
    pub invariant: &'static str,
    /// The table whose rows are checked.
    pub table: &'static str,
    /// The description of a row that breaks the invariant.
    pub description: &'static str,
}

/// Every check of the doctor.
pub fn rules() -> impl Iterator<Item = Rule> {
    let queries = queries::CHECKS.iter().chain(audit::CHECKS).map(|check| check.rule);
    let values = values::CHECKS.iter().map(|check| check.rule);
    queries.chain(values).chain([metadata::RULE]).chain(anonymized::rules())
}

/// The tables and conditions of the checks between rows.
#[cfg(test)]
pub(crate) fn conditions() -> impl Iterator<Item = (&'static str, &'static str)> {
    queries::CHECKS.iter().chain(audit::CHECKS).map(|check| (check.rule.table, check.fault))
}

/// Runs every check and passes each finding to `found`. `tx` belongs to a snapshot and has a vault.
///
/// # Errors
/// When the database fails.
pub async fn inspect(tx: &mut Tx<'_>, mut found: impl FnMut(Finding)) -> Result<(), StoreError> {
    let catalog = Catalog::now()?;
    let in_purge: BTreeSet<Uuid> =
        tx.organizations_in_purge().await?.into_iter().map(OrganizationId::uuid).collect();
    let mut found = |finding: Finding| {
        if !finding.is_about_any(&in_purge) {
            found(finding);
        }
    };
    for step in steps(&catalog) {
        step.inspect(tx, &catalog, &mut found).await?;
    }
    Ok(())
}

/// Reads the rows of a table that meet an SQL condition, [`ROWS`] at a time.
struct Batches<'a> {
    table: &'a Table,
    condition: &'a str,
    /// The organization whose rows are read alone.
    only: Option<OrganizationId>,
    after: Option<RowValues>,
    done: bool,
}

impl<'a> Batches<'a> {
    const fn new(table: &'a Table, condition: &'a str) -> Self {
        Self { table, condition, only: None, after: None, done: false }
    }

    /// The same for the rows of one organization.
    fn of(self, only: Option<OrganizationId>) -> Self {
        Self { only, ..self }
    }

    /// The next rows, or `None` after the last.
    async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<Vec<RowValues>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let rows = match self.only {
            None => tx.rows_after_where(self.table, self.condition, self.after.as_deref(), ROWS).await?,
            Some(organization) => {
                let which = (self.condition, organization);
                tx.tenant_rows_where(self.table, which, self.after.as_deref(), ROWS).await?
            }
        };
        self.done = i64::try_from(rows.len()).is_ok_and(|count| count < ROWS);
        self.after = rows.last().map(|row| self.table.key_of(row));
        Ok((!rows.is_empty()).then_some(rows))
    }
}
