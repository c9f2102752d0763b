//! Deletion and undeletion of organizations, and the purge of those that stay deleted.
//!
//! | state | condition | next |
//! |---|---|---|
//! | live | | deleted by its team, its parent or the operator |
//! | deleted | `deleted_at` is set: it has no access, all rows stay | undeleted; after [`Retention::deleted_days`] in purge |
//! | in purge | `purge_began_at` is set: rows are deleted in parts of [`limits::PURGED_ROWS_PER_TRANSACTION`] | purged |
//! | purged | its slug is left | |
//!
//! A deletion writes one row, however many rows the organization has: every look-up of a credential reads that row.
//! Sub-accounts are shut out by the row of their parent, as by a suspension. Pending mails are deleted; webhook events
//! from before are delivered. Each part of a purge looks for the rows that are left, so that a purge continues after a
//! crash.
//!
//! [`Retention::deleted_days`]: crate::Retention::deleted_days

use std::num::NonZeroU32;

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    DeletedOrganization, Organization, SubAccountError, check_delete, check_undelete,
};
use tenantry_core::values::Slug;
use tenantry_store::{HIDDEN_AT, Party, PurgedRows, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::changes::{Audited, INSTALLATION};
use crate::conditional::RowUseCase;
use crate::{App, Error, Requester, TeamPermission, changes, limits, retention, verified};

/// Deletes an organization.
#[derive(Debug, Clone)]
pub struct OrganizationDelete {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub id: OrganizationId,
    /// Whether its sub-accounts are deleted with it. Without this, one that has some is not deleted.
    pub with_sub_accounts: bool,
}

impl UseCase for OrganizationDelete {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.id), ..self.by.party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, id, with_sub_accounts } = self;
        let before = self.current(tx).await?;
        verified::before_change(tx, context, by).await?;
        let count = tx.sub_account_count(*id).await?;
        let named = tx.sub_account_slugs(*id, limits::SUB_ACCOUNTS_NAMED).await?;
        check_delete(named, count, *with_sub_accounts)?;
        delete(tx, context, by, &before).await?;
        Ok(before)
    }
}

impl RowUseCase for OrganizationDelete {
    type Row = Organization;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Organization, Error> {
        let Self { by, id, .. } = self;
        if !by.has_access(*id) {
            return Err(Error::OrganizationNotFound);
        }
        // The parent is locked first, as by every use case that locks both.
        if let Some(parent) = tx.organization_parent(*id).await? {
            tx.organization_for_update(parent).await?;
        }
        let found = tx.organization_for_update(*id).await?.ok_or(Error::OrganizationNotFound)?;
        by.check(*id, TeamPermission::ManageOrganization)?;
        Ok(found)
    }
}

/// Deletes an organization. Its row and that of its parent are locked.
pub(crate) async fn delete(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &Organization,
) -> Result<(), Error> {
    by.check_proof(context.now())?;
    tx.organization_delete(before.id, context.now()).await?;
    if let Some(parent) = before.parent {
        tx.sub_account_count_add(parent, -1).await?;
    }
    changes::deleted(tx, context, by, "organization.deleted", before).await?;
    match before.parent {
        Some(parent) => tx.mails_delete_about(parent, before.id).await?,
        None => tx.mails_delete_of(before.id).await?,
    }
    Ok(())
}

/// Brings a deleted organization back. Changes nothing if it is not deleted.
#[derive(Debug, Clone)]
pub struct OrganizationUndelete {
    /// The requester: the organization's owner, a person that manages its parent, or the operator.
    pub by: Requester,
    /// The organization.
    pub id: OrganizationId,
}

impl UseCase for OrganizationUndelete {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.id), ..self.by.party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, id } = self;
        let parent = match tx.organization_parent(*id).await? {
            Some(parent) => tx.organization_for_update(parent).await?,
            None => None,
        };
        let found = tx.organization_in_any_state(*id).await?.ok_or(Error::OrganizationNotFound)?;
        if found.deleted_at == Some(HIDDEN_AT) || !may_undelete(by, &found, parent.as_ref()) {
            return Err(Error::OrganizationNotFound);
        }
        check_undelete(&found, parent.as_ref())?;
        let DeletedOrganization { organization, deleted_at, .. } = &found;
        if deleted_at.is_none() {
            return Ok(organization.clone());
        }
        if let Some(parent) = parent {
            let limit = limits::SUB_ACCOUNTS_PER_PARENT;
            if tx.sub_account_count(parent.id).await? >= limit {
                return Err(SubAccountError::LimitReached(limit).into());
            }
            tx.sub_account_count_add(parent.id, 1).await?;
        }
        tx.organization_undelete(*id).await?;
        changes::created(tx, context, by, "organization.undeleted", organization).await?;
        Ok(organization.clone())
    }
}

/// Whether the requester may undelete an organization. People cannot undelete one that is suspended, or whose parent is
/// suspended or deleted.
fn may_undelete(by: &Requester, found: &DeletedOrganization, parent: Option<&Organization>) -> bool {
    let DeletedOrganization { organization, .. } = found;
    let is_open = organization.is_open() && parent.is_none_or(Organization::is_open);
    let manages_parent = parent.is_some_and(|parent| {
        by.user().is_some()
            && by.has_access(parent.id)
            && by.check(parent.id, TeamPermission::ManageOrganization).is_ok()
    });
    by.is_operator()
        || is_open
            && by.is_restricted_to(organization.id)
            && (by.user() == Some(organization.owner) || manages_parent)
}

/// A purged organization, as its audit entry in the log of the installation shows it.
#[derive(Serialize)]
struct PurgedOrganization<'a> {
    id: OrganizationId,
    slug: &'a Slug,
}

impl Audited for PurgedOrganization<'_> {
    fn organization(&self) -> OrganizationId {
        INSTALLATION
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// The state of a purge after one of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purge {
    /// Rows are left.
    Goes,
    /// A worker still delivers an event, so that a later sweep continues the purge.
    Waits,
    /// Nothing is left.
    Ended,
}

/// Deletes some rows of an organization that was deleted long ago.
struct PurgeOrganization {
    id: OrganizationId,
    deleted_days: NonZeroU32,
}

impl UseCase for PurgeOrganization {
    type Output = Purge;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party::organization(self.id)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Purge, Error> {
        let (id, now) = (self.id, context.now());
        let Some(found) = tx.organization_in_any_state(id).await? else { return Ok(Purge::Ended) };
        let DeletedOrganization { organization, deleted_at, is_in_purge } = found;
        if !is_in_purge {
            // It may have been undeleted meanwhile.
            if deleted_at.is_none_or(|at| at >= retention::before(now, self.deleted_days)) {
                return Ok(Purge::Ended);
            }
            tx.organization_begin_purge(id, now).await?;
        }
        let limit = limits::PURGED_ROWS_PER_TRANSACTION;
        let children = tx.sub_accounts_begin_purge(id, now, limit).await?;
        if children > 0 {
            tx.sub_account_count_add(id, -i64::try_from(children).unwrap_or(0)).await?;
            return Ok(Purge::Goes);
        }
        if !tx.webhook_queues_purge(id, now).await? {
            return Ok(Purge::Waits);
        }
        if tx.organization_rows_purge(id, limit, PurgedRows::OfDeleted).await? {
            return Ok(Purge::Goes);
        }
        tx.organization_purge(id, &organization.slug).await?;
        let purged = PurgedOrganization { id, slug: &organization.slug };
        changes::deleted(tx, context, &Requester::system(), "organization.purged", &purged).await?;
        Ok(Purge::Ended)
    }
}

impl App {
    /// Purges organizations that were deleted long ago, up to [`limits::PURGE_PARTS_PER_SWEEP`] parts. A purge that
    /// fails does not delay the others.
    pub(crate) async fn purge_organizations(&self, deleted_days: NonZeroU32) -> Result<(), StoreError> {
        let mut parts = 0;
        let before = retention::before(self.now(), deleted_days);
        let due = self.store.reader()?.tx()?.organizations_to_purge(before, limits::PURGES_PER_SWEEP).await?;
        for id in due {
            loop {
                parts += 1;
                match self.store.write(PurgeOrganization { id, deleted_days }).await {
                    Ok(Purge::Goes) if parts < limits::PURGE_PARTS_PER_SWEEP => {}
                    Ok(Purge::Goes) => return Ok(()),
                    Ok(Purge::Waits | Purge::Ended) => break,
                    Err(error) => {
                        tracing::warn!(%error, organization_id = %id, "purge of an organization is not finished");
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
