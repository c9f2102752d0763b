//! A consistent view of the whole database at one moment. Other connections can write meanwhile.

use crate::{StoreError, Tx, postgres, sqlite};

pub(crate) enum Engine<'a> {
    Sqlite(sqlite::Snapshot<'a>),
    Postgres(postgres::Snapshot<'a>),
}

/// A read-only transaction that sees the database as it was when the snapshot began. It has no time limit.
pub struct Snapshot<'a>(pub(crate) Engine<'a>);

impl Snapshot<'_> {
    /// A query interface that reads this snapshot.
    ///
    /// # Errors
    /// Never while the snapshot is alive.
    pub fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(snapshot) => snapshot.tx(),
            Engine::Postgres(snapshot) => snapshot.tx(),
        }
    }
}
