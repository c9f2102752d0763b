//! Reads of committed rows, outside of any transaction.

use crate::postgres::readers::Readers;
use crate::postgres::session::Session;
use crate::{StoreError, Tx, sqlite};

pub(crate) enum Engine<'a> {
    Sqlite(sqlite::Reader<'a>),
    Postgres(&'a Readers),
}

/// A connection that reads committed rows. Dropping it returns the connection to the pool.
pub struct Reader<'a>(pub(crate) Engine<'a>);

impl Reader<'_> {
    /// The database as it is committed at each query.
    ///
    /// # Errors
    /// Never while the reader is alive.
    pub fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(reader) => reader.tx(),
            Engine::Postgres(readers) => Ok(Tx::postgres(Session::Reading(readers), readers.vault())),
        }
    }
}
