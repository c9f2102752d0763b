//! Fills an empty database, for a restore or a copy.
//!
//! | state | row `unfinished_load` in `installation` | other rows |
//! |---|---|---|
//! | empty | no | none |
//! | loading | yes | some, in batches that are committed one by one |
//! | verified | yes | all, read back and compared |
//! | done | no | all |
//! | failed | yes, deleted last | deleted in batches |
//!
//! No server starts on a database with the mark, and no load begins on one. So a process that crashes while loading
//! leaves a database that cannot be used by mistake. If the commit that removes the mark is in doubt, the database
//! is left as it is: it is either `verified` or `done`.

use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_store::{Catalog, ColumnValue, RowValues, Store, StoreError, Table, Tx, UseCase};

use super::encoding::Sum;
use super::{ArchiveError, Progress, ReportProgress, Sums, UNFINISHED_LOAD, difference, sums};
use crate::limits;

/// A load in progress.
pub(super) struct DatabaseLoad<'a> {
    store: &'a Store,
    batch: Vec<RowValues>,
    bytes: usize,
}

/// Sets the mark in a database without rows.
struct Begin(Catalog);

impl UseCase for Begin {
    type Output = ();
    type Error = ArchiveError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), ArchiveError> {
        if tx.installation_has_value(UNFINISHED_LOAD).await? {
            return Err(ArchiveError::Unfinished);
        }
        for table in &self.0.tables {
            if tx.rows_exist(table).await? {
                return Err(ArchiveError::NotEmpty(table.name.clone()));
            }
        }
        let mine = context.uuid();
        let mark = tx.installation_value_ensure(UNFINISHED_LOAD, mine.as_bytes()).await?;
        if mark == mine.as_bytes() { Ok(()) } else { Err(ArchiveError::Unfinished) }
    }
}

struct Insert {
    table: Arc<Table>,
    rows: Vec<RowValues>,
}

impl UseCase for Insert {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        Ok(tx.rows_insert(&self.table, &self.rows).await?)
    }
}

/// Deletes up to [`limits::ARCHIVE_BATCH_ROWS`] rows of a table. Returns how many.
struct Clear(Arc<Table>);

impl UseCase for Clear {
    type Output = usize;
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<usize, ArchiveError> {
        Ok(tx.rows_delete(&self.0, limits::ARCHIVE_BATCH_ROWS).await?)
    }
}

/// Updates the database's statistics of a table.
struct AnalyzeTable(Arc<Table>);

impl UseCase for AnalyzeTable {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        Ok(tx.rows_analyze(&self.0).await?)
    }
}

/// Removes the mark.
struct Finish;

impl UseCase for Finish {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        Ok(tx.installation_value_delete(UNFINISHED_LOAD).await?)
    }
}

impl<'a> DatabaseLoad<'a> {
    /// Starts a load into a database without rows.
    pub(super) async fn begin(store: &'a Store) -> Result<Self, ArchiveError> {
        store.write(Begin(Catalog::now()?)).await?;
        Ok(Self { store, batch: Vec::new(), bytes: 0 })
    }

    /// Adds a row to the batch, and stores the batch when it is full.
    pub(super) async fn row(&mut self, table: &Arc<Table>, row: RowValues) -> Result<(), ArchiveError> {
        self.bytes += row.iter().map(ColumnValue::size).sum::<usize>();
        self.batch.push(row);
        let full = i64::try_from(self.batch.len()).is_ok_and(|rows| rows >= limits::ARCHIVE_BATCH_ROWS);
        if full || self.bytes >= limits::ARCHIVE_BATCH_BYTES { self.flush(table).await } else { Ok(()) }
    }

    /// Stores the batch, whose rows belong to `table`.
    pub(super) async fn flush(&mut self, table: &Arc<Table>) -> Result<(), ArchiveError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let rows = std::mem::take(&mut self.batch);
        let stored = self.store.write(Insert { table: Arc::clone(table), rows }).await;
        stored.map_err(|error: ArchiveError| error.of_table(table))
    }

    /// Reads all rows back and compares their checksums.
    pub(super) async fn verify(
        &self,
        expected: &Sums,
        report: ReportProgress<'_>,
    ) -> Result<(), ArchiveError> {
        let of: u64 = expected.iter().map(|(_, Sum { rows, .. })| rows).sum();
        let mut snapshot = self.store.snapshot().await?;
        let tables = expected.iter().map(|(table, _)| Arc::clone(table));
        let stored = sums(&mut snapshot, tables, |table, rows| {
            report(Progress { phase: "verifying", table: &table.name, rows, total_rows: Some(of) });
        })
        .await?;
        match difference(expected, &stored) {
            None => Ok(()),
            Some(table) => Err(ArchiveError::ChecksumMismatch(table.to_owned())),
        }
    }

    /// Ends the load. After a success the mark is removed, after a failure all rows and then the mark.
    pub(super) async fn end<T>(self, outcome: Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        let outcome = match outcome {
            Ok(output) => self.finish().await.map(|()| output),
            failed => failed,
        };
        match outcome {
            Ok(output) => Ok(output),
            // The mark may be removed, and a server may already use the database.
            Err(cause @ ArchiveError::InDoubt(_)) => Err(cause),
            Err(cause) => match self.clear().await {
                Ok(()) => Err(cause),
                Err(cleanup) => {
                    Err(ArchiveError::CleanupFailed { cause: Box::new(cause), cleanup: Box::new(cleanup) })
                }
            },
        }
    }

    async fn finish(&self) -> Result<(), ArchiveError> {
        for table in Catalog::now()?.tables {
            let name = table.name.clone();
            if let Err(error) = self.store.write(AnalyzeTable(table)).await {
                tracing::warn!(%error, name, "statistics of a table were not updated, the database will do that itself");
            }
        }
        match self.store.write(Finish).await {
            // The first commit may have happened or still happen. Removing the mark twice does no harm.
            Err(ArchiveError::Store(StoreError::InDoubt(_))) => {
                self.store.write(Finish).await.map_err(|unknown| match unknown {
                    ArchiveError::Store(unknown) => ArchiveError::InDoubt(unknown),
                    other => other,
                })
            }
            done => done,
        }
    }

    async fn clear(&self) -> Result<(), ArchiveError> {
        // A row is deleted before the row that it refers to, and the mark, which is a row of the first table, last.
        for table in Catalog::now()?.tables.into_iter().rev() {
            while self.store.write(Clear(Arc::clone(&table))).await? > 0 {}
        }
        Ok(())
    }
}
