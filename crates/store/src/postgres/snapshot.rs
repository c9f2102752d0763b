//! A snapshot: one read transaction on its own connection.
//!
//! PostgreSQL takes a snapshot at the first query of a transaction, and with Citus at the first query on each node. So
//! that no transaction is committed between the snapshots of two nodes, all writes wait while they are taken: a second
//! connection locks the tables on the coordinator, where every write holds a lock until it is committed everywhere.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::connection::Connection;
use super::faults::Fault;
use super::session::Session;
use super::transaction::{Mode, Transaction};
use super::{Postgres, limits};
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{StoreError, Tx};

/// A transaction that sees the database at one moment. Dropping it ends the transaction.
pub(crate) struct Snapshot<'a> {
    pool: &'a Postgres,
    transaction: Option<Transaction>,
    runtime: Handle,
}

impl Postgres {
    pub(crate) async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let connection = self.shared.connect(limits::SNAPSHOT).await?.for_whole_tables();
        let gate = if connection.is_spread() { Some(self.hold_writes().await?) } else { None };
        let transaction = Transaction::new(Arc::new(connection), Mode::Snapshot);
        let runtime = self.shared.runtime.clone();
        let mut snapshot = Snapshot { pool: self, transaction: Some(transaction), runtime };
        // This query reads from every node, so that all snapshots are taken now.
        let look = "SELECT id FROM organizations LIMIT 1";
        let looked = snapshot.tx()?.first(look, &[], |row| row.get::<uuid::Uuid>(0)).await;
        if let Some(gate) = gate {
            gate.run("ROLLBACK").await?;
        }
        looked?;
        Ok(snapshot)
    }

    /// Locks every table, and returns the connection whose transaction holds the locks. New writes wait for it. It
    /// gives up and repeats its request while writes that have begun take longer, so that others do not queue up behind
    /// it.
    async fn hold_writes(&self) -> Result<Connection, StoreError> {
        let connection = self.shared.connect(limits::PATIENT).await?;
        let catalog = Catalog::now()?;
        let tables: Vec<_> = catalog.tables.iter().map(|table| table.name.as_str()).collect();
        // The limit is for all tables together: the lock timeout would begin anew with each.
        let begin = format!("BEGIN; SET LOCAL statement_timeout = {}", limits::SNAPSHOT_LOCK_MS);
        let lock = format!("LOCK TABLE {} IN SHARE MODE", tables.join(", "));
        let mut last = StoreError::Unavailable("writes are in the way".into());
        for _ in 0..limits::SNAPSHOT_LOCKS {
            connection.run(&begin).await?;
            match connection.run(&lock).await {
                Ok(()) => return Ok(connection),
                Err((error, Some(Fault::Conflict | Fault::Locked | Fault::TimedOut))) => last = error,
                Err((error, _)) => return Err(error),
            }
            connection.run("ROLLBACK").await?;
            tokio::time::sleep(limits::SNAPSHOT_LOCK_PAUSE).await;
        }
        Err(last)
    }
}

impl Snapshot<'_> {
    pub(crate) fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        let transaction = self.transaction.as_mut().ok_or_else(|| unexpected("a snapshot that is over"))?;
        Ok(Tx::postgres(Session::Searching(transaction), self.pool.shared.vault()))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // The connection closes afterwards. The rollback lets a pooler reuse its server connection.
        if let Some(transaction) = self.transaction.take() {
            self.runtime.spawn(transaction.roll_back());
        }
    }
}
