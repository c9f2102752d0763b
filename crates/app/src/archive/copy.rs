//! Copies one database into another, empty one. The engines may differ.

use tenantry_store::{Catalog, Snapshot, Store};

use super::encoding::{Sum, row_line};
use super::load::DatabaseLoad;
use super::{
    ArchiveError, Progress, ReportProgress, Sums, complete_snapshot, count_rows, difference, for_each_batch,
    sums,
};

/// Copies all data and returns the number of rows. The copy sends the pending mail and webhooks, so that no server may
/// use the source any more. Changes of the source during the copy are detected by a second checksum.
///
/// # Errors
/// When the target is not empty, the source changed, or a database fails. The target is emptied then.
pub async fn copy(from: &Store, to: &Store, report: ReportProgress<'_>) -> Result<u64, ArchiveError> {
    let mut snapshot = complete_snapshot(from).await?;
    let mut loading = DatabaseLoad::begin(to).await?;
    let outcome = load(from, &mut snapshot, &mut loading, report).await;
    loading.end(outcome).await
}

async fn load(
    from: &Store,
    snapshot: &mut Snapshot<'_>,
    loading: &mut DatabaseLoad<'_>,
    report: ReportProgress<'_>,
) -> Result<u64, ArchiveError> {
    let tables = Catalog::now()?.tables;
    let of = count_rows(snapshot, &tables).await?;
    let (mut copied, mut rows) = (Sums::new(), 0);
    for table in &tables {
        let mut sum = Sum::default();
        for_each_batch(snapshot, table, async |part| {
            for row in part {
                sum.add(&row_line(&row));
                loading.row(table, row).await?;
            }
            report(Progress {
                phase: "copying",
                table: &table.name,
                rows: rows + sum.rows,
                total_rows: Some(of),
            });
            Ok(())
        })
        .await?;
        loading.flush(table).await?;
        rows += sum.rows;
        copied.push((table.clone(), sum));
    }
    loading.verify(&copied, report).await?;
    let now = sums(&mut from.snapshot().await?, tables, |table, rows| {
        report(Progress { phase: "checking the source", table: &table.name, rows, total_rows: Some(of) });
    })
    .await?;
    match difference(&copied, &now) {
        None => Ok(rows),
        Some(table) => Err(ArchiveError::SourceChanged(table.to_owned())),
    }
}
