//! The database as it is at one moment, for reading all of it while others write.

use crate::{StoreError, Tx, postgres, sqlite};

pub(crate) enum Engine<'a> {
    Sqlite(sqlite::Snapshot<'a>),
    Postgres(postgres::Snapshot<'a>),
}

/// Reads the database as it was when this was made, however long that lasts. Nothing can be changed through it.
pub struct Snapshot<'a>(pub(crate) Engine<'a>);

impl Snapshot<'_> {
    /// The database at that moment.
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
