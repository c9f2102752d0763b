//! Organizations as the operator sees and changes them in the console.

use std::collections::HashMap;

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{
    DeletedOrganization, FeatureSettings, InitialState, NewOrganization, Organization,
};
use tenantry_core::values::{EmailAddress, Slug, SuspensionReason, parse_uuid};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{
    Keyset, KeysetPage, ListQuery, OperatorFilter, OrganizationStateFilter, Party, StoreError, Tx, UseCase,
};
use uuid::Uuid;

use crate::organization_deletion::OrganizationUndelete;
use crate::organizations::{OrganizationCreate, OwnerRef};
use crate::{App, Error, Requester, suspension, verified};

/// A change of an organization's state by the operator.
#[derive(Debug, Clone)]
pub enum StateChange {
    /// Suspends it, as [`OrganizationSuspend`](crate::suspension::OrganizationSuspend).
    Suspend(SuspensionReason),
    /// Ends the suspension, as [`OrganizationUnsuspend`](crate::suspension::OrganizationUnsuspend).
    Unsuspend,
    /// Brings it back after its deletion, as [`OrganizationUndelete`].
    Undelete,
}

/// Changes the state of an organization.
#[derive(Debug, Clone)]
pub struct StateSet {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub id: OrganizationId,
    /// The change.
    pub change: StateChange,
}

/// Creates an organization for the person with an address.
#[derive(Debug, Clone)]
pub struct Create {
    /// The requester.
    pub by: Requester,
    /// The address of the owner, who is created if there is none.
    pub owner: EmailAddress,
    /// The new organization's data.
    pub new: NewOrganization,
}

/// Locks an organization, and reads the rights of the requester again: a change of an organization can end a role of the
/// requester in it.
async fn lock(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    by: &Requester,
    id: OrganizationId,
) -> Result<(), Error> {
    if let Some(parent) = tx.organization_parent(id).await? {
        tx.organization_for_update(parent).await?;
    }
    tx.organization_in_any_state(id).await?.ok_or(Error::OrganizationNotFound)?;
    verified::before_change(tx, context, by).await
}

impl UseCase for StateSet {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.id), limited_as: self.by.limited_as() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, id, change } = self;
        let operator = by.as_operator(context.now())?;
        lock(tx, context, by, *id).await?;
        match change {
            StateChange::Suspend(reason) => suspension::suspend(tx, context, &operator, (*id, reason)).await,
            StateChange::Unsuspend => suspension::unsuspend(tx, context, &operator, *id).await,
            StateChange::Undelete => OrganizationUndelete { by: operator, id: *id }.run(tx, context).await,
        }
    }
}

impl UseCase for Create {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let by = self.by.as_operator(context.now())?;
        let create = OrganizationCreate {
            by,
            owner: OwnerRef::Email(self.owner.clone()),
            new: self.new.clone(),
            initial: InitialState::for_operator(FeatureSettings::for_new_organization()),
        };
        create.run(tx, context).await
    }
}

/// The organizations that an operator looks for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A part of the name or slug, an id, or the whole address of an owner. Empty for all organizations.
    pub text: String,
    /// The state.
    pub state: OrganizationStateFilter,
}

/// An organization in the operator's list.
#[derive(Debug, Clone)]
pub struct ListedOrganization {
    /// The organization, which may be deleted.
    pub row: DeletedOrganization,
    /// The owner's address.
    pub owner: Option<EmailAddress>,
    /// The parent's slug.
    pub parent: Option<Slug>,
}

/// An organization on its page for the operator.
#[derive(Debug, Clone)]
pub struct OrganizationDetails {
    /// The organization, which may be deleted.
    pub row: DeletedOrganization,
    /// The owner's address.
    pub owner: Option<EmailAddress>,
    /// The parent's slug.
    pub parent: Option<Slug>,
    /// People in the team.
    pub people: u64,
    /// Customers.
    pub customers: u64,
    /// Access tokens, expired ones included.
    pub tokens: u64,
    /// Sub-accounts that are not deleted.
    pub sub_accounts: u64,
    /// The time from which the rows of the deleted organization can be removed.
    pub kept_until: Option<Timestamp>,
}

/// The operator's list, with the addresses of owners and the slugs of parents.
struct OrganizationList {
    filter: OperatorFilter,
    keyset: Keyset,
    limited_as: Option<Uuid>,
}

impl ListQuery for OrganizationList {
    type Output = KeysetPage<ListedOrganization>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let KeysetPage { items, newer, older } = tx.operator_organizations(&self.filter, self.keyset).await?;
        let owners: Vec<UserId> = items.iter().map(|row| row.organization.owner).collect();
        let parents: Vec<OrganizationId> = items.iter().filter_map(|row| row.organization.parent).collect();
        let owners: HashMap<_, _> = tx.user_emails(&owners).await?;
        let parents: HashMap<_, _> = tx.organization_slugs(&parents).await?;
        let listed = |row: DeletedOrganization| ListedOrganization {
            owner: owners.get(&row.organization.owner).cloned(),
            parent: row.organization.parent.and_then(|parent| parents.get(&parent).cloned()),
            row,
        };
        Ok(KeysetPage { items: items.into_iter().map(listed).collect(), newer, older })
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// A page of the organizations of the installation, newest first.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] without the rights of the operator, or a store error.
    pub async fn operator_organizations(
        &self,
        by: &Requester,
        search: &Search,
        keyset: Keyset,
    ) -> Result<KeysetPage<ListedOrganization>, Error> {
        by.check_operator()?;
        let filter = self.operator_filter(search).await?;
        let is_selective = filter.text.is_none();
        let list = OrganizationList { filter, keyset, limited_as: by.limited_as() };
        if is_selective {
            return Ok(list.run(&mut self.store.reader()?.tx()?).await?);
        }
        Ok(self.store.run_list_query(list).await?)
    }

    /// The filter for a text: an id or the address of an owner names organizations, everything else is searched for.
    async fn operator_filter(&self, search: &Search) -> Result<OperatorFilter, Error> {
        let (text, state) = (search.text.trim(), search.state);
        if text.is_empty() {
            return Ok(OperatorFilter { state, ..OperatorFilter::default() });
        }
        if let Ok(id) = parse_uuid(text) {
            let among = Some(vec![OrganizationId::new(id)]);
            return Ok(OperatorFilter { text: None, among, state });
        }
        if let Ok(email) = EmailAddress::parse(text) {
            let mut reader = self.store.reader()?;
            let mut tx = reader.tx()?;
            if let Some(user) = tx.user_by_email(&email).await? {
                let among = Some(tx.user_owned_organizations(user.id).await?);
                return Ok(OperatorFilter { text: None, among, state });
            }
        }
        Ok(OperatorFilter { text: Some(text.to_owned()), among: None, state })
    }

    /// The organization with this slug, in any state.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], also without the rights of the operator, or a store error.
    pub async fn operator_organization(
        &self,
        by: &Requester,
        slug: &str,
    ) -> Result<OrganizationDetails, Error> {
        by.check_operator()?;
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let id = tx.organization_by_slug(slug).await?.ok_or(Error::OrganizationNotFound)?;
        let row = tx.operator_organization(id).await?.ok_or(Error::OrganizationNotFound)?;
        let parents: Vec<OrganizationId> = row.organization.parent.into_iter().collect();
        let (customers, tokens) = tx.organization_numbers(id).await?;
        let kept = |at: Timestamp| {
            at.plus_seconds(i64::from(self.retention.deleted_days.get()).saturating_mul(24 * 60 * 60))
        };
        Ok(OrganizationDetails {
            owner: tx.user_emails(&[row.organization.owner]).await?.remove(&row.organization.owner),
            parent: tx.organization_slugs(&parents).await?.into_values().next(),
            people: tx.team_size(id).await?,
            sub_accounts: u64::try_from(tx.sub_account_count(id).await?).unwrap_or(0),
            kept_until: row.deleted_at.filter(|_| !row.is_in_purge).map(kept),
            customers,
            tokens,
            row,
        })
    }

    /// A page of the sub-accounts of an organization with the sizes of their teams, newest first.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] without the rights of the operator, or a store error.
    pub async fn operator_sub_accounts(
        &self,
        by: &Requester,
        parent: OrganizationId,
        keyset: Keyset,
    ) -> Result<KeysetPage<(Organization, u64)>, Error> {
        by.check_operator()?;
        Ok(self.store.reader()?.tx()?.sub_accounts_by_cursor(parent, keyset).await?)
    }
}
