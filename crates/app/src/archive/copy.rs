//! Copying one database into another, empty one, of whichever engine.

use tenantry_store::{Catalog, Snapshot, Store};

use super::format::{Sum, row_line};
use super::load::Loading;
use super::{ArchiveError, Progress, Report, Sums, difference, each_part, sums, total, whole};

/// Copies all data; answers how many rows. What waits to be sent will be sent from the copy, so the source
/// must stand still from the beginning on, for good; that it did while it was copied is looked at.
///
/// # Errors
/// When the target is not empty, the source changed, or anything fails; the target is empty again then.
pub async fn copy(from: &Store, to: &Store, report: Report<'_>) -> Result<u64, ArchiveError> {
    let mut snapshot = whole(from).await?;
    let mut loading = Loading::begin(to).await?;
    let outcome = load(from, &mut snapshot, &mut loading, report).await;
    loading.end(outcome).await
}

async fn load(
    from: &Store,
    snapshot: &mut Snapshot<'_>,
    loading: &mut Loading<'_>,
    report: Report<'_>,
) -> Result<u64, ArchiveError> {
    let tables = Catalog::now()?.tables;
    let of = total(snapshot, &tables).await?;
    let (mut copied, mut rows) = (Sums::new(), 0);
    for table in &tables {
        let mut sum = Sum::default();
        each_part(snapshot, table, async |part| {
            for row in part {
                sum.add(&row_line(&row));
                loading.row(table, row).await?;
            }
            report(Progress { doing: "copying", table: &table.name, rows: rows + sum.rows, of: Some(of) });
            Ok(())
        })
        .await?;
        loading.flush(table).await?;
        rows += sum.rows;
        copied.push((table.clone(), sum));
    }
    loading.verify(&copied, report).await?;
    let now = sums(&mut from.snapshot().await?, tables, |table, rows| {
        report(Progress { doing: "looking at the source again", table: &table.name, rows, of: Some(of) });
    })
    .await?;
    match difference(&copied, &now) {
        None => Ok(rows),
        Some(table) => Err(ArchiveError::SourceChanged(table.to_owned())),
    }
}
