//! The lines of a backup or an exported organization, with the SHA-256 of all of them.

use std::io::{BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenantry_store::{RowValues, Table};

use super::ArchiveError;
use super::encoding::{Sum, TableEnd, TableHead, hex, row};
use crate::limits;

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
            return Err(ArchiveError::Unsupported("a row is too long for a line of the file".into()));
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

    /// The digest of all lines so far.
    pub(super) fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    pub(super) fn flush(&mut self) -> Result<(), ArchiveError> {
        Ok(self.out.flush()?)
    }
}

/// Reads lines and their SHA-256.
pub(super) struct Lines<R> {
    input: R,
    /// Maximum bytes of a line.
    max_bytes: u64,
    /// The digest of all lines so far, and of all but the last one.
    digest: Sha256,
    before: Sha256,
    /// The number of the current line, from 1.
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, max_bytes: u64) -> Self {
        Self { input, max_bytes, digest: Sha256::new(), before: Sha256::new(), number: 0 }
    }

    /// The number of the current line, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// An error about the current line.
    pub(super) fn damaged(&self, what: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged { line: self.number, what: what.into() }
    }

    pub(super) fn parse<T: for<'de> Deserialize<'de>>(&self, line: &str) -> Result<T, ArchiveError> {
        serde_json::from_str(line).map_err(|_| self.damaged("the line is not of the expected kind"))
    }

    /// The next line without its line break. `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<String>, ArchiveError> {
        self.number += 1;
        let mut line = Vec::new();
        let read = (&mut self.input).take(self.max_bytes).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == self.max_bytes && line.last() != Some(&b'\n') {
            return Err(self.damaged(format!("the line is longer than {} bytes", self.max_bytes)));
        }
        if line.last() != Some(&b'\n') {
            return Err(self.damaged("the file ends within a line"));
        }
        self.before.clone_from(&self.digest);
        self.digest.update(&line);
        line.pop();
        let line = String::from_utf8(line).map_err(|_| self.damaged("the line is not UTF-8"))?;
        Ok(Some(line))
    }

    /// The next line, which must exist.
    pub(super) fn expect(&mut self) -> Result<String, ArchiveError> {
        self.next()?.ok_or_else(|| self.damaged("the file ends before its last line"))
    }

    /// The line as a row of a table.
    pub(super) fn row(&self, line: &str, table: &Table) -> Result<RowValues, ArchiveError> {
        row(line, table).ok_or_else(|| self.damaged(format!("the line is not a row of table {}", table.name)))
    }

    /// Checks the line before a table's rows.
    pub(super) fn table_head(&self, line: &str, table: &Table) -> Result<(), ArchiveError> {
        let (head, expected) = (self.parse::<TableHead>(line)?, TableHead::of(table));
        if (head.table.as_str(), &head.columns) != (expected.table.as_str(), &expected.columns) {
            let what = format!("table {} with its columns was expected, not {}", table.name, head.table);
            return Err(self.damaged(what));
        }
        Ok(())
    }

    /// Checks the line after a table's rows.
    pub(super) fn table_end(&self, line: &str, table: &Table, sum: &Sum) -> Result<(), ArchiveError> {
        let end: TableEnd = self.parse(line)?;
        if (end.end.as_str(), end.rows, end.sha256) != (table.name.as_str(), sum.rows, sum.hex()) {
            return Err(self.damaged(format!("the rows of table {} do not match their checksum", table.name)));
        }
        Ok(())
    }

    /// Checks the digest in the current line, the last one, whose counts match, and that nothing follows it.
    pub(super) fn end(&mut self, counts_match: bool, sha256: &str) -> Result<(), ArchiveError> {
        if !counts_match || sha256 != hex(&self.before.clone().finalize()) {
            return Err(self.damaged("the file does not match its checksum"));
        }
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(self.damaged("the file continues after its last line")),
        }
    }
}
