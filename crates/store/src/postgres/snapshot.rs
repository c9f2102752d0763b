//! One read transaction on a connection of its own.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::session::{Mode, Session, Transaction};
use super::{Postgres, limits};
use crate::error::unexpected;
use crate::{StoreError, Tx};

/// A transaction that sees one moment; it ends when this is dropped.
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
        // What is seen is what is there at the first look; where tables are spread, at the first look into each
        // node: this one looks into all.
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
        // The connection ends with it; a pooler would otherwise have to end its own.
        if let Some(transaction) = self.transaction.take() {
            self.runtime.spawn(transaction.roll_back());
        }
    }
}
