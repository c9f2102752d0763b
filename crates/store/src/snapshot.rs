//! The database as it is at one moment, for reading all of it while others write.

use crate::{Store, StoreError, Tx, sqlite};

/// Sees the database as it was when this was made, however long it lasts.
pub struct Snapshot<'a>(sqlite::Snapshot<'a>);

impl Snapshot<'_> {
    /// The database at that moment; nothing can be changed through it.
    ///
    /// # Errors
    /// Never while the snapshot is alive.
    pub fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        self.0.tx()
    }
}

impl Store {
    /// The database as it is now, to be read for as long as it takes. What is written meanwhile is kept
    /// beside it, so a snapshot should not outlive its purpose.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    #[expect(clippy::unused_async, reason = "an engine that answers over a network must ask for it")]
    pub async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        Ok(Snapshot(self.sqlite.snapshot()?))
    }
}
