//! The arrival of a file: it is stored in chunks of whole rows, and nothing of it is carried out before it is complete.

use std::sync::Arc;

use tenantry_core::customer::{ImportCounts, ImportState};
use tenantry_core::ids::{ImportId, OrganizationId, UserId};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{CustomerImport, Party, Tx, UseCase};

use super::{End, ImportSettings, finish};
use crate::{App, Error, Requester, TeamPermission, limits};

/// Begins an import, whose file then arrives.
#[derive(Debug, Clone)]
pub struct ImportBegin {
    /// The requester.
    pub by: Requester,
    /// The organization of the customers, if the requester is a person. A token determines it otherwise.
    pub organization: Option<OrganizationId>,
    /// The choices.
    pub settings: ImportSettings,
}

impl UseCase for ImportBegin {
    type Output = CustomerImport;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<CustomerImport, Error> {
        let Self { by, organization, settings } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageCustomers)?;
        let tenant = tx.organization(organization).await?.ok_or(Error::OrganizationNotFound)?;
        let now = context.now();
        check_number(tx, by, tenant.owner, ImportState::Receiving, now).await?;
        check_bytes(tx, by, tenant.owner).await?;
        let ended = (limits::IMPORTS_KEPT_PER_OWNER, limits::IMPORTS_ENDED_PER_TRANSACTION);
        tx.customer_imports_expire(tenant.owner, now, ended).await?;
        let import = CustomerImport {
            organization,
            id: ImportId::new(context.uuid()),
            owner: tenant.owner,
            created_at: now,
            finished_at: None,
            secret: by.secret(),
            request_id: by.request_id.clone(),
            state: ImportState::Receiving,
            stop_reason: None,
            format: settings.format,
            columns: settings.columns.clone(),
            on_match: settings.on_match,
            is_dry_run: settings.is_dry_run,
            bytes: 0,
            rows: 0,
            counts: ImportCounts::default(),
            stored_bytes: 0,
            attempts: 0,
            due_at: None,
            expires_at: Some(now.plus_seconds(limits::IMPORT_SILENCE_S)),
        };
        tx.customer_import_insert(&import).await?;
        Ok(import)
    }
}

/// The import that still receives its file, locked.
async fn receiving(
    tx: &mut Tx<'_>,
    by: &Requester,
    (organization, id): (OrganizationId, ImportId),
    now: Timestamp,
) -> Result<CustomerImport, Error> {
    by.check(organization, TeamPermission::ManageCustomers)?;
    let import = tx.customer_import_for_update(organization, id).await?;
    import.filter(|import| is_receiving(import, now)).ok_or(Error::ImportNotFound)
}

/// Whether the file of an import still arrives. The sweep may have begun to delete one without progress.
fn is_receiving(import: &CustomerImport, now: Timestamp) -> bool {
    import.state == ImportState::Receiving && import.expires_at.is_none_or(|expires_at| expires_at > now)
}

/// Stores a chunk of the file.
#[derive(Debug, Clone)]
pub struct ImportReceive {
    /// The requester.
    pub by: Requester,
    /// The import.
    pub import: (OrganizationId, ImportId),
    /// The number of rows in the chunk.
    pub rows: i64,
    /// The rows.
    pub content: Arc<[u8]>,
}

impl UseCase for ImportReceive {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, import, rows, content } = self;
        let before = receiving(tx, by, *import, context.now()).await?;
        check_bytes(tx, by, before.owner).await?;
        tx.customer_import_chunk_insert(*import, before.rows.saturating_add(1), content).await?;
        let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let after = CustomerImport {
            rows: before.rows.saturating_add(*rows),
            bytes: before.bytes.saturating_add(bytes),
            stored_bytes: before.stored_bytes.saturating_add(bytes),
            expires_at: Some(context.now().plus_seconds(limits::IMPORT_SILENCE_S)),
            ..before
        };
        Ok(tx.customer_import_save(&after).await?)
    }
}

/// Makes an import whose file is complete due. An import without rows is completed at once.
#[derive(Debug, Clone)]
pub struct ImportStart {
    /// The requester.
    pub by: Requester,
    /// The import.
    pub import: (OrganizationId, ImportId),
}

impl UseCase for ImportStart {
    type Output = CustomerImport;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<CustomerImport, Error> {
        let before = receiving(tx, &self.by, self.import, context.now()).await?;
        check_number(tx, &self.by, before.owner, ImportState::Running, context.now()).await?;
        let mut import = CustomerImport {
            state: ImportState::Running,
            due_at: Some(context.now()),
            expires_at: None,
            ..before
        };
        if import.rows == 0 {
            finish(&mut import, End::Completed, context.now());
        }
        tx.customer_import_start(&import).await?;
        Ok(import)
    }
}

/// Checks that another import of the owner may be in this state. Uploads and running imports count apart, so that the
/// repetition of a request with an idempotency key arrives while the imports run.
async fn check_number(
    tx: &mut Tx<'_>,
    by: &Requester,
    owner: UserId,
    state: ImportState,
    now: Timestamp,
) -> Result<(), Error> {
    if by.limited_as().is_none() {
        return Ok(());
    }
    // Locked, so that imports of one moment count each other.
    tx.user_for_update(owner).await?;
    if tx.customer_imports_unfinished(owner, state, now).await? >= limits::IMPORTS_PER_OWNER {
        return Err(Error::TooManyImports);
    }
    Ok(())
}

/// Checks that the imports of the owner may store more. Uploads that were refused count until they are deleted.
async fn check_bytes(tx: &mut Tx<'_>, by: &Requester, owner: UserId) -> Result<(), Error> {
    if by.limited_as().is_none() {
        return Ok(());
    }
    let (_, bytes) = tx.customer_imports_stored(owner).await?;
    if bytes < limits::IMPORT_BYTES_PER_OWNER { Ok(()) } else { Err(Error::TooManyImportBytes) }
}

/// Ends an import whose file did not arrive completely.
#[derive(Debug, Clone, Copy)]
struct ImportDiscard {
    import: (OrganizationId, ImportId),
}

impl UseCase for ImportDiscard {
    /// Whether the import is to be deleted.
    type Output = bool;
    type Error = Error;

    fn party(&self) -> Party {
        Party::organization(self.import.0)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let (organization, id) = self.import;
        let import = tx.customer_import_for_update(organization, id).await?;
        match import.filter(|import| import.state == ImportState::Receiving) {
            Some(import) => {
                let discarded = CustomerImport { expires_at: Some(context.now()), ..import };
                tx.customer_import_save(&discarded).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Deletes some rows of a discarded import. Returns whether none is left.
struct DeleteDiscarded {
    import: (OrganizationId, ImportId),
}

impl UseCase for DeleteDiscarded {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party::organization(self.import.0)
    }

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<bool, Error> {
        let (organization, id) = self.import;
        Ok(tx.customer_import_delete(organization, id, limits::EXPIRED_ROWS_PER_TRANSACTION).await?)
    }
}

impl App {
    /// Deletes an import whose file did not arrive completely, also when its requester has lost its rights.
    ///
    /// # Errors
    /// When the database fails. The sweep then deletes the import later.
    pub async fn discard_import(&self, import: (OrganizationId, ImportId)) -> Result<(), Error> {
        if self.write(ImportDiscard { import }).await? {
            while !self.store.write(DeleteDiscarded { import }).await? {}
        }
        Ok(())
    }
}
