//! The file of an exported organization: one JSON value a line. `docs/OPERATIONS.md` describes it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tenantry_store::{Catalog, RowValues, Table};
use uuid::Uuid;

use super::tables::{exported, keys_of};
use crate::archive::encoding::Sum;
use crate::archive::format::{header, tables};
use crate::archive::lines::Lines;
use crate::archive::{ArchiveError, Progress, ReportProgress};
use crate::limits;

/// The format's name.
pub(super) const FORMAT: &str = "tenantry-organization";
/// The format's version. A reader refuses every other version.
pub(super) const VERSION: u32 = 1;
/// The greatest number of passes.
const PASSES: u32 = 2;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`FORMAT`].
    pub(super) format: String,
    /// [`VERSION`].
    pub(super) version: u32,
    /// The number of the database's newest migration.
    pub(super) schema: i64,
    /// The time of the export, in microseconds since 1970.
    pub(super) created_at: i64,
    /// The version of the program that wrote it.
    pub(super) program: String,
    /// Identifies the export.
    pub(super) export_id: Uuid,
    /// The organization.
    pub(super) organization_id: Uuid,
    /// The check value of the installation's key, in hexadecimal.
    pub(super) key: String,
    /// The check value of the transfer key, if one seals the secrets in the file.
    pub(super) transfer_key: Option<String>,
}

/// The line before a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PassHead {
    /// Its number, from 1.
    pub(super) pass: u32,
    /// Whether the export suspended the organization before the pass.
    pub(super) is_suspended_by_export: bool,
}

/// The rows of a pass that no longer exist or have other values, by their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Keys {
    /// The rows no longer exist.
    Removed,
    /// The pass contains other values for the rows.
    Replaced,
}

/// The line before keys.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeysHead {
    pub(super) table: String,
    pub(super) keys: Keys,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileEnd {
    pub(super) passes: u32,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// An item of the file.
pub(super) enum Item {
    /// The start of a pass.
    Pass(PassHead),
    /// A row of a table.
    Row(Arc<Table>, RowValues),
    /// The primary key of a row that no longer exists or has other values.
    Key(Arc<Table>, Keys, RowValues),
    /// The end of the rows of a table, or of keys.
    End(Arc<Table>),
}

/// The lines that belong together, of one table.
#[derive(Clone)]
struct Group {
    table: Arc<Table>,
    /// Nothing for rows.
    keys: Option<Keys>,
}

/// A group that has begun, the form of its lines, and their checksum so far.
struct OpenGroup {
    group: Group,
    form: Arc<Table>,
    sum: Sum,
}

/// The groups of a pass, in the order of the file.
fn groups(tables: &[Arc<Table>], pass: u32) -> VecDeque<Group> {
    let of = |table: &Arc<Table>, keys| Group { table: Arc::clone(table), keys };
    let both = |table| [Keys::Removed, Keys::Replaced].map(|keys| of(table, Some(keys)));
    let keys = tables.iter().rev().flat_map(both).filter(|_| pass > 1);
    keys.chain(tables.iter().map(|table| of(table, None))).collect()
}

/// Reads the file, and checks counts, checksums and order on the way.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    tables: Vec<Arc<Table>>,
    pending: VecDeque<Group>,
    open: Option<OpenGroup>,
    /// Passes that have begun, and rows that were read.
    counts: (u32, u64),
}

impl<R: BufRead> Reader<R> {
    /// Reads the header. Refuses an unknown format, version or schema.
    pub(super) fn new(input: R) -> Result<Self, ArchiveError> {
        let mut lines = Lines::new(input, limits::BACKUP_LINE_MAX_BYTES);
        let header: Header = header(&mut lines, (FORMAT, VERSION), "an export of an organization")?;
        // Refuses a schema that this program cannot restore.
        tables(header.schema)?;
        let tables = exported(&Catalog::at(header.schema)?);
        Ok(Self { lines, header, tables, pending: VecDeque::new(), open: None, counts: (0, 0) })
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the current line.
    pub(super) const fn line(&self) -> u64 {
        self.lines.number()
    }

    /// An error about the current line.
    pub(super) fn damaged(&self, what: impl Into<String>) -> ArchiveError {
        self.lines.damaged(what)
    }

    /// The next item. `None` after the last line, if the file is complete and matches its checksum.
    pub(super) fn next(&mut self) -> Result<Option<Item>, ArchiveError> {
        let line = self.lines.expect()?;
        if let Some(mut open) = self.open.take() {
            let table = Arc::clone(&open.group.table);
            if !line.starts_with('[') {
                self.lines.table_end(&line, &table, &open.sum)?;
                return Ok(Some(Item::End(table)));
            }
            let values = self.lines.row(&line, &open.form)?;
            open.sum.add(&line);
            let keys = open.group.keys;
            self.open = Some(open);
            self.counts.1 += u64::from(keys.is_none());
            return Ok(Some(match keys {
                Some(keys) => Item::Key(table, keys, values),
                None => Item::Row(table, values),
            }));
        }
        match self.pending.pop_front() {
            Some(group) => {
                self.begin(&line, group)?;
                self.next()
            }
            None if self.counts.0 == 0 || line.starts_with(r#"{"pass":"#) => self.pass(&line).map(Some),
            None => self.finish(&line).map(|()| None),
        }
    }

    fn begin(&mut self, line: &str, group: Group) -> Result<(), ArchiveError> {
        let form = match group.keys {
            None => {
                self.lines.table_head(line, &group.table)?;
                Arc::clone(&group.table)
            }
            Some(keys) => {
                let head: KeysHead = self.lines.parse(line)?;
                if (head.table.as_str(), head.keys) != (group.table.name.as_str(), keys) {
                    let what =
                        format!("keys of table {} were expected, not of {}", group.table.name, head.table);
                    return Err(self.damaged(what));
                }
                Arc::new(keys_of(&group.table))
            }
        };
        self.open = Some(OpenGroup { group, form, sum: Sum::default() });
        Ok(())
    }

    fn pass(&mut self, line: &str) -> Result<Item, ArchiveError> {
        let head: PassHead = self.lines.parse(line)?;
        if head.pass != self.counts.0 + 1 || head.pass > PASSES {
            return Err(self.damaged(format!("pass {} is out of order", head.pass)));
        }
        self.counts.0 = head.pass;
        self.pending = groups(&self.tables, head.pass);
        Ok(Item::Pass(head))
    }

    /// Checks the last line and that nothing follows it.
    fn finish(&mut self, line: &str) -> Result<(), ArchiveError> {
        let end: FileEnd = self.lines.parse(line)?;
        self.lines.end((end.passes, end.rows) == self.counts, &end.sha256)
    }
}

/// Reads and verifies a whole file, before an import changes anything. Returns the number of its rows.
///
/// # Errors
/// When the file cannot be read, is damaged, or has a format that this program cannot import.
pub fn verify(path: &Path, report: ReportProgress<'_>) -> Result<u64, ArchiveError> {
    let mut reader = Reader::new(BufReader::new(File::open(path)?))?;
    while let Some(item) = reader.next()? {
        if let Item::End(table) = item {
            let rows = reader.counts.1;
            report(Progress { phase: "checking", table: &table.name, rows, total_rows: None });
        }
    }
    Ok(reader.counts.1)
}
