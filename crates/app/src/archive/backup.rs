//! Writes a backup file.

use std::io::Write;

use tenantry_core::Timestamp;
use tenantry_store::{Catalog, Store};

use super::encoding::{Sum, TableEnd, TableHead, row_line};
use super::format::{FORMAT, FileEnd, Header, VERSION};
use super::lines::Writer;
use super::{ArchiveError, Progress, ReportProgress, complete_snapshot, count_rows, for_each_batch};

/// The size and checksum of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// Rows of all tables.
    pub rows: u64,
    /// The SHA-256 of all lines but the last one, which contains it.
    pub sha256: String,
}

/// Writes one consistent snapshot of all data to `out`. The server may keep running.
///
/// # Errors
/// When the database or the output fails, or a restore into the database did not finish.
pub async fn backup(
    store: &Store,
    out: impl Write,
    now: Timestamp,
    program: &str,
    report: ReportProgress<'_>,
) -> Result<BackupSummary, ArchiveError> {
    let catalog = Catalog::now()?;
    let mut snapshot = complete_snapshot(store).await?;
    let mut writer = Writer::new(out);
    writer.json(&Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        schema: catalog.schema,
        created_at: now.as_micros(),
        program: program.to_owned(),
    })?;
    let total_rows = count_rows(&mut snapshot, &catalog.tables).await?;
    let mut rows = 0;
    for table in &catalog.tables {
        writer.json(&TableHead::of(table))?;
        let mut sum = Sum::default();
        for_each_batch(&mut snapshot, table, async |batch| {
            for row in &batch {
                let line = row_line(row);
                writer.line(&line)?;
                sum.add(&line);
            }
            report(Progress {
                phase: "writing",
                table: &table.name,
                rows: rows + sum.rows,
                total_rows: Some(total_rows),
            });
            Ok(())
        })
        .await?;
        rows += sum.rows;
        writer.json(&TableEnd { end: table.name.clone(), rows: sum.rows, sha256: sum.hex() })?;
    }
    let sha256 = writer.digest();
    writer.json(&FileEnd { tables: catalog.tables.len() as u64, rows, sha256: sha256.clone() })?;
    writer.flush()?;
    Ok(BackupSummary { rows, sha256 })
}
