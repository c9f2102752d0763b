//! A snapshot: one read transaction on its own connection.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::session::{Mode, Session, Transaction};
use super::{Postgres, limits};
use crate::error::unexpected;
use crate::{StoreError, Tx};

/// A transaction that sees the database at one moment. Dropping it ends the transaction.
pub(crate) struct Snapshot<'a> {
    pool: &'a Postgres,
    transaction: Option<Transaction>,
    runtime: Handle,
}

impl Postgres {
    pub(crate) async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let connection = self.shared.connect().await?.answers_within(limits::SNAPSHOT_ANSWER);
        let transaction = Transaction::new(Arc::new(connection), Mode::Snapshot);
        let runtime = self.shared.runtime.clone();
        let mut snapshot = Snapshot { pool: self, transaction: Some(transaction), runtime };
        // PostgreSQL takes its snapshot at the first query, and with Citus at the first query on each node. This query
        // reads from every node, so that all snapshots are taken now.
        let look = "SELECT id FROM organizations LIMIT 1";
        snapshot.tx()?.first(look, &[], |row| row.get::<uuid::Uuid>(0)).await?;
        Ok(snapshot)
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
