//! Values of the whole installation, by name.

use tenantry_core::Timestamp;

use crate::value::Param;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The value of `name`. When it has none, `value` is stored first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value_ensure(
        &mut self,
        name: &str,
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.execute_unawaited(
            "INSERT INTO installation (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            &[name.into(), Param::Bytes(value)],
        )
        .await?;
        Ok(self.installation_value(name).await?.unwrap_or_default())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.first("SELECT value FROM installation WHERE name = ?1", &[name.into()], |row| row.get(0)).await
    }

    /// Whether `name` has a value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_has_value(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM installation WHERE name = ?1";
        Ok(self.first(sql, &[name.into()], |row| row.get::<i64>(0)).await?.is_some())
    }

    /// As [`Tx::installation_value`], and locks the value until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value_for_update(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = format!("SELECT value FROM installation WHERE name = ?1{}", self.for_update());
        self.first(&sql, &[name.into()], |row| row.get(0)).await
    }

    /// Stores the value of `name`, in place of an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value_replace(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO installation (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[name.into(), Param::Bytes(value)],
        )
        .await
    }

    /// Deletes the value of `name`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_value_delete(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM installation WHERE name = ?1", &[name.into()]).await
    }

    /// Stores `now` as the time of the last successful write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_write_heartbeat(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_micros().to_be_bytes();
        self.execute_unawaited(
            "INSERT INTO installation (name, value) VALUES ('written_at', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[Param::Bytes(&now)],
        )
        .await
    }
}
