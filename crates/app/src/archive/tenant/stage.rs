//! The first and the last transaction of an import of an organization, and those that write no rows of one table.

use std::sync::Arc;

use serde::Serialize;
use tenantry_core::ids::{AuditId, OrganizationId, UserId};
use tenantry_core::{ExecutionContext, organization};
use tenantry_store::{
    Catalog, ColumnValue, OrganizationImportMark, Party, PendingEvent, RowValues, Table, Tx, UseCase,
};
use uuid::Uuid;

use super::people::Person;
use super::run::{Run, Step, lease};
use super::tables;
use crate::archive::{ArchiveError, pending};
use crate::changes::Audited;
use crate::{Error, Requester, changes, limits, suspension};

/// The response text of events that were pending in the source.
const RESPONSE: &str =
    "not sent: the organization was moved here, and the installation before may have sent it";

/// The table of the catalog.
pub(super) fn table(catalog: &Catalog, name: &str) -> Result<Arc<Table>, ArchiveError> {
    let found = catalog.table(name).cloned();
    found.ok_or_else(|| ArchiveError::Unsupported(format!("the schema has no table {name}")))
}

/// The outcome of [`Begin`].
pub(super) enum Begun {
    /// The import has begun: the organization did not exist.
    Now,
    /// The organization was imported from the same export before.
    Already,
    /// An import that ended early left rows, which must be removed first.
    Abandoned,
}

/// Reserves the organization for an import.
pub(super) struct Begin {
    pub(super) run: Run,
    pub(super) export: Uuid,
}

impl UseCase for Begin {
    type Output = Begun;
    type Error = ArchiveError;

    fn party(&self) -> Party {
        self.run.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Begun, ArchiveError> {
        let Run { root, id } = self.run;
        let organizations = table(&Catalog::now()?, "organizations")?;
        if let Some(found) = tx.organization_import(root).await? {
            return match found.leased_until {
                Some(until) if until < context.now() => Ok(Begun::Abandoned),
                _ => Err(ArchiveError::ImportRunning),
            };
        }
        if tx.row_by_key(&organizations, &[ColumnValue::Id(root.uuid())]).await?.is_some() {
            return if was_imported(tx, root, self.export).await? {
                Ok(Begun::Already)
            } else {
                Err(ArchiveError::Conflict(format!(
                    "organization {root} exists here, and was not imported from this file"
                )))
            };
        }
        let mark = OrganizationImportMark {
            organization: root,
            root,
            import: id,
            leased_until: Some(lease(context.now())),
            has_new_slug: false,
        };
        tx.organization_import_insert(&mark).await.map_err(|error| {
            if error.is_violation_of("organization_imports_pkey") {
                ArchiveError::ImportRunning
            } else {
                error.into()
            }
        })?;
        Ok(Begun::Now)
    }
}

/// Whether the organization exists because this export was imported, as its audit log says.
async fn was_imported(tx: &mut Tx<'_>, root: OrganizationId, export: Uuid) -> Result<bool, ArchiveError> {
    let (mut after, export) = (None::<AuditId>, format!("\"export_id\":\"{export}\""));
    if tx.organization(root).await?.is_none() {
        return Ok(false);
    }
    loop {
        let entries = tx.audit_images(root, root.uuid(), after, limits::ARCHIVE_BATCH_ROWS).await?;
        let Some((last, ..)) = entries.last() else { return Ok(false) };
        after = Some(*last);
        if entries.iter().any(|(_, _, image)| image.as_ref().is_some_and(|image| image.contains(&export))) {
            return Ok(true);
        }
    }
}

/// Inserts the row of an organization, hidden, with its slug.
pub(super) struct StageOrganization {
    pub(super) table: Arc<Table>,
    pub(super) row: RowValues,
    pub(super) id: OrganizationId,
    pub(super) slug: String,
}

impl Step for StageOrganization {
    type Output = ();

    async fn change(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext, run: Run) -> Result<(), ArchiveError> {
        let Self { id, slug, .. } = self;
        let catalog = Catalog::now()?;
        let exists = |what: String| ArchiveError::Conflict(format!("{what} exists here"));
        if tx.row_by_key(&self.table, &[ColumnValue::Id(id.uuid())]).await?.is_some() {
            return Err(exists(format!("organization {id}")));
        }
        // The keys of stored responses are those of organizations or of people.
        if tx.user(UserId::new(id.uuid())).await?.is_some() {
            return Err(exists(format!("a person with the id {id}")));
        }
        // From now on every row of this organization belongs to the import, so that a failed import may remove it.
        for table in tables::owned(&catalog) {
            if !tx.tenant_rows_after(&table, &[*id], None, 1).await?.is_empty() {
                return Err(exists(format!("a row of organization {id} in table {}", table.name)));
            }
        }
        let has_new_slug = match tx.organization_by_slug(slug).await? {
            None => true,
            Some(found) if found == *id => false,
            Some(_) => return Err(exists(format!("another organization with the slug {slug}"))),
        };
        if has_new_slug {
            let row = vec![ColumnValue::Text(slug.clone()), ColumnValue::Id(id.uuid())];
            let inserted = tx.rows_insert(&*table(&catalog, "organization_slugs")?, &[row]).await;
            inserted.map_err(|error| match error.is_violation_of("organization_slugs_pkey") {
                true => exists(format!("the slug {slug} of an organization that was deleted")),
                false => error.into(),
            })?;
        }
        if *id == run.root {
            let marks = table(&catalog, "organization_imports")?;
            let new = ColumnValue::Bool(has_new_slug);
            tx.row_set(&marks, &[ColumnValue::Id(id.uuid())], ("has_new_slug", &new)).await?;
        } else {
            let (organization, root, import) = (*id, run.root, run.id);
            let mark =
                OrganizationImportMark { organization, root, import, leased_until: None, has_new_slug };
            tx.organization_import_insert(&mark).await?;
        }
        Ok(tx.rows_insert(&self.table, std::slice::from_ref(&self.row)).await?)
    }
}

/// Marks events that were pending in the source as failed.
pub(super) struct EndEvents(pub(super) Vec<PendingEvent>);

impl Step for EndEvents {
    type Output = ();

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        _: Run,
    ) -> Result<(), ArchiveError> {
        Ok(pending::end_events(tx, context, &self.0, RESPONSE).await?)
    }
}

/// Deletes queues of endpoints whose deletion was in progress in the source. Returns whether there were some.
pub(super) struct DeleteQueues(pub(super) OrganizationId);

impl Step for DeleteQueues {
    type Output = bool;
    const IS_LONG: bool = false;

    async fn change(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext, _: Run) -> Result<bool, ArchiveError> {
        let limit = limits::EXPIRED_ROWS_PER_TRANSACTION;
        Ok(tx.webhook_queues_of_deleted_delete(self.0, limit).await? > 0)
    }
}

/// The import, as its audit entry shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ImportRecord {
    /// The organization.
    pub(super) id: OrganizationId,
    /// The export.
    pub(super) export_id: Uuid,
    /// Rows of the file.
    pub(super) rows: u64,
}

impl Audited for ImportRecord {
    fn organization(&self) -> OrganizationId {
        self.id
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Creates some of the people, whose memberships are stored and hidden. From then on a change of a person's address or a
/// deletion finds the memberships, as it does those of every organization.
pub(super) struct SettlePeople(pub(super) Vec<Person>);

impl Step for SettlePeople {
    type Output = ();

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        run: Run,
    ) -> Result<(), ArchiveError> {
        for person in &self.0 {
            person.settle(tx, context, run.root).await?;
        }
        Ok(())
    }
}

/// Deletes those of some people whom a failed import has created and who have nothing else here.
pub(super) struct ForgetPeople {
    pub(super) run: Run,
    pub(super) people: Vec<Person>,
}

impl UseCase for ForgetPeople {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.run.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), ArchiveError> {
        for person in &self.people {
            person.forget(tx).await?;
        }
        Ok(())
    }
}

/// Makes the organizations visible.
pub(super) struct Finish {
    pub(super) run: Run,
    pub(super) organizations: Vec<OrganizationId>,
    pub(super) record: ImportRecord,
    /// Whether the export suspended the organization.
    pub(super) ends_suspension: bool,
}

impl UseCase for Finish {
    type Output = ();
    type Error = ArchiveError;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.run.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), ArchiveError> {
        let root = self.run.root;
        if tx.organization_import(root).await?.is_none() && tx.organization(root).await?.is_some() {
            // An earlier attempt with an unknown outcome was committed.
            return Ok(());
        }
        self.run.check(tx).await?;
        for organization in &self.organizations {
            tx.organization_reveal(*organization).await?;
            tx.organization_import_delete(*organization).await?;
        }
        let by = Requester::operator();
        changes::created(tx, context, &by, "organization.imported", &self.record).await?;
        if self.ends_suspension {
            let before = tx.organization_for_update(root).await?.ok_or(Error::OrganizationNotFound)?;
            let after = organization::unsuspend(&before, context.now());
            suspension::save(tx, context, &by, &before, &after).await?;
        }
        Ok(())
    }
}
