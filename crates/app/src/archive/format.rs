//! The format of a backup: one JSON value a line. `docs/OPERATIONS.md` describes it.

use std::io::BufRead;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenantry_store::{Catalog, RowValues, Table};

use super::ArchiveError;
use super::encoding::Sum;
use super::lines::Lines;
use crate::limits;

/// The format's name.
pub const FORMAT: &str = "tenantry-backup";
/// The format's version. A reader refuses every other version.
pub const VERSION: u32 = 1;

/// Whether a file that begins with these bytes is a backup or an export of an organization.
#[must_use]
pub fn is_archive(head: &[u8]) -> bool {
    head.starts_with(br#"{"format":"tenantry-"#)
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The number of the database's newest migration.
    pub schema: i64,
    /// The time of the snapshot, in microseconds since 1970.
    pub created_at: i64,
    /// The version of the program that wrote it.
    pub program: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileEnd {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// An item of a backup.
pub(super) enum BackupItem {
    /// The start of a table.
    Table(Arc<Table>),
    /// One of its rows.
    Row(RowValues),
    /// The end of a table.
    End(Arc<Table>, Sum),
}

/// Reads a backup, and checks counts, checksums and order on the way.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    /// The tables that have not begun.
    tables: std::vec::IntoIter<Arc<Table>>,
    /// The table that has begun and not ended, with the checksum of its rows so far.
    open: Option<(Arc<Table>, Sum)>,
    /// The numbers of tables that ended, and of their rows.
    ended: (u64, u64),
}

impl<R: BufRead> Reader<R> {
    /// Reads the header. Refuses an unknown format, version or schema.
    pub(super) fn new(input: R) -> Result<Self, ArchiveError> {
        Self::with_line_limit(input, limits::BACKUP_LINE_MAX_BYTES)
    }

    fn with_line_limit(input: R, max_line_bytes: u64) -> Result<Self, ArchiveError> {
        let mut lines = Lines::new(input, max_line_bytes);
        let header: Header = header(&mut lines, (FORMAT, VERSION), "a Tenantry backup")?;
        let tables = tables(header.schema)?.into_iter();
        Ok(Self { lines, header, tables, open: None, ended: (0, 0) })
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    /// The next item. `None` after the last line, if the file is complete and matches its checksum.
    pub(super) fn next(&mut self) -> Result<Option<BackupItem>, ArchiveError> {
        let line = self.lines.expect()?;
        match self.open.take() {
            Some((table, mut sum)) if line.starts_with('[') => {
                let fields = self.lines.row(&line, &table)?;
                sum.add(&line);
                self.open = Some((table, sum));
                Ok(Some(BackupItem::Row(fields)))
            }
            Some((table, sum)) => {
                self.lines.table_end(&line, &table, &sum)?;
                self.ended = (self.ended.0 + 1, self.ended.1 + sum.rows);
                Ok(Some(BackupItem::End(table, sum)))
            }
            None => match self.tables.next() {
                Some(table) => {
                    self.lines.table_head(&line, &table)?;
                    self.open = Some((Arc::clone(&table), Sum::default()));
                    Ok(Some(BackupItem::Table(table)))
                }
                None => self.finish(&line).map(|()| None),
            },
        }
    }

    /// Checks the last line and that nothing follows it.
    fn finish(&mut self, line: &str) -> Result<(), ArchiveError> {
        let end: FileEnd = self.lines.parse(line)?;
        self.lines.end((end.tables, end.rows) == self.ended, &end.sha256)
    }
}

/// Reads the first line of a file of this format and version, which messages call `kind`.
pub(super) fn header<T: for<'de> Deserialize<'de>, R: BufRead>(
    lines: &mut Lines<R>,
    (format, version): (&str, u32),
    kind: &str,
) -> Result<T, ArchiveError> {
    let foreign = || ArchiveError::Unsupported(format!("this file is not {kind}"));
    let line = match lines.next() {
        Err(ArchiveError::Damaged { .. }) => return Err(foreign()),
        line => line?.unwrap_or_default(),
    };
    let header: Option<Value> = serde_json::from_str(&line).ok();
    let header = header.filter(|header| header.get("format").is_some_and(|found| found == format));
    let header = header.ok_or_else(foreign)?;
    if header.get("version").is_none_or(|found| *found != version) {
        let found = header.get("version").cloned().unwrap_or_default();
        let what = format!("the file has format version {found}, this program reads version {version}");
        return Err(ArchiveError::Unsupported(what));
    }
    lines.parse(&line)
}

/// The tables of a schema version that this program can restore.
pub(super) fn tables(schema: i64) -> Result<Vec<Arc<Table>>, ArchiveError> {
    let now = Catalog::now()?;
    if schema > now.schema {
        let what = format!(
            "the file has schema {schema}, this program knows schema {}: use a newer program",
            now.schema
        );
        return Err(ArchiveError::Unsupported(what));
    }
    if schema < 1 {
        return Err(ArchiveError::Unsupported(format!("the file has schema {schema}, which does not exist")));
    }
    if schema < now.rewritten {
        let what = format!(
            "the file has schema {schema}, and schema {} changed rows: restore it with the program that wrote it, \
             then start this program to migrate the database",
            now.rewritten
        );
        return Err(ArchiveError::Unsupported(what));
    }
    Ok(Catalog::at(schema)?.tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_above_the_limit_is_refused() {
        let header = format!(
            "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"schema\":1,\"created_at\":5,\"program\":\"0\"}}\n"
        );
        let endless = std::io::BufReader::new(std::io::Read::chain(header.as_bytes(), std::io::repeat(b'[')));
        let mut reader = Reader::with_line_limit(endless, 1_000).unwrap();
        let message = reader.next().err().unwrap().to_string();
        assert_eq!(message, "line 2: the line is longer than 1000 bytes");
    }
}
