//! Suspending any organization, which the operator may; a parent suspends its sub-accounts
//! ([`crate::sub_accounts`]).

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{self, Organization};
use tenantry_core::values::SuspensionReason;
use tenantry_store::{Tx, UseCase};

use crate::changes::{self, Change};
use crate::{Error, Requester};

/// Suspends an organization, for the operator: until that ends its children's tokens are dead, and its own
/// are for administering the children alone.
#[derive(Debug, Clone)]
pub struct OrganizationSuspend {
    /// Which.
    pub id: OrganizationId,
    /// Why.
    pub reason: SuspensionReason,
}

impl UseCase for OrganizationSuspend {
    type Output = Organization;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.id)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let before = tx.organization_for_update(self.id).await?.ok_or(Error::OrganizationNotFound)?;
        let after = organization::suspend(&before, self.reason.clone(), context.now());
        store(tx, context, &Requester::operator(), &before, &after).await?;
        Ok(after)
    }
}

/// Ends an organization's suspension, for the operator.
#[derive(Debug, Clone)]
pub struct OrganizationUnsuspend {
    /// Which.
    pub id: OrganizationId,
}

impl UseCase for OrganizationUnsuspend {
    type Output = Organization;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.id)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let before = tx.organization_for_update(self.id).await?.ok_or(Error::OrganizationNotFound)?;
        let after = organization::unsuspend(&before, context.now());
        store(tx, context, &Requester::operator(), &before, &after).await?;
        Ok(after)
    }
}

/// Stores what a suspension, or its end, made of an organization, if anything.
pub(crate) async fn store(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &Organization,
    after: &Organization,
) -> Result<(), Error> {
    if after == before {
        return Ok(());
    }
    tx.organization_update_suspension(after).await?;
    let suspended = after.suspended.is_some();
    let change = Change {
        organization: after.id,
        action: if suspended { "organization.suspended" } else { "organization.unsuspended" },
        subject: after.id.uuid(),
        before: Some(before),
        after: Some(after),
    };
    changes::record(tx, context, by, change).await
}
