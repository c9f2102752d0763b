//! Suspension of any organization by the operator. A parent suspends its sub-accounts in [`crate::sub_accounts`].

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{self, Organization};
use tenantry_core::values::SuspensionReason;
use tenantry_store::{Party, Tx, UseCase};

use crate::{Error, Requester, changes};

/// Suspends an organization. Meanwhile the tokens of its sub-accounts are refused, and its own tokens may administer
/// the sub-accounts alone.
#[derive(Debug, Clone)]
pub struct OrganizationSuspend {
    /// The organization.
    pub id: OrganizationId,
    /// The reason.
    pub reason: SuspensionReason,
}

impl UseCase for OrganizationSuspend {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        Party::organization(self.id)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        suspend(tx, context, &Requester::operator(), (self.id, &self.reason)).await
    }
}

/// Suspends an organization, as the operator.
pub(crate) async fn suspend(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (id, reason): (OrganizationId, &SuspensionReason),
) -> Result<Organization, Error> {
    let before = tx.organization_for_update(id).await?.ok_or(Error::OrganizationNotFound)?;
    let after = organization::suspend(&before, reason.clone(), context.now());
    save(tx, context, by, &before, &after).await?;
    Ok(after)
}

/// Ends the suspension of an organization.
#[derive(Debug, Clone)]
pub struct OrganizationUnsuspend {
    /// The organization.
    pub id: OrganizationId,
}

impl UseCase for OrganizationUnsuspend {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        Party::organization(self.id)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        unsuspend(tx, context, &Requester::operator(), self.id).await
    }
}

/// Ends the suspension of an organization, as the operator.
pub(crate) async fn unsuspend(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    id: OrganizationId,
) -> Result<Organization, Error> {
    let before = tx.organization_for_update(id).await?.ok_or(Error::OrganizationNotFound)?;
    let after = organization::unsuspend(&before, context.now());
    save(tx, context, by, &before, &after).await?;
    Ok(after)
}

/// Stores the suspension of an organization or its end, if that changes it.
pub(crate) async fn save(
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
    let is_suspended = after.suspended.is_some();
    let action = if is_suspended { "organization.suspended" } else { "organization.unsuspended" };
    changes::updated(tx, context, by, action, (before, after)).await
}
