//! Writing a backup.

use std::io::Write;

use tenantry_core::Timestamp;
use tenantry_store::{Catalog, Store};

use super::format::{FORMAT, Header, Sum, TableEnd, TableHead, VERSION, Writer, row_line};
use super::{ArchiveError, Progress, Report, each_part, total, whole};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Rows of all tables.
    pub rows: u64,
    /// The SHA-256 of everything but the last line, which holds it.
    pub sha256: String,
}

/// Writes all data, as they are at one moment, to `out`. Others may write meanwhile.
///
/// # Errors
/// When the database or the output fails, or the database was not filled to its end.
pub async fn backup(
    store: &Store,
    out: impl Write,
    now: Timestamp,
    program: &str,
    report: Report<'_>,
) -> Result<Written, ArchiveError> {
    let catalogue = Catalog::now()?;
    let mut snapshot = whole(store).await?;
    let mut writer = Writer::new(out);
    writer.json(&Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        schema: catalogue.schema,
        created_at: now.as_micros(),
        program: program.to_owned(),
    })?;
    let of = total(&mut snapshot, &catalogue.tables).await?;
    let mut rows = 0;
    for table in &catalogue.tables {
        writer.json(&TableHead::of(table))?;
        let mut sum = Sum::default();
        each_part(&mut snapshot, table, async |part| {
            for row in &part {
                let line = row_line(row);
                writer.line(&line)?;
                sum.add(&line);
            }
            report(Progress { doing: "writing", table: &table.name, rows: rows + sum.rows, of: Some(of) });
            Ok(())
        })
        .await?;
        rows += sum.rows;
        writer.json(&TableEnd { end: table.name.clone(), rows: sum.rows, sha256: sum.hex() })?;
    }
    let sha256 = writer.end(catalogue.tables.len() as u64, rows)?;
    Ok(Written { rows, sha256 })
}
