//! The rows that differ between two passes of an export. The first pass keeps the key and the hash of each row in a
//! temporary file. The second reads both in the same order and compares them, so that memory does not grow with the
//! rows.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use sha2::{Digest, Sha256};
use tenantry_store::{ColumnValue, RowValues, Table};

use super::tables::keys_of;
use crate::archive::ArchiveError;
use crate::archive::encoding::{Sum, hex, row, row_line};
use crate::archive::lines::Writer;

/// Lines in a temporary file, which is created with the first line.
#[derive(Default)]
pub(super) struct Spool {
    out: Option<BufWriter<File>>,
    pub(super) sum: Sum,
}

impl Spool {
    pub(super) fn add(&mut self, line: &str) -> Result<(), ArchiveError> {
        self.sum.add(line);
        let out = match &mut self.out {
            Some(out) => out,
            empty => empty.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        Ok(writeln!(out, "{line}")?)
    }

    /// Reads the lines again.
    fn into_lines(self) -> Result<Option<impl Iterator<Item = std::io::Result<String>>>, ArchiveError> {
        let Some(out) = self.out else { return Ok(None) };
        let mut file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Some(BufReader::new(file).lines()))
    }

    /// Writes the lines to the file of the export.
    pub(super) fn copy_to<W: Write>(self, writer: &mut Writer<W>) -> Result<(), ArchiveError> {
        for line in self.into_lines()?.into_iter().flatten() {
            writer.line(&line?)?;
        }
        Ok(())
    }
}

fn hash(line: &str) -> String {
    hex(&Sha256::digest(line))
}

/// The rows of the first pass: their keys and hashes, in the order of the keys.
pub(super) struct Index {
    spool: Spool,
    table: Table,
}

impl Index {
    pub(super) fn new(table: &Table) -> Self {
        Self { spool: Spool::default(), table: keys_of(table) }
    }

    pub(super) fn add(&mut self, key: &[ColumnValue], line: &str) -> Result<(), ArchiveError> {
        self.spool.add(&format!("{} {}", hash(line), row_line(key)))
    }

    pub(super) fn compare(self) -> Result<Comparison, ArchiveError> {
        let lines = self.spool.into_lines()?;
        let mut comparison =
            Comparison { lines: lines.map(|lines| Box::new(lines) as _), table: self.table, next: None };
        comparison.advance()?;
        Ok(comparison)
    }
}

/// The difference of one row.
pub(super) enum Difference {
    /// It is as it was.
    None,
    /// It has other values.
    Replaced,
    /// It is new.
    New,
}

/// Compares the rows of a pass with those of the one before.
pub(super) struct Comparison {
    lines: Option<Box<dyn Iterator<Item = std::io::Result<String>> + Send>>,
    table: Table,
    /// The key and hash of the next row of the former pass.
    next: Option<(RowValues, String)>,
}

impl Comparison {
    fn advance(&mut self) -> Result<(), ArchiveError> {
        let line = self.lines.as_mut().and_then(Iterator::next).transpose()?;
        let parsed = line.as_deref().map(|line| {
            let (hash, key) = line.split_once(' ')?;
            Some((row(key, &self.table)?, hash.to_owned()))
        });
        self.next = match parsed {
            Some(None) => return Err(std::io::Error::other("a temporary file was changed").into()),
            other => other.flatten(),
        };
        Ok(())
    }

    /// Compares the next row of this pass. `removed` gets the keys of the former pass that lie before it and no longer
    /// exist.
    pub(super) fn row(
        &mut self,
        key: &RowValues,
        line: &str,
        removed: &mut Spool,
    ) -> Result<Difference, ArchiveError> {
        while self.next.as_ref().is_some_and(|(next, _)| next < key) {
            self.remove_next(removed)?;
        }
        match &self.next {
            Some((next, known)) if next == key => {
                let difference = if *known == hash(line) { Difference::None } else { Difference::Replaced };
                self.advance()?;
                Ok(difference)
            }
            _ => Ok(Difference::New),
        }
    }

    /// Adds the keys of the former pass after the last row to `removed`.
    pub(super) fn finish(mut self, removed: &mut Spool) -> Result<(), ArchiveError> {
        while self.next.is_some() {
            self.remove_next(removed)?;
        }
        Ok(())
    }

    fn remove_next(&mut self, removed: &mut Spool) -> Result<(), ArchiveError> {
        if let Some((key, _)) = &self.next {
            removed.add(&row_line(key))?;
        }
        self.advance()
    }
}

#[cfg(test)]
mod tests {
    use tenantry_store::Catalog;

    use super::*;

    fn key(number: u128) -> RowValues {
        vec![ColumnValue::Id(uuid::Uuid::from_u128(number))]
    }

    #[test]
    fn rows_are_new_replaced_removed_or_unchanged() {
        let catalog = Catalog::now().unwrap();
        let mut index = Index::new(catalog.table("organizations").unwrap());
        for (number, line) in [(1, "[1]"), (2, "[2]"), (4, "[4]"), (6, "[6]")] {
            index.add(&key(number), line).unwrap();
        }
        let (mut comparison, mut removed, mut seen) =
            (index.compare().unwrap(), Spool::default(), String::new());
        for (number, line) in [(2, "[2]"), (3, "[3]"), (4, "[5]")] {
            seen.push(match comparison.row(&key(number), line, &mut removed).unwrap() {
                Difference::None => '=',
                Difference::Replaced => '~',
                Difference::New => '+',
            });
        }
        comparison.finish(&mut removed).unwrap();
        assert_eq!((seen.as_str(), removed.sum.rows), ("=+~", 2));
    }
}
