//! What is true of the whole installation.

use crate::sql::Param;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The value kept under `name`; `value` is kept there when there is none yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value(&mut self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.execute(
            "INSERT INTO installation (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            &[name.into(), Param::Bytes(value)],
        )
        .await?;
        let kept = self
            .first("SELECT value FROM installation WHERE name = ?1", &[name.into()], |row| row.get(0))
            .await?;
        Ok(kept.unwrap_or_default())
    }
}
