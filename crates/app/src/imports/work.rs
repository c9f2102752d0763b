//! The work on imports: leases, turns of parts, and the deletion of files that are not needed any more.

use std::sync::Arc;
use std::time::Instant;

use tenantry_core::customer::ImportState;
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{CustomerImport, Party, StoreError, Tx, UseCase};

use super::part::ImportPart;
use super::{End, ImportRow, ImportSettings, ReadRows, finish};
use crate::{App, Error, limits};

/// The reason of an import whose part fails whenever it is tried.
const ALWAYS_FAILS: &str =
    "the server could not carry out the next row, however often it tried; its log has the reason";

/// The imports that a worker looks at.
#[derive(Debug, Clone, Copy)]
pub enum DueImports {
    /// This one.
    One(OrganizationId, ImportId),
    /// The imports of an organization.
    Of(OrganizationId),
    /// The imports of every organization, the one that has waited longest first.
    All,
}

/// Leases an import that is due. One that was taken [`limits::IMPORT_ATTEMPTS`] times without a part has failed.
struct LeaseImport(DueImports);

impl UseCase for LeaseImport {
    type Output = Option<CustomerImport>;
    type Error = Error;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<CustomerImport>, Error> {
        let now = context.now();
        let until = now.plus_seconds(limits::IMPORT_LEASE_S);
        let due = match self.0 {
            DueImports::One(organization, id) => vec![(organization, id)],
            DueImports::Of(organization) => tx.customer_imports_due_of(organization, now).await?,
            DueImports::All => tx.customer_imports_due(now, limits::IMPORTS_LOOKED_AT).await?,
        };
        for import in due {
            let Some(mut leased) = tx.customer_import_lease(import, now, until).await? else { continue };
            if leased.state == ImportState::Running && leased.attempts > limits::IMPORT_ATTEMPTS {
                finish(&mut leased, End::Failed(ALWAYS_FAILS), now);
                leased.due_at = Some(until);
                tx.customer_import_save(&leased).await?;
            }
            return Ok(Some(leased));
        }
        Ok(None)
    }
}

/// Ends a lease, so that another import has its turn. It does nothing where another worker has gone on.
struct ReleaseImport(CustomerImport);

impl UseCase for ReleaseImport {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        party(&self.0)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let found = tx.customer_import_for_update(self.0.organization, self.0.id).await?;
        match found.filter(|found| *found == self.0) {
            Some(found) => {
                let released = CustomerImport { due_at: Some(context.now()), ..found };
                Ok(tx.customer_import_save(&released).await?)
            }
            None => Ok(()),
        }
    }
}

fn party(import: &CustomerImport) -> Party {
    Party { organization: Some(import.organization), limited_as: Some(import.owner.uuid()) }
}

/// Deletes some chunks of the file of an import that ended early. Returns the import while chunks are left.
struct DeleteFile(CustomerImport);

impl UseCase for DeleteFile {
    type Output = Option<CustomerImport>;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        party(&self.0)
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<CustomerImport>, Error> {
        let key = (self.0.organization, self.0.id);
        let found = tx.customer_import_for_update(key.0, key.1).await?;
        let is_needless = |import: &CustomerImport| import.state.is_incomplete() && import.due_at.is_some();
        let Some(before) = found.filter(is_needless) else { return Ok(None) };
        let (bytes, is_last) =
            tx.customer_import_chunks_delete(key, limits::IMPORT_CHUNKS_PER_TRANSACTION).await?;
        let lease = context.now().plus_seconds(limits::IMPORT_LEASE_S);
        let after = CustomerImport {
            stored_bytes: before.stored_bytes.saturating_sub(bytes),
            due_at: (!is_last).then_some(lease),
            ..before
        };
        tx.customer_import_save(&after).await?;
        Ok(Some(after).filter(|_| !is_last))
    }
}

/// Deletes some rows of an import whose retention is over. Returns whether there was one.
struct DeleteExpiredImports;

impl UseCase for DeleteExpiredImports {
    type Output = bool;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, StoreError> {
        let now = context.now();
        let expired = tx.customer_imports_expired(now, 1).await?;
        for (organization, id) in &expired {
            // Its file may have gone on to arrive since the query.
            let found = tx.customer_import_for_update(*organization, *id).await?;
            if found.and_then(|import| import.expires_at).is_some_and(|expires_at| expires_at <= now) {
                tx.customer_import_delete(*organization, *id, limits::EXPIRED_ROWS_PER_TRANSACTION).await?;
            }
        }
        Ok(!expired.is_empty())
    }
}

impl App {
    /// Leases an import that is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_import(&self, due: DueImports) -> Result<Option<CustomerImport>, Error> {
        self.store.write(LeaseImport(due)).await
    }

    /// The time at which the next import of an organization is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_import_due_of(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.store.reader()?.tx()?.customer_import_next_due_of(organization).await
    }

    /// Carries out rows of a leased import until it ends, pauses, or `until` has passed, and reports each part. Deletes
    /// the rest of the file of one that ends early. Returns the import in its last state.
    ///
    /// # Errors
    /// When the database fails. The rows up to there stay done, and the lease ends by itself.
    pub async fn continue_import(
        &self,
        import: CustomerImport,
        read: ReadRows,
        until: Instant,
        report: impl FnMut(&CustomerImport) + Send,
    ) -> Result<CustomerImport, Error> {
        let import = if import.state.is_incomplete() {
            import
        } else {
            self.carry_out(import, read, until, report).await?
        };
        if import.state.is_incomplete() {
            let mut rest = Some(import.clone());
            while let Some(left) = rest {
                rest = self.store.write(DeleteFile(left)).await?;
            }
        }
        Ok(import)
    }

    async fn carry_out(
        &self,
        mut import: CustomerImport,
        read: ReadRows,
        until: Instant,
        mut report: impl FnMut(&CustomerImport) + Send,
    ) -> Result<CustomerImport, Error> {
        let settings = ImportSettings {
            format: import.format,
            columns: import.columns.clone(),
            on_match: import.on_match,
            is_dry_run: import.is_dry_run,
        };
        loop {
            let next_row = import.counts.done().saturating_add(1);
            let chunk =
                self.store.reader()?.tx()?.customer_import_chunk(import.organization, import.id).await?;
            let (chunk_row, content) = chunk.unwrap_or_else(|| (next_row, Vec::new()));
            let skipped = usize::try_from(next_row.saturating_sub(chunk_row)).unwrap_or(0);
            let wanted = skipped..skipped.saturating_add(limits::IMPORT_ROWS_READ);
            let (rows, ends_chunk) = read(&settings, &content, wanted);
            let of_next = next_row.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            let rows: Arc<[ImportRow]> = rows.into();
            let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
            loop {
                let part = ImportPart {
                    before: import.clone(),
                    first_row: next_row,
                    rows: Arc::clone(&rows),
                    chunk: ends_chunk.then_some((chunk_row, bytes)),
                    generation: Arc::clone(self.store.generation()),
                };
                let Some((after, is_paused)) = self.store.write(part).await? else { return Ok(import) };
                import = after;
                report(&import);
                if import.state.is_final() || is_paused {
                    return Ok(import);
                }
                if Instant::now() >= until {
                    self.store.write(ReleaseImport(import.clone())).await?;
                    return Ok(import);
                }
                if import.counts.done().saturating_add(1) >= of_next {
                    break;
                }
            }
        }
    }

    /// Deletes the imports whose retention is over.
    pub(crate) async fn delete_expired_imports(&self) -> Result<(), StoreError> {
        while self.store.write(DeleteExpiredImports).await? {}
        Ok(())
    }
}
