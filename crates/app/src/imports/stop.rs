//! Stops an import by a request. The rows that are done stay.

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_store::{CustomerImport, Party, RowKey, Tx, UseCase};
use uuid::Uuid;

use super::{End, finish};
use crate::changes::Audited;
use crate::{Error, Requester, TeamPermission, changes};

/// Stops an import. Changes nothing if it has ended.
#[derive(Debug, Clone)]
pub struct ImportStop {
    /// The requester.
    pub by: Requester,
    /// The import.
    pub id: ImportId,
}

impl UseCase for ImportStop {
    type Output = CustomerImport;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<CustomerImport, Error> {
        let Self { by, id } = self;
        let key = RowKey::CustomerImport(id.uuid());
        let mut found = None;
        for organization in by.organizations_with_row(tx, TeamPermission::ReadCustomers, key).await? {
            found = tx.customer_import_for_update(organization, *id).await?;
            if found.is_some() {
                break;
            }
        }
        let before = found.ok_or(Error::ImportNotFound)?;
        by.check(before.organization, TeamPermission::ManageCustomers)?;
        if before.state.is_final() {
            return Ok(before);
        }
        let mut after = before.clone();
        finish(&mut after, End::Stopped, context.now());
        tx.customer_import_start(&after).await?;
        let (old, new) = (ImportImage::of(&before), ImportImage::of(&after));
        changes::updated(tx, context, by, "customer_import.stopped", (&old, &new)).await?;
        Ok(after)
    }
}

/// An import, as its audit entry shows it.
#[derive(Debug, Serialize)]
struct ImportImage {
    #[serde(skip)]
    organization: OrganizationId,
    id: ImportId,
    state: &'static str,
    rows: i64,
    done: i64,
}

impl ImportImage {
    const fn of(import: &CustomerImport) -> Self {
        let CustomerImport { organization, id, state, rows, counts, .. } = import;
        Self { organization: *organization, id: *id, state: state.as_str(), rows: *rows, done: counts.done() }
    }
}

impl Audited for ImportImage {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}
