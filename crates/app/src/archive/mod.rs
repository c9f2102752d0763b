//! All data at once: written to a backup, restored from one, copied from one database to another.
//!
//! What is moved is whole rows, known by the store's [`Catalog`](tenantry_store::Catalog): ids, hashes,
//! outboxes, everything but the key that secrets are hashed with. A database that is being filled bears a
//! mark ([`UNFINISHED`]) until all of it is there and was read back; no server starts on one that does.

mod backup;
mod copy;
mod format;
mod load;
mod restore;
mod unsent;

pub use backup::{Written, backup};
pub use copy::copy;
pub use format::{FORMAT, VERSION};
pub use restore::{Checked, Restored, check, restore};

use std::io;
use std::sync::Arc;

use tenantry_store::{ColumnValue, RowValues, Snapshot, StoreError, Table};

use crate::limits;
use format::{Sum, row_line};

/// What a database that is being filled keeps in `installation`.
pub const UNFINISHED: &str = "unfinished_load";

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done: `copying`, ...
    pub doing: &'static str,
    /// With which table.
    pub table: &'a str,
    /// Rows done, of all tables.
    pub rows: u64,
    /// Rows there are, where that is known.
    pub of: Option<u64>,
}

/// Hears how far it has come.
pub type Report<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// Why data was not moved. The target of a restore or a copy is empty then, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is no backup, or damaged.
    #[error("line {line}: {what}")]
    Damaged {
        /// Where.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// The backup is of another kind than this program reads.
    #[error("{0}")]
    Unsupported(String),
    /// The target has rows.
    #[error("the database is not empty: table {0} has rows")]
    NotEmpty(String),
    /// An earlier restore or copy into the database did not finish.
    #[error("an earlier restore or copy into this database did not finish: start with a new, empty database")]
    Unfinished,
    /// A row cannot be stored.
    #[error("a row of table {table} is refused: {why}")]
    Refused {
        /// The table.
        table: String,
        /// By which constraint, or why else.
        why: StoreError,
    },
    /// What was stored is not what was read.
    #[error("table {0} is not as it was read")]
    Different(String),
    /// The source was written to.
    #[error("table {0} of the source changed meanwhile: stop every server on it first")]
    SourceChanged(String),
    /// Everything is stored; whether the last step was done, nobody can tell now.
    #[error(
        "everything is stored, but the database does not say whether it may be used: {0}: `tenantry doctor` will"
    )]
    InDoubt(StoreError),
    /// Nothing was left in the target, or could not be taken away again.
    #[error("{cause}; and what was stored could not be removed: {left}: start with a new, empty database")]
    Left {
        /// Why it failed.
        cause: Box<ArchiveError>,
        /// Why it could not be removed.
        left: Box<ArchiveError>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Rows and their sum, a table each.
type Sums = Vec<(Arc<Table>, Sum)>;

/// Rows of all tables.
async fn total(snapshot: &mut Snapshot<'_>, tables: &[Arc<Table>]) -> Result<u64, ArchiveError> {
    let mut rows = 0;
    for table in tables {
        rows += u64::try_from(snapshot.tx()?.rows_count(table).await?).unwrap_or(0);
    }
    Ok(rows)
}

/// Reads a table to its end, in parts, without the mark of a database that is being filled.
async fn each_part(
    snapshot: &mut Snapshot<'_>,
    table: &Table,
    mut take: impl AsyncFnMut(Vec<RowValues>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut after: Option<RowValues> = None;
    loop {
        let mut rows = snapshot.tx()?.rows_after(table, after.as_deref(), limits::MOVED_ROWS).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let ended = i64::try_from(rows.len()).is_ok_and(|count| count < limits::MOVED_ROWS);
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
        && matches!(table.position("name").and_then(|place| row.get(place)), Some(ColumnValue::Text(name)) if name == UNFINISHED)
}

/// The sum of each table as it is in the snapshot.
async fn sums(
    snapshot: &mut Snapshot<'_>,
    tables: impl IntoIterator<Item = Arc<Table>>,
    mut reached: impl FnMut(&Table, u64),
) -> Result<Sums, ArchiveError> {
    let (mut sums, mut rows) = (Sums::new(), 0);
    for table in tables {
        let mut sum = Sum::default();
        each_part(snapshot, &table, async |part| {
            for row in &part {
                sum.add(&row_line(row));
            }
            rows += part.len() as u64;
            reached(&table, rows);
            Ok(())
        })
        .await?;
        sums.push((table, sum));
    }
    Ok(sums)
}

/// The first table whose sum is another.
fn difference<'a>(some: &'a Sums, others: &Sums) -> Option<&'a str> {
    let differing = some.iter().zip(others).find(|((_, one), (_, other))| one != other);
    differing.map(|((table, _), _)| table.name.as_str())
}

/// The snapshot of a database that is all there.
async fn whole(store: &tenantry_store::Store) -> Result<Snapshot<'_>, ArchiveError> {
    let mut snapshot = store.snapshot().await?;
    if snapshot.tx()?.installation_has_value(UNFINISHED).await? {
        return Err(ArchiveError::Unfinished);
    }
    Ok(snapshot)
}
