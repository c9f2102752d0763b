//! The database as it is at one moment, for reading all of it while others write.

use crate::{Engine, Store, StoreError, Tx, postgres, sqlite};

enum Of<'a> {
    Sqlite(sqlite::Snapshot<'a>),
    Postgres(postgres::Snapshot<'a>),
}

/// Sees the database as it was when this was made, however long it lasts.
pub struct Snapshot<'a>(Of<'a>);

impl Snapshot<'_> {
    /// The database at that moment; nothing can be changed through it.
    ///
    /// # Errors
    /// Never while the snapshot is alive.
    pub fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        match &mut self.0 {
            Of::Sqlite(snapshot) => snapshot.tx(),
            Of::Postgres(snapshot) => snapshot.tx(),
        }
    }
}

impl Store {
    /// The database as it is now, to be read for as long as it takes. What is written meanwhile is kept
    /// beside it, so a snapshot should not outlive its purpose.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        Ok(Snapshot(match &self.engine {
            Engine::Sqlite(sqlite) => Of::Sqlite(sqlite.snapshot()?),
            Engine::Postgres(postgres) => Of::Postgres(postgres.snapshot().await?),
        }))
    }
}
