//! Reading what is committed, outside of any transaction.

use crate::{StoreError, Tx, postgres, sqlite};

enum Engine<'a> {
    Sqlite(sqlite::Reader<'a>),
    Postgres(&'a postgres::Postgres),
}

/// Reads what is committed; whatever it holds is given back when it is dropped.
pub struct Reader<'a>(Engine<'a>);

impl<'a> Reader<'a> {
    pub(crate) const fn sqlite(reader: sqlite::Reader<'a>) -> Self {
        Self(Engine::Sqlite(reader))
    }

    pub(crate) const fn postgres(pool: &'a postgres::Postgres) -> Self {
        Self(Engine::Postgres(pool))
    }

    /// The database as it is committed at each query.
    ///
    /// # Errors
    /// Never while the reader is alive.
    pub fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(reader) => reader.tx(),
            Engine::Postgres(pool) => Ok(pool.reading()),
        }
    }
}
