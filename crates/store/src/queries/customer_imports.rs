//! Imports of customers. The file of an import is stored in chunks of whole rows, and a chunk is deleted once its rows
//! are done. The row of `customer_imports` holds the progress, so that any process can continue.
//!
//! | state | `due_at` | `expires_at` |
//! |---|---|---|
//! | receiving | null | the time at which an upload without progress is abandoned |
//! | running | the time from which a worker may take it: the end of another worker's lease, or of a pause | null |
//! | stopped or failed, with the rest of its file | the time from which a worker may delete the rest | the end of its retention |
//! | completed, stopped, failed | null | the end of its retention |

use tenantry_core::Timestamp;
use tenantry_core::customer::{ImportCounts, ImportFormat, ImportState, OnMatch};
use tenantry_core::ids::{ImportId, OrganizationId, UserId};
use tenantry_core::token::TokenHash;

use super::token_secrets;
use crate::row::Row;
use crate::{StoreError, Tx};

/// An import of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerImport {
    /// The tenant.
    pub organization: OrganizationId,
    /// Id.
    pub id: ImportId,
    /// The owner of the organization when the import began. The limits of imports count by owner.
    pub owner: UserId,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Time of the end.
    pub finished_at: Option<Timestamp>,
    /// The secret of the request, by its hash. No row is carried out once it has ended. None for the operator.
    pub secret: Option<TokenHash>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// State.
    pub state: ImportState,
    /// The reason why the remaining rows are not carried out.
    pub stop_reason: Option<String>,
    /// The form of the file.
    pub format: ImportFormat,
    /// The first line of a table. Empty for another file.
    pub columns: String,
    /// The treatment of rows that match a customer.
    pub on_match: OnMatch,
    /// Whether nothing is changed.
    pub is_dry_run: bool,
    /// Bytes of the file that arrived.
    pub bytes: i64,
    /// Rows of the file that arrived.
    pub rows: i64,
    /// Rows that are done.
    pub counts: ImportCounts,
    /// The size of what is stored for the import: its file, the faults of its rows, the keys of a dry run.
    pub stored_bytes: i64,
    /// The times that a worker has taken the import since its last part.
    pub attempts: i64,
    /// See the table above.
    pub due_at: Option<Timestamp>,
    /// See the table above.
    pub expires_at: Option<Timestamp>,
}

pub(super) const COLUMNS: &str =
    "organization_id, id, owner_user_id, created_at, finished_at, secret_hash, request_id, state,
    stop_reason, format, columns, on_match, is_dry_run, byte_count, row_count, created_rows, updated_rows,
    unchanged_rows, skipped_rows, failed_rows, stored_bytes, attempts, due_at, expires_at";

pub(super) fn import(row: &Row<'_>) -> Result<CustomerImport, StoreError> {
    let secret: Option<Vec<u8>> = row.get(5)?;
    Ok(CustomerImport {
        organization: row.get(0)?,
        id: row.get(1)?,
        owner: row.get(2)?,
        created_at: row.get(3)?,
        finished_at: row.get(4)?,
        secret: secret.map(token_secrets::hash).transpose()?,
        request_id: row.get(6)?,
        state: row.named(7, ImportState::from_name)?,
        stop_reason: row.get(8)?,
        format: row.named(9, ImportFormat::from_name)?,
        columns: row.get(10)?,
        on_match: row.named(11, OnMatch::from_name)?,
        is_dry_run: row.get(12)?,
        bytes: row.get(13)?,
        rows: row.get(14)?,
        counts: ImportCounts {
            created: row.get(15)?,
            updated: row.get(16)?,
            unchanged: row.get(17)?,
            skipped: row.get(18)?,
            failed: row.get(19)?,
        },
        stored_bytes: row.get(20)?,
        attempts: row.get(21)?,
        due_at: row.get(22)?,
        expires_at: row.get(23)?,
    })
}

impl Tx<'_> {
    /// Inserts an import.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_insert(&mut self, new: &CustomerImport) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO customer_imports (organization_id, id, owner_user_id, created_at, secret_hash, request_id,
                state, format, columns, on_match, is_dry_run, byte_count, row_count, created_rows, updated_rows,
                unchanged_rows, skipped_rows, failed_rows, stored_bytes, attempts, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?12)",
            &[
                new.organization.into(),
                new.id.into(),
                new.owner.into(),
                new.created_at.into(),
                new.secret.as_ref().map(|secret| secret.0.as_slice()).into(),
                new.request_id.as_deref().into(),
                new.state.as_str().into(),
                new.format.as_str().into(),
                new.columns.as_str().into(),
                new.on_match.as_str().into(),
                new.is_dry_run.into(),
                new.expires_at.into(),
            ],
        )
        .await
    }

    /// The import of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import(
        &mut self,
        organization: OrganizationId,
        id: ImportId,
    ) -> Result<Option<CustomerImport>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM customer_imports WHERE organization_id = ?1 AND id = ?2");
        self.first(&sql, &[organization.into(), id.into()], import).await
    }

    /// The import of this id, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_for_update(
        &mut self,
        organization: OrganizationId,
        id: ImportId,
    ) -> Result<Option<CustomerImport>, StoreError> {
        let hold = self.for_update();
        let sql =
            format!("SELECT {COLUMNS} FROM customer_imports WHERE organization_id = ?1 AND id = ?2{hold}");
        self.first(&sql, &[organization.into(), id.into()], import).await
    }

    /// Saves the progress of an import.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_save(&mut self, changed: &CustomerImport) -> Result<(), StoreError> {
        let ImportCounts { created, updated, unchanged, skipped, failed } = changed.counts;
        self.execute_unawaited(
            "UPDATE customer_imports SET state = ?3, stop_reason = ?4, finished_at = ?5, byte_count = ?6,
                row_count = ?7, created_rows = ?8, updated_rows = ?9, unchanged_rows = ?10, skipped_rows = ?11,
                failed_rows = ?12, stored_bytes = ?13, attempts = ?14, due_at = ?15, expires_at = ?16
             WHERE organization_id = ?1 AND id = ?2",
            &[
                changed.organization.into(),
                changed.id.into(),
                changed.state.as_str().into(),
                changed.stop_reason.as_deref().into(),
                changed.finished_at.into(),
                changed.bytes.into(),
                changed.rows.into(),
                created.into(),
                updated.into(),
                unchanged.into(),
                skipped.into(),
                failed.into(),
                changed.stored_bytes.into(),
                changed.attempts.into(),
                changed.due_at.into(),
                changed.expires_at.into(),
            ],
        )
        .await
    }

    /// Saves an import that is due from now on, or whose file is to be deleted, and wakes the worker after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_import_start(&mut self, started: &CustomerImport) -> Result<(), StoreError> {
        self.mark_import_due(started.organization);
        self.customer_import_save(started).await
    }
}
