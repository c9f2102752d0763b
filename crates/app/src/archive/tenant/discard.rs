//! Removes the rows of an import that failed or ended early, in bounded parts, as a purge does. The marks in
//! `organization_imports` are deleted with the last row of each organization, that of the first organization last.

use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{
    Catalog, ColumnValue, OrganizationImportMark, Party, PurgedRows, RowValues, Store, StoreError, Table, Tx,
    UseCase,
};

use super::export::new_id;
use super::run::{Run, Step, lease};
use super::stage::table;
use super::tables;
use crate::archive::ArchiveError;
use crate::{App, limits};

/// Takes over an import whose lease has ended. Returns whether it did.
struct TakeOver(Run);

impl UseCase for TakeOver {
    type Output = bool;
    type Error = ArchiveError;

    fn party(&self) -> Party {
        self.0.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, ArchiveError> {
        let Run { root, id } = self.0;
        let found = tx.organization_import(root).await?;
        let is_abandoned =
            found.and_then(|found| found.leased_until).is_some_and(|until| until < context.now());
        if is_abandoned {
            tx.organization_import_lease(root, id, lease(context.now())).await?;
        }
        Ok(is_abandoned)
    }
}

/// Deletes some rows of an organization. Returns whether more are left.
struct RemoveRows(OrganizationId);

impl Step for RemoveRows {
    type Output = bool;

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        run: Run,
    ) -> Result<bool, ArchiveError> {
        tx.organization_import_lease(run.root, run.id, lease(context.now())).await?;
        let limit = limits::PURGED_ROWS_PER_TRANSACTION;
        Ok(tx.organization_rows_purge(self.0, limit, PurgedRows::OfImport).await?)
    }
}

/// Deletes the rows of a table with these keys.
struct RemoveKeys(Arc<Table>, Vec<RowValues>);

impl Step for RemoveKeys {
    type Output = ();

    async fn change(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext, _: Run) -> Result<(), ArchiveError> {
        for key in &self.1 {
            tx.row_delete(&self.0, key).await?;
        }
        Ok(())
    }
}

/// Deletes the row, the slug and the mark of an organization without other rows.
struct RemoveOrganization(OrganizationImportMark);

impl Step for RemoveOrganization {
    type Output = ();
    const IS_LONG: bool = false;

    async fn change(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext, _: Run) -> Result<(), ArchiveError> {
        remove_organization(tx, &self.0).await
    }
}

async fn remove_organization(tx: &mut Tx<'_>, mark: &OrganizationImportMark) -> Result<(), ArchiveError> {
    let catalog = Catalog::now()?;
    let (organizations, slugs) = (table(&catalog, "organizations")?, table(&catalog, "organization_slugs")?);
    let key = [ColumnValue::Id(mark.organization.uuid())];
    if let Some(row) = tx.row_by_key(&organizations, &key).await? {
        if mark.has_new_slug
            && let Some(slug @ ColumnValue::Text(_)) = tables::value(&organizations, &row, "slug")
        {
            tx.row_delete(&slugs, std::slice::from_ref(slug)).await?;
        }
        tx.row_delete(&organizations, &key).await?;
    }
    Ok(tx.organization_import_delete(mark.organization).await?)
}

/// Removes the rows of one organization of an import.
pub(super) async fn discard_organization(
    store: &Store,
    run: Run,
    mark: OrganizationImportMark,
) -> Result<(), ArchiveError> {
    let organization = mark.organization;
    while store.write(run.step(RemoveRows(organization))).await? {}
    // Rows that no token and no audit entry of the file names. No index finds them, so this reads the whole table.
    let catalog = Catalog::now()?;
    for table in [table(&catalog, "credentials")?, table(&catalog, "former_team_members")?] {
        loop {
            let limit = limits::PURGED_ROWS_PER_TRANSACTION;
            let left = store.reader()?.tx()?.tenant_rows_after(&table, &[organization], None, limit).await?;
            if left.is_empty() {
                break;
            }
            let keys = left.iter().map(|row| table.key_of(row)).collect();
            store.write(run.step(RemoveKeys(Arc::clone(&table), keys))).await?;
        }
    }
    store.write(run.step(RemoveOrganization(mark))).await
}

/// Removes all rows of an import that this process holds.
pub(super) async fn discard(store: &Store, run: Run) -> Result<(), ArchiveError> {
    let mut marks = store.reader()?.tx()?.organization_imports(run.root).await?;
    marks.sort_by_key(|mark| mark.organization == run.root);
    for mark in marks {
        discard_organization(store, run, mark).await?;
    }
    Ok(())
}

/// Takes over an import whose lease has ended, and removes its rows.
pub(super) async fn discard_abandoned(store: &Store, root: OrganizationId) -> Result<(), ArchiveError> {
    let run = Run { root, id: new_id() };
    if store.write(TakeOver(run)).await? { discard(store, run).await } else { Ok(()) }
}

impl App {
    /// Removes the rows of imports that ended early.
    pub(crate) async fn remove_abandoned_organization_imports(&self) -> Result<(), StoreError> {
        let mut reader = self.store().reader()?;
        let found = reader
            .tx()?
            .organization_imports_abandoned(self.now(), limits::ABANDONED_MOVES_PER_SWEEP)
            .await?;
        drop(reader);
        for root in found {
            if let Err(error) = discard_abandoned(self.store(), root).await {
                tracing::warn!(%error, organization_id = %root, "rows of an import that ended early were not removed");
            }
        }
        Ok(())
    }
}
