//! The rows that are stored for an import of customers: its file in chunks of whole rows, the faults of its failed rows,
//! and the keys that a dry run notes. `customer_imports.stored_bytes` counts all of them.

use tenantry_core::ids::{ImportId, OrganizationId};

use super::Page;
use crate::value::{FromValue, Param};
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// Inserts a chunk of the file, which begins with the row `first_row`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_chunk_insert(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        first_row: i64,
        content: &[u8],
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO customer_import_chunks (organization_id, import_id, row_number, content)
             VALUES (?1, ?2, ?3, ?4)",
            &[organization.into(), id.into(), first_row.into(), Param::Bytes(content)],
        )
        .await
    }

    /// The next chunk: the number of its first row, and the rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_chunk(
        &mut self,
        organization: OrganizationId,
        id: ImportId,
    ) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        self.first(
            "SELECT row_number, content FROM customer_import_chunks
             WHERE organization_id = ?1 AND import_id = ?2 ORDER BY row_number LIMIT 1",
            &[organization.into(), id.into()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .await
    }

    /// Deletes a chunk whose rows are done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_chunk_delete(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        first_row: i64,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM customer_import_chunks
             WHERE organization_id = ?1 AND import_id = ?2 AND row_number = ?3",
            &[organization.into(), id.into(), first_row.into()],
        )
        .await
    }

    /// Deletes the first `limit` chunks of a file that is not needed any more. Returns the bytes of these chunks, and
    /// whether none is left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_chunks_delete(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        limit: i64,
    ) -> Result<(i64, bool), StoreError> {
        let sql = "SELECT row_number, CAST(length(content) AS BIGINT) FROM customer_import_chunks
             WHERE organization_id = ?1 AND import_id = ?2 ORDER BY row_number LIMIT ?3";
        let chunks: Vec<(i64, i64)> = self
            .all(sql, &[organization.into(), id.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?)))
            .await?;
        if let Some((last, _)) = chunks.last() {
            self.execute_unawaited(
                "DELETE FROM customer_import_chunks
                 WHERE organization_id = ?1 AND import_id = ?2 AND row_number <= ?3",
                &[organization.into(), id.into(), (*last).into()],
            )
            .await?;
        }
        let is_last = i64::try_from(chunks.len()).is_ok_and(|found| found < limit);
        Ok((chunks.iter().map(|(_, bytes)| bytes).sum(), is_last))
    }

    /// Records the faults of a row, as JSON.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_failure_insert(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        row: i64,
        faults: &str,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO customer_import_failures (organization_id, import_id, row_number, faults)
             VALUES (?1, ?2, ?3, ?4)",
            &[organization.into(), id.into(), row.into(), faults.into()],
        )
        .await
    }

    /// A page of the failed rows, in the order of the file: the number of each row, and its faults.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_failures(
        &mut self,
        organization: OrganizationId,
        id: ImportId,
        page: Page,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let [limit, offset] = page.params();
        self.all(
            "SELECT row_number, faults FROM customer_import_failures
             WHERE organization_id = ?1 AND import_id = ?2 ORDER BY row_number LIMIT ?3 OFFSET ?4",
            &[organization.into(), id.into(), limit, offset],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .await
    }

    /// Notes that a row of a dry run would create a customer with this key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_key_insert(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        key: &str,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO customer_import_keys (organization_id, import_id, row_key) VALUES (?1, ?2, ?3)
             ON CONFLICT (organization_id, import_id, row_key) DO NOTHING",
            &[organization.into(), id.into(), key.into()],
        )
        .await
    }

    /// Whether an earlier row of a dry run would create a customer with this key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_has_key(
        &mut self,
        (organization, id): (OrganizationId, ImportId),
        key: &str,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM customer_import_keys
             WHERE organization_id = ?1 AND import_id = ?2 AND row_key = ?3";
        Ok(self.first(sql, &[organization.into(), id.into(), key.into()], |_| Ok(())).await?.is_some())
    }

    /// Deletes up to `limit` rows of an import in each table, and the import itself once no row is left. Returns
    /// whether it is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_delete(
        &mut self,
        organization: OrganizationId,
        id: ImportId,
        limit: i64,
    ) -> Result<bool, StoreError> {
        // A chunk is larger than the other rows.
        let (_, is_last) =
            self.customer_import_chunks_delete((organization, id), (limit / 16).max(1)).await?;
        let failures = ("customer_import_failures", "row_number");
        let failures =
            self.first_rows_delete(failures, (organization, id), limit, |row: &i64| (*row).into()).await?;
        let keys = ("customer_import_keys", "row_key");
        let keys = self
            .first_rows_delete(keys, (organization, id), limit, |key: &String| key.as_str().into())
            .await?;
        let most = failures.max(keys);
        if !is_last || i64::try_from(most).is_ok_and(|most| most >= limit) {
            return Ok(false);
        }
        self.execute_unawaited(
            "DELETE FROM customer_imports WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into()],
        )
        .await?;
        Ok(true)
    }

    /// Deletes the first `limit` rows of an import in a table whose primary key ends with `column`. Returns how many.
    async fn first_rows_delete<K: FromValue + Send>(
        &mut self,
        (table, column): (&str, &str),
        (organization, id): (OrganizationId, ImportId),
        limit: i64,
        param: impl for<'a> Fn(&'a K) -> Param<'a>,
    ) -> Result<usize, StoreError> {
        let which = format!("{table} WHERE organization_id = ?1 AND import_id = ?2");
        let sql = format!("SELECT {column} FROM {which} ORDER BY {column} LIMIT ?3");
        let params = [organization.into(), id.into(), limit.into()];
        let rows: Vec<K> = self.all(&sql, &params, |row| row.get(0)).await?;
        if let Some(last) = rows.last() {
            let sql = format!("DELETE FROM {which} AND {column} <= ?3");
            self.execute_unawaited(&sql, &[organization.into(), id.into(), param(last)]).await?;
        }
        Ok(rows.len())
    }
}
