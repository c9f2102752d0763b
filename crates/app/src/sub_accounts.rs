//! Sub-accounts, administered by their parent: list, create, update, suspend, delete. The parent has access to its
//! sub-accounts in any state, also suspended ones, and finds no other organization's sub-accounts.

use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    self, NewSubAccount, Organization, SubAccountChange, SubAccountError, SubAccountFacts, SubAccountStatus,
    check_parent, create_sub_account, sub_account_status, update_sub_account,
};
use tenantry_core::team::{TeamError, TeamMember, TeamRole};
use tenantry_core::values::{Slug, SuspensionReason};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Keyset, KeysetPage, Party, StoreError, Tx, UseCase};

use crate::conditional::RowUseCase;
use crate::{
    App, Error, Requester, TeamPermission, changes, limits, organization_deletion, suspension, team,
};

/// A sub-account as its parent sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAccount {
    /// The organization.
    pub organization: Organization,
    /// Its status, which a suspension of the parent affects.
    pub status: SubAccountStatus,
    /// People in its team.
    pub members: u64,
}

impl SubAccount {
    fn of(parent: &Organization, organization: Organization, members: u64) -> Self {
        Self { status: sub_account_status(&organization, parent), organization, members }
    }
}

/// The parent, if the requester may administer its sub-accounts. With `lock` its row is locked until the transaction
/// ends.
pub(crate) async fn parent(
    tx: &mut Tx<'_>,
    by: &Requester,
    id: OrganizationId,
    lock: bool,
) -> Result<Organization, Error> {
    let found = match by.has_access(id) {
        true if lock => tx.organization_for_update(id).await?,
        true => tx.organization(id).await?,
        false => None,
    };
    let parent = found.ok_or(Error::OrganizationNotFound)?;
    by.check(id, TeamPermission::ManageOrganization)?;
    check_parent(&parent)?;
    Ok(parent)
}

/// A sub-account. Its row is locked until the transaction ends.
pub(crate) async fn child(
    tx: &mut Tx<'_>,
    parent: OrganizationId,
    id: OrganizationId,
) -> Result<Organization, Error> {
    let found = tx.sub_account_for_update(parent, id).await?;
    found.ok_or(Error::SubAccountNotFound)
}

async fn view(tx: &mut Tx<'_>, parent: &Organization, child: Organization) -> Result<SubAccount, Error> {
    let members = tx.team_size(child.id).await?;
    Ok(SubAccount::of(parent, child, members))
}

/// Creates a sub-account. Its owner is the parent's owner.
#[derive(Debug, Clone)]
pub struct SubAccountCreate {
    /// The requester.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// The new sub-account's data.
    pub new: NewSubAccount,
}

impl UseCase for SubAccountCreate {
    type Output = SubAccount;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: id, new } = self;
        let parent = parent(tx, by, *id, true).await?;
        let count = tx.sub_account_count(parent.id).await?;
        let facts = SubAccountFacts { parent: parent.clone(), count, limit: limits::SUB_ACCOUNTS_PER_PARENT };
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
            // Slugs are random: a retry draws another one.
            if error.is_violation_of("organization_slugs_pkey") {
                StoreError::Unavailable("the random slug of a sub-account is taken".into())
            } else {
                error
            }
        })?;
        changes::created(tx, context, by, "organization.created", &child).await?;
        let now = context.now();
        let in_parent = tx.team_member(parent.id, child.owner).await?.ok_or(TeamError::NotFound)?;
        let owner = TeamMember {
            organization: id,
            role: TeamRole::Owner,
            created_at: now,
            modified_at: now,
            offered_until: None,
            ..in_parent
        };
        team::insert(tx, context, by, &owner).await?;
        view(tx, &parent, child).await
    }
}

/// Updates a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountUpdate {
    /// The requester.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// The sub-account.
    pub id: OrganizationId,
    /// The change.
    pub change: SubAccountChange,
}

impl UseCase for SubAccountUpdate {
    type Output = SubAccount;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id, change } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = update_sub_account(&before, change.clone(), context.now())?;
        tx.organization_update(&after).await?;
        changes::updated(tx, context, by, "organization.updated", (&before, &after)).await?;
        view(tx, &parent, after).await
    }
}

impl RowUseCase for SubAccountUpdate {
    type Row = SubAccount;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id, .. } = self;
        let parent = parent(tx, by, *of, false).await?;
        let child = child(tx, *of, *id).await?;
        view(tx, &parent, child).await
    }
}

/// Suspends a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountSuspend {
    /// The requester.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// The sub-account.
    pub id: OrganizationId,
    /// The reason.
    pub reason: SuspensionReason,
}

impl UseCase for SubAccountSuspend {
    type Output = SubAccount;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id, reason } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = organization::suspend(&before, reason.clone(), context.now());
        suspension::save(tx, context, by, &before, &after).await?;
        view(tx, &parent, after).await
    }
}

/// Ends the suspension of a sub-account.
#[derive(Debug, Clone)]
pub struct SubAccountUnsuspend {
    /// The requester.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// The sub-account.
    pub id: OrganizationId,
}

impl UseCase for SubAccountUnsuspend {
    type Output = SubAccount;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id } = self;
        let parent = parent(tx, by, *of, false).await?;
        let before = child(tx, *of, *id).await?;
        let after = organization::unsuspend(&before, context.now());
        suspension::save(tx, context, by, &before, &after).await?;
        view(tx, &parent, after).await
    }
}

/// Deletes a sub-account, which can be undeleted.
#[derive(Debug, Clone)]
pub struct SubAccountDelete {
    /// The requester.
    pub by: Requester,
    /// The parent.
    pub parent: OrganizationId,
    /// The sub-account.
    pub id: OrganizationId,
}

impl UseCase for SubAccountDelete {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, parent: of, id } = self;
        parent(tx, by, *of, true).await?;
        let before = child(tx, *of, *id).await?;
        organization_deletion::delete(tx, context, by, &before).await
    }
}

impl RowUseCase for SubAccountDelete {
    type Row = SubAccount;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<SubAccount, Error> {
        let Self { by, parent: of, id } = self;
        let parent = parent(tx, by, *of, true).await?;
        let child = child(tx, *of, *id).await?;
        view(tx, &parent, child).await
    }
}

/// The usage of a parent and its sub-accounts in a month. The dialect reports sent messages; this server sends
/// none, so that the numbers are all zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The start of the month, and of the next month.
    pub period: (Timestamp, Timestamp),
    /// The ids and names of the sub-accounts that are not deleted, oldest first.
    pub sub_accounts: Vec<(OrganizationId, String)>,
}

impl App {
    /// The sub-account of this id.
    ///
    /// # Errors
    /// When the requester may not administer the parent's sub-accounts, [`Error::SubAccountNotFound`], or a store
    /// error.
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

    /// A page of the list of a parent's sub-accounts, newest first.
    ///
    /// # Errors
    /// When the requester may not administer them, or a store error.
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

    /// The usage of a parent and its sub-accounts in the current month.
    ///
    /// # Errors
    /// When the requester may not administer them, or a store error.
    pub async fn sub_accounts_usage(&self, by: &Requester, of: OrganizationId) -> Result<Usage, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        parent(&mut tx, by, of, false).await?;
        Ok(Usage { period: self.now().month(), sub_accounts: tx.sub_account_names(of).await? })
    }
}
