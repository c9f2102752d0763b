//! Restoring a backup: the file is checked to its end before the database is touched, and what was stored
//! is read back before anybody sees it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tenantry_store::{ColumnValue, RowValues, Store, Table};

use super::format::{Header, Piece, Reader};
use super::load::Loading;
use super::{ArchiveError, Progress, Report, Sums, difference, unsent};
use crate::{HashKey, KeyCheck};

/// A backup that is whole.
pub struct Checked {
    path: PathBuf,
    header: Header,
    sums: Sums,
    key_check: Option<Vec<u8>>,
}

/// What was restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows of all tables.
    pub rows: u64,
    /// Webhook events that waited, and were ended unsent.
    pub webhook_events_ended: u64,
    /// Mails that waited, and were dropped.
    pub mails_dropped: u64,
}

impl Checked {
    /// Whether it was made of a database with this key; one without secrets has any.
    #[must_use]
    pub fn has_key(&self, hash_key: &HashKey) -> bool {
        let mine = KeyCheck { hash_key: hash_key.clone() }.value();
        self.key_check.as_deref().is_none_or(|check| check == mine)
    }

    /// Whether there are secrets in it, so that a key is needed.
    #[must_use]
    pub const fn needs_key(&self) -> bool {
        self.key_check.is_some()
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.sums.iter().map(|(_, sum)| sum.rows).sum()
    }

    /// The schema of the database that it was made of.
    #[must_use]
    pub const fn schema(&self) -> i64 {
        self.header.schema
    }
}

/// Reads a backup to its end and checks it.
///
/// # Errors
/// When it cannot be read, is damaged, or is not what this program can restore.
pub fn check(path: &Path, report: Report<'_>) -> Result<Checked, ArchiveError> {
    let (mut sums, mut key_check, mut rows) = (Sums::new(), None, 0);
    let mut reader = Reader::new(BufReader::new(File::open(path)?))?;
    let mut open = None;
    while let Some(piece) = reader.next()? {
        match piece {
            Piece::Table(table) => open = Some(table),
            Piece::Row(row) => {
                key_check = open.as_ref().and_then(|table| kept_check(table, &row)).or(key_check);
            }
            Piece::End(table, sum) => {
                rows += sum.rows;
                report(Progress { doing: "checking", table: &table.name, rows, of: None });
                sums.push((table, sum));
            }
        }
    }
    Ok(Checked { path: path.to_owned(), header: reader.header().clone(), sums, key_check })
}

fn kept_check(table: &Table, row: &RowValues) -> Option<Vec<u8>> {
    if table.name != "installation" {
        return None;
    }
    match (row.get(table.position("name")?)?, row.get(table.position("value")?)?) {
        (ColumnValue::Text(name), ColumnValue::Bytes(value)) if name == KeyCheck::NAME => Some(value.clone()),
        _ => None,
    }
}

/// Fills an empty database with a backup. Unless `keep_pending`, what waited to be sent is not sent: it may
/// have been since.
///
/// # Errors
/// When the database is not empty, or anything fails; the database is empty again then.
pub async fn restore(
    store: &Store,
    checked: &Checked,
    keep_pending: bool,
    report: Report<'_>,
) -> Result<Restored, ArchiveError> {
    let mut loading = Loading::begin(store).await?;
    let outcome = load(store, &mut loading, checked, keep_pending, report).await;
    loading.end(outcome).await
}

async fn load(
    store: &Store,
    loading: &mut Loading<'_>,
    checked: &Checked,
    keep_pending: bool,
    report: Report<'_>,
) -> Result<Restored, ArchiveError> {
    let (mut sums, mut open, mut rows) = (Sums::new(), None, 0);
    let mut reader = Reader::new(BufReader::new(File::open(&checked.path)?))?;
    while let Some(piece) = reader.next()? {
        match piece {
            Piece::Table(table) => open = Some(table),
            Piece::Row(row) => {
                let Some(table) = &open else { continue };
                loading.row(table, row).await?;
                rows += 1;
                report(Progress { doing: "restoring", table: &table.name, rows, of: Some(checked.rows()) });
            }
            Piece::End(table, sum) => {
                loading.flush(&table).await?;
                sums.push((table, sum));
            }
        }
    }
    if let Some(table) = difference(&checked.sums, &sums) {
        return Err(ArchiveError::Different(table.to_owned()));
    }
    loading.verify(&sums, report).await?;
    let restored = Restored { rows, ..Restored::default() };
    if keep_pending {
        return Ok(restored);
    }
    let (webhook_events_ended, mails_dropped) = unsent::end_all(store).await?;
    Ok(Restored { webhook_events_ended, mails_dropped, ..restored })
}
