//! One read transaction on a reader of its own.

use super::{Reader, Sqlite, failure, unexpected};
use crate::{StoreError, Tx};

/// A reader in a transaction; it ends when this is dropped.
pub(crate) struct Snapshot<'a>(Reader<'a>);

impl Sqlite {
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let mut snapshot = Snapshot(self.reader()?);
        // The transaction begins with its first look.
        snapshot.execute("BEGIN; SELECT 1 FROM schema_migrations LIMIT 1")?;
        Ok(snapshot)
    }
}

impl Snapshot<'_> {
    fn execute(&mut self, sql: &str) -> Result<(), StoreError> {
        let connection =
            self.0.connection.as_ref().ok_or_else(|| unexpected("a reader without connection"))?;
        connection.execute_batch(sql).map_err(|error| failure(connection, error))
    }

    pub(crate) fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        self.0.tx()
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.execute("ROLLBACK") {
            // A connection that cannot end its transaction is not given back.
            tracing::warn!(%error, "a snapshot did not end");
            self.0.connection = None;
        }
    }
}
