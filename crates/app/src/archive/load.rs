//! Filling an empty database. It bears a mark from before its first row until all rows were read back; who
//! fails on the way takes the rows away again, and the mark last.

use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_store::{Catalog, ColumnValue, RowValues, Store, StoreError, Table, Tx, UseCase};

use super::format::Sum;
use super::{ArchiveError, Progress, Report, Sums, UNFINISHED, difference, sums};
use crate::limits;

/// A database that is being filled.
pub(super) struct Loading<'a> {
    store: &'a Store,
    waiting: Vec<RowValues>,
    bytes: usize,
}

/// Puts the mark into a database that has no row.
struct Begin(Catalog);

impl UseCase for Begin {
    type Output = ();
    type Error = ArchiveError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), ArchiveError> {
        if tx.installation_has_value(UNFINISHED).await? {
            return Err(ArchiveError::Unfinished);
        }
        for table in &self.0.tables {
            if tx.rows_exist(table).await? {
                return Err(ArchiveError::NotEmpty(table.name.clone()));
            }
        }
        let mine = context.uuid();
        let mark = tx.installation_value_ensure(UNFINISHED, mine.as_bytes()).await?;
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

/// Deletes a part of a table's rows; answers how many.
struct Clear(Arc<Table>);

impl UseCase for Clear {
    type Output = usize;
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<usize, ArchiveError> {
        Ok(tx.rows_delete(&self.0, limits::MOVED_ROWS).await?)
    }
}

/// Has the database look over a table that was filled.
struct LookOver(Arc<Table>);

impl UseCase for LookOver {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        Ok(tx.rows_analyze(&self.0).await?)
    }
}

/// Takes the mark away.
struct Finish;

impl UseCase for Finish {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        Ok(tx.installation_value_delete(UNFINISHED).await?)
    }
}

impl<'a> Loading<'a> {
    /// Begins with a database that has no rows.
    pub(super) async fn begin(store: &'a Store) -> Result<Self, ArchiveError> {
        store.write(Begin(Catalog::now()?)).await?;
        Ok(Self { store, waiting: Vec::new(), bytes: 0 })
    }

    /// Stores a row, now or with the next.
    pub(super) async fn row(&mut self, table: &Arc<Table>, row: RowValues) -> Result<(), ArchiveError> {
        self.bytes += row.iter().map(ColumnValue::size).sum::<usize>();
        self.waiting.push(row);
        let full = i64::try_from(self.waiting.len()).is_ok_and(|rows| rows >= limits::MOVED_ROWS);
        if full || self.bytes >= limits::MOVED_BYTES { self.flush(table).await } else { Ok(()) }
    }

    /// Stores the rows of `table` that wait.
    pub(super) async fn flush(&mut self, table: &Arc<Table>) -> Result<(), ArchiveError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let rows = std::mem::take(&mut self.waiting);
        let stored = self.store.write(Insert { table: Arc::clone(table), rows }).await;
        stored.map_err(|error| match error {
            ArchiveError::Store(why @ (StoreError::Violated(_) | StoreError::Unexpected(_))) => {
                ArchiveError::Refused { table: table.name.clone(), why }
            }
            other => other,
        })
    }

    /// Reads everything back.
    pub(super) async fn verify(&self, expected: &Sums, report: Report<'_>) -> Result<(), ArchiveError> {
        let of: u64 = expected.iter().map(|(_, Sum { rows, .. })| rows).sum();
        let mut snapshot = self.store.snapshot().await?;
        let tables = expected.iter().map(|(table, _)| Arc::clone(table));
        let stored = sums(&mut snapshot, tables, |table, rows| {
            report(Progress { doing: "verifying", table: &table.name, rows, of: Some(of) });
        })
        .await?;
        match difference(expected, &stored) {
            None => Ok(()),
            Some(table) => Err(ArchiveError::Different(table.to_owned())),
        }
    }

    /// Ends it one way or the other: the mark is taken away, with every row when it failed.
    pub(super) async fn end<T>(self, outcome: Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        let outcome = match outcome {
            Ok(output) => self.finish().await.map(|()| output),
            failed => failed,
        };
        match outcome {
            Ok(output) => Ok(output),
            // The mark may be gone, and others at work with what is here.
            Err(cause @ ArchiveError::InDoubt(_)) => Err(cause),
            Err(cause) => match self.clear().await {
                Ok(()) => Err(cause),
                Err(left) => Err(ArchiveError::Left { cause: Box::new(cause), left: Box::new(left) }),
            },
        }
    }

    async fn finish(&self) -> Result<(), ArchiveError> {
        for table in Catalog::now()?.tables {
            let name = table.name.clone();
            if let Err(error) = self.store.write(LookOver(table)).await {
                tracing::warn!(%error, name, "the database did not look over a table; it will by itself");
            }
        }
        match self.store.write(Finish).await {
            // It may have happened, or happen yet: who does it again waits for that, and finds nothing to do then.
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
        // The mark is a row of `installation`: it goes last.
        let (marked, others): (Vec<_>, Vec<_>) =
            Catalog::now()?.tables.into_iter().partition(|table| table.name == "installation");
        for table in others.into_iter().chain(marked) {
            while self.store.write(Clear(Arc::clone(&table))).await? > 0 {}
        }
        Ok(())
    }
}
