//! One read transaction on a reader of its own.

use super::{Reader, Sqlite, failure, unexpected};
use crate::{StoreError, Tx};

/// KiB of pages that a snapshot keeps in memory: who reads everything once needs few of them again.
const CACHE_KIB: i64 = 8_192;

/// A reader in a transaction; it ends, with its connection, when this is dropped.
pub(crate) struct Snapshot<'a>(Reader<'a>);

impl Sqlite {
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let mut snapshot = Snapshot(Reader { pool: self, connection: Some(self.connect_reader()?) });
        // The transaction begins with its first look.
        let begin =
            format!("PRAGMA cache_size = -{CACHE_KIB}; BEGIN; SELECT 1 FROM schema_migrations LIMIT 1");
        snapshot.execute(&begin)?;
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
        // A connection that is closed ends its transaction; it is not given back with its small cache.
        self.0.connection = None;
    }
}
