//! The format of a backup: one JSON value a line. `docs/OPERATIONS.md` describes it.

use std::io::{BufRead, Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenantry_store::{Catalog, ColumnKind, ColumnValue, RowValues, Table};
use uuid::Uuid;

use super::ArchiveError;
use crate::limits;

/// The format's name.
pub const FORMAT: &str = "tenantry-backup";
/// The format's version. A reader refuses every other version.
pub const VERSION: u32 = 1;

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

/// The line before a table's rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableHead {
    pub(super) table: String,
    pub(super) columns: Vec<(String, String)>,
}

/// The line after a table's rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableEnd {
    pub(super) end: String,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileEnd {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// The checksum of a table: the number of rows, and the sum of the SHA-256 of their lines as 256-bit numbers. It does
/// not depend on the order of the rows, because engines sort text differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    sum: [u8; 32],
}

impl Sum {
    /// Adds the line of a row, without its line break.
    pub(super) fn add(&mut self, line: &str) {
        let hash: [u8; 32] = Sha256::digest(line.as_bytes()).into();
        let mut carry = 0;
        for (to, from) in self.sum.iter_mut().zip(hash).rev() {
            let total = u16::from(*to) + u16::from(from) + carry;
            let [high, low] = total.to_be_bytes();
            (*to, carry) = (low, u16::from(high));
        }
        self.rows += 1;
    }

    pub(super) fn hex(&self) -> String {
        hex(&self.sum)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl TableHead {
    pub(super) fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|one| (one.name.clone(), one.kind.as_str().to_owned()));
        Self { table: table.name.clone(), columns: columns.collect() }
    }
}

/// A row as a line, without its line break.
pub(super) fn row_line(row: &[ColumnValue]) -> String {
    let values = row.iter().map(|field| match field {
        ColumnValue::Null => Value::Null,
        ColumnValue::Id(id) => Value::String(id.to_string()),
        ColumnValue::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        ColumnValue::Int(value) => Value::from(*value),
        ColumnValue::Bool(value) => Value::Bool(*value),
        ColumnValue::Text(text) => Value::String(text.clone()),
    });
    Value::Array(values.collect()).to_string()
}

/// Parses a line as a row of this table. `None` if it is not exactly the line that this program writes for the row.
fn row(line: &str, table: &Table) -> Option<RowValues> {
    let values: Vec<Value> = serde_json::from_str(line).ok()?;
    if values.len() != table.columns.len() {
        return None;
    }
    let fields = values.into_iter().zip(&table.columns).map(|(value, column)| match (value, column.kind) {
        (Value::Null, _) => Some(ColumnValue::Null),
        (Value::String(text), ColumnKind::Id) => Uuid::parse_str(&text).ok().map(ColumnValue::Id),
        (Value::String(text), ColumnKind::Bytes) => STANDARD.decode(text).ok().map(ColumnValue::Bytes),
        (Value::String(text), ColumnKind::Text) => Some(ColumnValue::Text(text)),
        (Value::Number(value), ColumnKind::Int | ColumnKind::Time) => value.as_i64().map(ColumnValue::Int),
        (Value::Bool(value), ColumnKind::Bool) => Some(ColumnValue::Bool(value)),
        _ => None,
    });
    let fields: RowValues = fields.collect::<Option<_>>()?;
    // The stored rows are compared with these lines later, so the spelling must be exact. No text contains U+0000.
    let has_nul = fields.iter().any(|field| matches!(field, ColumnValue::Text(text) if text.contains('\0')));
    (!has_nul && row_line(&fields) == line).then_some(fields)
}

/// Writes lines and their SHA-256.
pub(super) struct Writer<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, digest: Sha256::new() }
    }

    pub(super) fn line(&mut self, line: &str) -> Result<(), ArchiveError> {
        if line.len() as u64 >= limits::BACKUP_LINE_MAX_BYTES {
            return Err(ArchiveError::Unsupported("a row is too long for a line of a backup".into()));
        }
        for part in [line.as_bytes(), b"\n"] {
            self.digest.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), ArchiveError> {
        let line = serde_json::to_string(value).map_err(std::io::Error::from)?;
        self.line(&line)
    }

    /// Writes the last line, and returns the digest in it.
    pub(super) fn end(mut self, tables: u64, rows: u64) -> Result<String, ArchiveError> {
        let sha256 = hex(&self.digest.clone().finalize());
        self.json(&FileEnd { tables, rows, sha256: sha256.clone() })?;
        self.out.flush()?;
        Ok(sha256)
    }
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
    input: R,
    /// Maximum bytes of a line.
    max_line_bytes: u64,
    /// The digest of all lines so far.
    digest: Sha256,
    /// The number of the current line, from 1.
    line: u64,
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
        let header =
            Header { format: String::new(), version: 0, schema: 0, created_at: 0, program: String::new() };
        let mut reader = Self {
            input,
            max_line_bytes,
            digest: Sha256::new(),
            line: 0,
            header,
            tables: Vec::new().into_iter(),
            open: None,
            ended: (0, 0),
        };
        let foreign = || ArchiveError::Unsupported("this file is not a Tenantry backup".into());
        let line = match reader.next_line() {
            Err(ArchiveError::Damaged { .. }) => return Err(foreign()),
            line => line?.unwrap_or_default(),
        };
        reader.digest.update(line.as_bytes());
        reader.digest.update(b"\n");
        let header: Option<Value> = serde_json::from_str(&line).ok();
        let header = header.filter(|header| header.get("format").is_some_and(|format| format == FORMAT));
        let header = header.ok_or_else(foreign)?;
        if header.get("version").is_none_or(|version| *version != VERSION) {
            let version = header.get("version").cloned().unwrap_or_default();
            let what =
                format!("the backup has format version {version}, this program reads version {VERSION}");
            return Err(ArchiveError::Unsupported(what));
        }
        reader.header = reader.parse(&line)?;
        reader.tables = tables(reader.header.schema)?.into_iter();
        Ok(reader)
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    fn damaged(&self, what: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged { line: self.line, what: what.into() }
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, line: &str) -> Result<T, ArchiveError> {
        serde_json::from_str(line).map_err(|_| self.damaged("the line is not of the expected kind"))
    }

    /// The next line without its line break. `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<String>, ArchiveError> {
        self.line += 1;
        let mut line = Vec::new();
        let read = (&mut self.input).take(self.max_line_bytes).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == self.max_line_bytes && line.last() != Some(&b'\n') {
            return Err(self.damaged(format!("the line is longer than {} bytes", self.max_line_bytes)));
        }
        if line.pop() != Some(b'\n') {
            return Err(self.damaged("the file ends within a line"));
        }
        let line = String::from_utf8(line).map_err(|_| self.damaged("the line is not UTF-8"))?;
        Ok(Some(line))
    }

    /// The next item. `None` after the last line, if the file is complete and matches its checksum.
    pub(super) fn next(&mut self) -> Result<Option<BackupItem>, ArchiveError> {
        let line = self.next_line()?.ok_or_else(|| self.damaged("the file ends before its last line"))?;
        let before = self.digest.clone();
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        match self.open.take() {
            Some((table, mut sum)) if line.starts_with('[') => {
                let fields = row(&line, &table)
                    .ok_or_else(|| self.damaged(format!("the line is not a row of table {}", table.name)))?;
                sum.add(&line);
                self.open = Some((table, sum));
                Ok(Some(BackupItem::Row(fields)))
            }
            Some((table, sum)) => {
                let end: TableEnd = self.parse(&line)?;
                if (end.end.as_str(), end.rows, end.sha256) != (table.name.as_str(), sum.rows, sum.hex()) {
                    return Err(
                        self.damaged(format!("the rows of table {} do not match their checksum", table.name))
                    );
                }
                self.ended = (self.ended.0 + 1, self.ended.1 + sum.rows);
                Ok(Some(BackupItem::End(table, sum)))
            }
            None => match self.tables.next() {
                Some(table) => self.begin(&line, table).map(Some),
                None => self.finish(&line, &hex(&before.finalize())).map(|()| None),
            },
        }
    }

    /// Begins the next table.
    fn begin(&mut self, line: &str, table: Arc<Table>) -> Result<BackupItem, ArchiveError> {
        let (head, expected) = (self.parse::<TableHead>(line)?, TableHead::of(&table));
        if (head.table.as_str(), &head.columns) != (expected.table.as_str(), &expected.columns) {
            let what = format!("table {} with its columns was expected, not {}", table.name, head.table);
            return Err(self.damaged(what));
        }
        self.open = Some((Arc::clone(&table), Sum::default()));
        Ok(BackupItem::Table(table))
    }

    /// Checks the last line and that nothing follows it. `digest` is that of all other lines.
    fn finish(&mut self, line: &str, digest: &str) -> Result<(), ArchiveError> {
        let end: FileEnd = self.parse(line)?;
        if (end.tables, end.rows, end.sha256.as_str()) != (self.ended.0, self.ended.1, digest) {
            return Err(self.damaged("the file does not match its checksum"));
        }
        match self.next_line()? {
            None => Ok(()),
            Some(_) => Err(self.damaged("the file continues after its last line")),
        }
    }
}

/// The tables of a schema version that this program can restore.
fn tables(schema: i64) -> Result<Vec<Arc<Table>>, ArchiveError> {
    let now = Catalog::now()?;
    if schema > now.schema {
        let what = format!(
            "the backup has schema {schema}, this program knows schema {}: use a newer program",
            now.schema
        );
        return Err(ArchiveError::Unsupported(what));
    }
    if schema < 1 {
        return Err(ArchiveError::Unsupported(format!(
            "the backup has schema {schema}, which does not exist"
        )));
    }
    if schema < now.rewritten {
        let what = format!(
            "the backup has schema {schema}, and schema {} changed rows: restore it with the program that wrote it, \
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
    fn a_checksum_ignores_the_order_and_counts_duplicates() {
        let sum = |lines: &[&str]| {
            let mut sum = Sum::default();
            lines.iter().for_each(|line| sum.add(line));
            sum
        };
        assert_eq!(sum(&["a", "b", "c"]), sum(&["c", "a", "b"]));
        assert_ne!(sum(&["a", "b"]).hex(), sum(&["a", "c"]).hex());
        assert_ne!(sum(&["a", "a", "b", "b"]).hex(), sum(&["c", "c", "d", "d"]).hex());
        assert_eq!(sum(&["a"]).hex(), hex(&Sha256::digest(b"a")));
    }

    #[test]
    fn a_row_survives_writing_and_reading() {
        let kinds = [
            ("i", ColumnKind::Id),
            ("b", ColumnKind::Bytes),
            ("t", ColumnKind::Time),
            ("n", ColumnKind::Int),
            ("o", ColumnKind::Bool),
            ("x", ColumnKind::Text),
            ("z", ColumnKind::Text),
        ];
        let columns = kinds.map(|(name, kind)| tenantry_store::Column { name: name.to_owned(), kind });
        let table = Table { name: "a".to_owned(), columns: columns.to_vec(), key: vec![0] };
        let fields = vec![
            ColumnValue::Id(Uuid::from_u128(7)),
            ColumnValue::Bytes(vec![0, 255, 10]),
            ColumnValue::Int(i64::MAX),
            ColumnValue::Int(i64::MIN),
            ColumnValue::Bool(true),
            ColumnValue::Text("a \"line\"\nof \u{1f600} \u{1}".to_owned()),
            ColumnValue::Null,
        ];
        let line = row_line(&fields);
        assert!(!line.contains('\n'));
        assert_eq!(row(&line, &table), Some(fields));
        assert_eq!(row("[1, 2]", &table), None);
        let id = Uuid::from_u128(7);
        let damaged = [
            ("true", "\"true\""),
            ("true", "1"),
            ("true", "true "),
            ("\\u0001", "\\u0000"),
            ("AP8K", "AP8K!"),
            ("9223372036854775807", "9223372036854775808"),
            ("9223372036854775807", "1.5"),
            (&id.to_string(), "x"),
            (&id.to_string(), &id.simple().to_string()),
        ];
        for (from, to) in damaged {
            assert!(line.contains(from), "{from}");
            assert_eq!(row(&line.replace(from, to), &table), None, "{to}");
        }
    }

    #[test]
    fn a_line_above_the_limit_is_refused() {
        let header = format!(
            "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"schema\":1,\"created_at\":5,\"program\":\"0\"}}\n"
        );
        let endless = std::io::BufReader::new(header.as_bytes().chain(std::io::repeat(b'[')));
        let mut reader = Reader::with_line_limit(endless, 1_000).unwrap();
        let message = reader.next().err().unwrap().to_string();
        assert_eq!(message, "line 2: the line is longer than 1000 bytes");
    }
}
