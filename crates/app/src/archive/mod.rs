//! Backup, restore and copy of all data, and the export and import of one organization (`archive::tenant`).
//!
//! Whole rows are moved, as the store's [`Catalog`](tenantry_store::Catalog) describes them: ids, hashes, outboxes,
//! everything but the key of hashes and seals. A database that is being filled has a mark ([`UNFINISHED_LOAD`])
//! until all rows are stored and compared. No server starts on a database with the mark.

mod backup;
mod copy;
mod encoding;
mod format;
mod lines;
mod load;
mod pending;
mod restore;
mod tenant;

pub use backup::{BackupSummary, backup};
pub use copy::copy;
pub use format::{FORMAT, VERSION, is_archive};
pub use restore::{RestoreSummary, VerifiedBackup, restore, verify};
pub use tenant::{
    ExportOptions, ExportSummary, OrganizationExport, OrganizationImport, OrganizationImportLease,
    OrganizationImportOptions, OrganizationImportSummary, end_suspension_by_export, verify_organization,
};

use std::io;
use std::sync::Arc;

use tenantry_store::{ColumnValue, RowValues, Snapshot, StoreError, Table};

use crate::{Error, limits};
use encoding::{Sum, row_line};

/// The name of the mark, a row in `installation`.
pub const UNFINISHED_LOAD: &str = "unfinished_load";

/// The progress of a backup, restore or copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The current phase, for example `copying`.
    pub phase: &'static str,
    /// The current table.
    pub table: &'a str,
    /// Rows done, of all tables.
    pub rows: u64,
    /// Rows of all tables in total, if known.
    pub total_rows: Option<u64>,
}

/// A function that is called with each progress.
pub type ReportProgress<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// The error of a backup, restore or copy. The target database is emptied, except after
/// [`ArchiveError::InDoubt`] and [`ArchiveError::CleanupFailed`].
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is damaged.
    #[error("line {line}: {what}")]
    Damaged {
        /// The line number.
        line: u64,
        /// The problem.
        what: String,
    },
    /// This program cannot read this kind of file.
    #[error("{0}")]
    Unsupported(String),
    /// The target has rows.
    #[error("the database to fill is not empty (table {0} has rows): name a new one")]
    NotEmpty(String),
    /// An earlier restore or copy into the database did not finish.
    #[error("an earlier restore or copy into this database did not finish: start with a new, empty database")]
    Unfinished,
    /// The database refuses a row.
    #[error("the database refuses a row of table {table}: {why}")]
    Refused {
        /// The table.
        table: String,
        /// The violated constraint, or another error.
        why: StoreError,
    },
    /// The stored rows do not match the rows that were read.
    #[error("table {0} differs from the rows that were read")]
    ChecksumMismatch(String),
    /// The source changed during the copy.
    #[error("table {0} of the source changed during the copy: stop every server that uses it first")]
    SourceChanged(String),
    /// All rows are stored, but it is unknown whether the mark was removed.
    #[error(
        "all rows are stored, but the last commit is in doubt ({0}): run `tenantry doctor` to see whether the database is complete"
    )]
    InDoubt(StoreError),
    /// The load failed, and its rows could not be removed.
    #[error("{cause}; the stored rows could not be removed ({cleanup}): start with a new, empty database")]
    CleanupFailed {
        /// The error of the load.
        cause: Box<ArchiveError>,
        /// The error of the removal.
        cleanup: Box<ArchiveError>,
    },
    /// An organization cannot be exported or imported as things are.
    #[error("{0}")]
    Conflict(String),
    /// Another process imports the organization.
    #[error("the organization is being imported; an import that was killed can be repeated after a minute")]
    ImportRunning,
    /// The import lost its lease, because the process did not renew it in time.
    #[error("the import did not renew its lease in time, and its rows were removed: repeat it")]
    LeaseLost,
    /// Rows of the file contradict each other, as the doctor would find.
    #[error("the rows of the file break a rule: {0}")]
    RuleBroken(String),
    /// A rule refuses the change.
    #[error(transparent)]
    UseCase(Box<Error>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Error> for ArchiveError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => Self::Store(error),
            other => Self::UseCase(Box::new(other)),
        }
    }
}

impl ArchiveError {
    /// The error of a row of `table` that the database refused.
    fn of_table(self, table: &Table) -> Self {
        match self {
            Self::Store(why @ (StoreError::Violated(_) | StoreError::Unexpected(_))) => {
                Self::Refused { table: table.name.clone(), why }
            }
            other => other,
        }
    }
}

/// The checksum of each table.
type Sums = Vec<(Arc<Table>, Sum)>;

/// The number of rows of all tables.
async fn count_rows(snapshot: &mut Snapshot<'_>, tables: &[Arc<Table>]) -> Result<u64, ArchiveError> {
    let mut rows = 0;
    for table in tables {
        rows += u64::try_from(snapshot.tx()?.rows_count(table).await?).unwrap_or(0);
    }
    Ok(rows)
}

/// Reads a table in batches, without the mark.
async fn for_each_batch(
    snapshot: &mut Snapshot<'_>,
    table: &Table,
    mut take: impl AsyncFnMut(Vec<RowValues>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut after: Option<RowValues> = None;
    loop {
        let mut rows = snapshot.tx()?.rows_after(table, after.as_deref(), limits::ARCHIVE_BATCH_ROWS).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let ended = i64::try_from(rows.len()).is_ok_and(|count| count < limits::ARCHIVE_BATCH_ROWS);
        after = Some(table.key_of(last));
        rows.retain(|row| !is_mark(table, row));
        take(rows).await?;
        if ended {
            return Ok(());
        }
    }
}

fn is_mark(table: &Table, row: &[ColumnValue]) -> bool {
    table.name == "installation"
        && matches!(table.position("name").and_then(|position| row.get(position)), Some(ColumnValue::Text(name)) if name == UNFINISHED_LOAD)
}

/// The checksum of each table in the snapshot.
async fn sums(
    snapshot: &mut Snapshot<'_>,
    tables: impl IntoIterator<Item = Arc<Table>>,
    mut report: impl FnMut(&Table, u64),
) -> Result<Sums, ArchiveError> {
    let (mut sums, mut rows) = (Sums::new(), 0);
    for table in tables {
        let mut sum = Sum::default();
        for_each_batch(snapshot, &table, async |rows_read| {
            for row in &rows_read {
                sum.add(&row_line(row));
            }
            rows += rows_read.len() as u64;
            report(&table, rows);
            Ok(())
        })
        .await?;
        sums.push((table, sum));
    }
    Ok(sums)
}

/// The first table with another checksum.
fn difference<'a>(some: &'a Sums, others: &Sums) -> Option<&'a str> {
    let differing = some.iter().zip(others).find(|((_, one), (_, other))| one != other);
    differing.map(|((table, _), _)| table.name.as_str())
}

/// A snapshot of a database without the mark.
async fn complete_snapshot(store: &tenantry_store::Store) -> Result<Snapshot<'_>, ArchiveError> {
    let mut snapshot = store.snapshot().await?;
    if snapshot.tx()?.installation_has_value(UNFINISHED_LOAD).await? {
        return Err(ArchiveError::Unfinished);
    }
    Ok(snapshot)
}
