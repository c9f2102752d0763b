//! Sub-accounts, as who manages their parent sees them: list, make, change, suspend, delete. A parent that is
//! let in reaches its children whatever their state; what is not its child does not exist.

use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    self, NewSubAccount, Organization, SubAccountChange, SubAccountError, SubAccountFacts, SubAccountStatus,
    check_parent, create_sub_account, sub_account_status, update_sub_account,
};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::values::{Slug, SuspensionReason};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Keyset, KeysetPage, StoreError, Tx, UseCase};

use crate::changes::{self, Change};
use crate::{App, Error, Requester, TeamPermission, limits, suspension, team};

/// A sub-account and what its parent is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAccount {
    /// The organization.
    pub organization: Organization,
    /// How it stands.
    pub status: SubAccountStatus,
    /// People in its team.
    pub members: u64,
}

impl SubAccount {
    fn of(parent: &Organization, organization: Organization, members: u64) -> Self {
        Self { status: sub_account_status(&organization, parent), organization, members }
    }
}

/// The parent, when the requester may administer its sub-accounts and it can have any.
pub(crate) async fn parent(
    tx: &mut Tx<'_>,
    by: &Requester,
    id: OrganizationId,
    hold: bool,
) -> Result<Organization, Error> {
    let found = match by.reaches(id) {
        true if hold => tx.organization_for_update(id).await?,
        true => tx.organization(id).await?,
        false => None,
    };
    let parent = found.ok_or(Error::OrganizationNotFound)?;
    by.check(id, TeamPermission::ManageOrganization)?;
    check_parent(&parent)?;
    Ok(parent)
}

/// A sub-account, held until the transaction ends.
pub(crate) async fn child(
    tx: &mut Tx<'_>,
    parent: OrganizationId,
    id: OrganizationId,
) -> Result<Organization, Error> {
    let found = tx.sub_account_for_update(parent, id).await?;
    found.ok_or(Error::SubAccountNotFound)
}

async fn shown(tx: &mut Tx<'_>, parent: &Organization, child: Organization) -> Result<SubAccount, Error> {
    let members = tx.team_size(child.id).await?;
    Ok(SubAccount::of(parent, child, members))
}

async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&Organization>,
    after: Option<&Organization>,
) -> Result<(), Error> {
    let Some(Organization { id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*id, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

/// Makes a sub-account. The parent's owner owns it.
#[derive(Debug, Clone)]
pub struct SubAccountCreate {
    /// On whose behalf.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// What it is made of.
    pub new: NewSubAccount,
}

impl UseCase for SubAccountCreate {
    type Output = SubAccount;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: id, new } = self;
        let parent = parent(tx, by, *id, true).await?;
        let count = tx.sub_account_count(parent.id).await?;
        let facts = SubAccountFacts { parent: parent.clone(), count, limit: limits::SUB_ACCOUNTS };
        let slug = Slug::derive(new.name.as_str(), context.random_bytes());
        let id = OrganizationId::new(context.uuid());
        let child = create_sub_account(facts, new.clone(), slug, id, context.now())?;
        tx.sub_account_count_add(parent.id, 1).await.map_err(|error| {
            if error.is_violation_of("organizations_one_level") {
                SubAccountError::Nested.into()
            } else {
                Error::from(error)
            }
        })?;
        tx.organization_insert(&child).await.map_err(|error| {
            // The next attempt draws another one.
            if error.is_violation_of("organization_slugs_pkey") {
                StoreError::Unavailable("a slug was drawn that is taken".into())
            } else {
                error
            }
        })?;
        record(tx, context, by, "organization.created", None, Some(&child)).await?;
        let now = context.now();
        let owner = TeamMember {
            organization: id,
            user: child.owner,
            role: TeamRole::Owner,
            created_at: now,
            modified_at: now,
        };
        team::join(tx, context, by, &owner).await?;
        shown(tx, &parent, child).await
    }
}

/// Changes a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// Which.
    pub id: OrganizationId,
    /// How.
    pub change: SubAccountChange,
}

impl UseCase for SubAccountUpdate {
    type Output = SubAccount;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id, change } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = update_sub_account(&before, change.clone(), context.now())?;
        tx.organization_update(&after).await?;
        record(tx, context, by, "organization.updated", Some(&before), Some(&after)).await?;
        shown(tx, &parent, after).await
    }
}

/// Suspends a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountSuspend {
    /// On whose behalf.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// Which.
    pub id: OrganizationId,
    /// Why.
    pub reason: SuspensionReason,
}

impl UseCase for SubAccountSuspend {
    type Output = SubAccount;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id, reason } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = organization::suspend(&before, reason.clone(), context.now());
        suspension::store(tx, context, by, &before, &after).await?;
        shown(tx, &parent, after).await
    }
}

/// Ends the suspension of a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountUnsuspend {
    /// On whose behalf.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// Which.
    pub id: OrganizationId,
}

impl UseCase for SubAccountUnsuspend {
    type Output = SubAccount;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = organization::unsuspend(&before, context.now());
        suspension::store(tx, context, by, &before, &after).await?;
        shown(tx, &parent, after).await
    }
}

/// Deletes a sub-account: nothing of it is seen any more, and its tokens, sessions and webhooks are dead.
#[derive(Debug, Clone)]
pub struct SubAccountDelete {
    /// On whose behalf.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// Which.
    pub id: OrganizationId,
}

impl UseCase for SubAccountDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, parent: of, id } = self;
        parent(tx, by, *of, true).await?;
        let before = child(tx, *of, *id).await?;
        tx.organization_delete(*id, context.now()).await?;
        tx.sub_account_count_add(*of, -1).await?;
        record(tx, context, by, "organization.deleted", Some(&before), None).await
    }
}

/// What a parent and its sub-accounts used in a month. Nothing here sends messages, so nobody used any: who
/// is asked after is all there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The month: its beginning, and that of the next.
    pub period: (Timestamp, Timestamp),
    /// The live sub-accounts, oldest first: their ids and names.
    pub sub_accounts: Vec<(OrganizationId, String)>,
}

impl App {
    /// The sub-account of this id.
    ///
    /// # Errors
    /// When the requester may not administer the parent's sub-accounts, when there is none, or a fault.
    pub async fn sub_account(
        &self,
        by: &Requester,
        of: OrganizationId,
        id: OrganizationId,
    ) -> Result<SubAccount, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let parent = parent(&mut tx, by, of, false).await?;
        let (child, members) = tx.sub_account(of, id).await?.ok_or(Error::SubAccountNotFound)?;
        Ok(SubAccount::of(&parent, child, members))
    }

    /// A part of the list of a parent's sub-accounts, newest first.
    ///
    /// # Errors
    /// When the requester may not administer them, or a fault.
    pub async fn sub_accounts(
        &self,
        by: &Requester,
        of: OrganizationId,
        keyset: Keyset,
    ) -> Result<KeysetPage<SubAccount>, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let parent = parent(&mut tx, by, of, false).await?;
        let KeysetPage { items, newer, older } = tx.sub_accounts_by_cursor(of, keyset).await?;
        let items = items.into_iter().map(|(child, members)| SubAccount::of(&parent, child, members));
        Ok(KeysetPage { items: items.collect(), newer, older })
    }

    /// What a parent and its sub-accounts used in this month.
    ///
    /// # Errors
    /// When the requester may not administer them, or a fault.
    pub async fn sub_accounts_usage(&self, by: &Requester, of: OrganizationId) -> Result<Usage, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        parent(&mut tx, by, of, false).await?;
        Ok(Usage { period: self.now().month(), sub_accounts: tx.sub_account_names(of).await? })
    }
}
