//! A snapshot: one read transaction on its own connection.

use super::Sqlite;
use super::driver::failure;
use super::readers::Reader;
use crate::{StoreError, Tx};

/// The page cache of a snapshot, in KiB. A snapshot reads each page once, so a small cache is enough.
const CACHE_KIB: i64 = 8_192;

/// A read transaction. Dropping it closes the connection, which ends the transaction.
pub(crate) struct Snapshot<'a>(Reader<'a>);

impl Sqlite {
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let snapshot = Snapshot(self.readers.new_reader()?);
        // The transaction begins with its first read.
        let begin =
            format!("PRAGMA cache_size = -{CACHE_KIB}; BEGIN; SELECT 1 FROM schema_migrations LIMIT 1");
        let connection = snapshot.0.connection()?;
        connection.execute_batch(&begin).map_err(|error| failure(connection, error))?;
        Ok(snapshot)
    }
}

impl Snapshot<'_> {
    pub(crate) fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        self.0.tx()
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
