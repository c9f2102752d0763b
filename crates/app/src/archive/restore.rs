//! Restores a backup. The whole file is verified before the database is touched, and the stored rows are compared
//! with the file before a server may use them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tenantry_store::{ColumnValue, RowValues, Store, Table};

use super::format::{BackupItem, Header, Reader};
use super::load::DatabaseLoad;
use super::{ArchiveError, Progress, ReportProgress, Sums, difference, pending};
use crate::{HashKey, KeyCheck};

/// A backup file whose checksums match.
pub struct VerifiedBackup {
    path: PathBuf,
    header: Header,
    sums: Sums,
    key_check: Option<Vec<u8>>,
}

/// The result of a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreSummary {
    /// Rows of all tables.
    pub rows: u64,
    /// Pending webhook events that were marked as failed.
    pub webhook_events_ended: u64,
    /// Pending mails that were deleted.
    pub mails_dropped: u64,
}

impl VerifiedBackup {
    /// Whether the backed up database used this key. A backup without secrets fits every key.
    #[must_use]
    pub fn has_key(&self, hash_key: &HashKey) -> bool {
        let mine = KeyCheck { hash_key: hash_key.clone() }.value();
        self.key_check.as_deref().is_none_or(|check| check == mine)
    }

    /// Whether the backup contains secrets, so that its key is needed.
    #[must_use]
    pub const fn needs_key(&self) -> bool {
        self.key_check.is_some()
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.sums.iter().map(|(_, sum)| sum.rows).sum()
    }

    /// The schema version of the backed up database.
    #[must_use]
    pub const fn schema(&self) -> i64 {
        self.header.schema
    }
}

/// Reads and verifies a whole backup file.
///
/// # Errors
/// When the file cannot be read, is damaged, or has a format that this program cannot restore.
pub fn verify(path: &Path, report: ReportProgress<'_>) -> Result<VerifiedBackup, ArchiveError> {
    let (mut sums, mut key_check, mut rows) = (Sums::new(), None, 0);
    let mut reader = Reader::new(BufReader::new(File::open(path)?))?;
    let mut open = None;
    while let Some(piece) = reader.next()? {
        match piece {
            BackupItem::Table(table) => open = Some(table),
            BackupItem::Row(row) => {
                key_check = open.as_ref().and_then(|table| self::key_check(table, &row)).or(key_check);
            }
            BackupItem::End(table, sum) => {
                rows += sum.rows;
                report(Progress { phase: "checking", table: &table.name, rows, total_rows: None });
                sums.push((table, sum));
            }
        }
    }
    Ok(VerifiedBackup { path: path.to_owned(), header: reader.header().clone(), sums, key_check })
}

/// The check value of the key, if the row holds it.
fn key_check(table: &Table, row: &RowValues) -> Option<Vec<u8>> {
    if table.name != "installation" {
        return None;
    }
    match (row.get(table.position("name")?)?, row.get(table.position("value")?)?) {
        (ColumnValue::Text(name), ColumnValue::Bytes(value)) if name == KeyCheck::NAME => Some(value.clone()),
        _ => None,
    }
}

/// Fills an empty database from a backup. Unless `keep_pending`, the pending mail and webhooks are not sent, because
/// they may have been sent since the backup.
///
/// # Errors
/// When the database is not empty, or when file or database fail. The database is emptied then.
pub async fn restore(
    store: &Store,
    checked: &VerifiedBackup,
    keep_pending: bool,
    report: ReportProgress<'_>,
) -> Result<RestoreSummary, ArchiveError> {
    let mut loading = DatabaseLoad::begin(store).await?;
    let outcome = load(store, &mut loading, checked, keep_pending, report).await;
    loading.end(outcome).await
}

async fn load(
    store: &Store,
    loading: &mut DatabaseLoad<'_>,
    checked: &VerifiedBackup,
    keep_pending: bool,
    report: ReportProgress<'_>,
) -> Result<RestoreSummary, ArchiveError> {
    let (mut sums, mut open, mut rows) = (Sums::new(), None, 0);
    let mut reader = Reader::new(BufReader::new(File::open(&checked.path)?))?;
    while let Some(piece) = reader.next()? {
        match piece {
            BackupItem::Table(table) => open = Some(table),
            BackupItem::Row(row) => {
                let Some(table) = &open else { continue };
                loading.row(table, row).await?;
                rows += 1;
                report(Progress {
                    phase: "restoring",
                    table: &table.name,
                    rows,
                    total_rows: Some(checked.rows()),
                });
            }
            BackupItem::End(table, sum) => {
                loading.flush(&table).await?;
                sums.push((table, sum));
            }
        }
    }
    if let Some(table) = difference(&checked.sums, &sums) {
        return Err(ArchiveError::ChecksumMismatch(table.to_owned()));
    }
    loading.verify(&sums, report).await?;
    let restored = RestoreSummary { rows, ..RestoreSummary::default() };
    if keep_pending {
        return Ok(restored);
    }
    let (webhook_events_ended, mails_dropped) = pending::end_all(store).await?;
    Ok(RestoreSummary { webhook_events_ended, mails_dropped, ..restored })
}
