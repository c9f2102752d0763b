//! An import of an organization in progress, and its transactions. Each checks that the import still holds its lease.

use std::future::Future;

use tenantry_core::ids::OrganizationId;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Party, Tx, UseCase};
use uuid::Uuid;

use crate::archive::ArchiveError;
use crate::limits;

/// An import: the first organization of the file, and the id of this run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) root: OrganizationId,
    pub(super) id: Uuid,
}

impl Run {
    pub(super) const fn party(self) -> Party {
        Party::organization(self.root)
    }

    /// Locks the mark of the import. Fails if another process took it over.
    pub(super) async fn check(self, tx: &mut Tx<'_>) -> Result<(), ArchiveError> {
        let found = tx.organization_import(self.root).await?;
        if found.is_some_and(|found| found.import == self.id) { Ok(()) } else { Err(ArchiveError::LeaseLost) }
    }

    /// A transaction of the import.
    pub(super) const fn step<S: Step>(self, step: S) -> RunStep<S> {
        RunStep { run: self, step }
    }
}

pub(super) fn lease(now: Timestamp) -> Timestamp {
    now.plus_seconds(limits::MOVE_LEASE_S)
}

/// The changes of one transaction of an import.
pub(super) trait Step: Send + Sync + 'static {
    /// The result.
    type Output: Send + 'static;
    /// See [`UseCase::IS_LONG`].
    const IS_LONG: bool = true;

    /// Makes the changes. `run` is the import, which holds its lease.
    fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        run: Run,
    ) -> impl Future<Output = Result<Self::Output, ArchiveError>> + Send;
}

/// A transaction of an import: it fails if the import has lost its lease.
pub(super) struct RunStep<S> {
    run: Run,
    step: S,
}

impl<S: Step> UseCase for RunStep<S> {
    type Output = S::Output;
    type Error = ArchiveError;
    const IS_LONG: bool = S::IS_LONG;

    fn party(&self) -> Party {
        self.run.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<S::Output, ArchiveError> {
        self.run.check(tx).await?;
        self.step.change(tx, context, self.run).await
    }
}

/// Renews the lease of an import.
pub(super) struct Renew;

impl Step for Renew {
    type Output = ();
    const IS_LONG: bool = false;

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        run: Run,
    ) -> Result<(), ArchiveError> {
        Ok(tx.organization_import_lease(run.root, run.id, lease(context.now())).await?)
    }
}
