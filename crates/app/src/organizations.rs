//! Organizations: read, list, create, update.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{
    self, InitialState, NewOrganization, Organization, OrganizationChange, OrganizationStatus,
    OrganizationViolation,
};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::values::EmailAddress;
use tenantry_store::{ListQuery, OrganizationFilter, Page, Paged, Party, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::{App, Error, Requester, TeamPermission, changes, limits, team, users};

/// The owner of a new organization, as a request names them.
#[derive(Debug, Clone)]
pub enum OwnerRef {
    /// A user by id.
    User(UserId),
    /// The user with this address. Created if there is none.
    Email(EmailAddress),
}

/// Creates an organization with its owner.
#[derive(Debug, Clone)]
pub struct OrganizationCreate {
    /// The requester.
    pub by: Requester,
    /// The owner.
    pub owner: OwnerRef,
    /// The new organization's data.
    pub new: NewOrganization,
    /// The source of its creation, and its defaults.
    pub initial: InitialState,
}

impl UseCase for OrganizationCreate {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, owner, new, initial } = self;
        if let Some(person) = by.user()
            && tx.user_organizations_of_owner(person, person).await?.suspended > 0
        {
            return Err(Error::OwnerSuspended);
        }
        if tx.organization_by_slug(new.slug.as_str()).await?.is_some() {
            return Err(slug_taken(new));
        }
        let id = OrganizationId::new(context.uuid());
        let (owner, email) = match owner {
            OwnerRef::User(id) => (
                *id,
                tx.user_for_update(*id)
                    .await?
                    .ok_or(Error::NotPermitted(TeamPermission::ManageOrganization))?
                    .email,
            ),
            OwnerRef::Email(email) => {
                (users::find_or_create(tx, context, by, Some(id), email).await?.id, email.clone())
            }
        };
        let organization = organization::create(new.clone(), initial.clone(), id, owner, context.now())
            .map_err(Error::OrganizationInvalid)?;
        tx.organization_insert(&organization).await.map_err(|error| {
            if error.is_violation_of("organization_slugs_pkey") { slug_taken(new) } else { error.into() }
        })?;
        changes::created(tx, context, by, "organization.created", &organization).await?;
        let membership = TeamMember {
            organization: id,
            user: owner,
            email,
            name: None,
            role: TeamRole::Owner,
            created_at: context.now(),
            modified_at: context.now(),
            offered_until: None,
        };
        team::insert(tx, context, by, &membership).await?;
        Ok(organization)
    }
}

/// Whether an organization and its parent, if it has one, are open: neither suspended, blocked nor deleted.
pub(crate) async fn is_open(tx: &mut Tx<'_>, organization: &Organization) -> Result<bool, Error> {
    Ok(organization.is_open()
        && match organization.parent {
            Some(parent) => tx.organization_is_open(parent).await?,
            None => true,
        })
}

fn slug_taken(new: &NewOrganization) -> Error {
    Error::OrganizationInvalid(vec![OrganizationViolation::SlugTaken(new.slug.clone())])
}

/// Updates an organization.
#[derive(Debug, Clone)]
pub struct OrganizationUpdate {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub id: OrganizationId,
    /// The change.
    pub change: OrganizationChange,
}

impl UseCase for OrganizationUpdate {
    type Output = Organization;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, change, .. } = self;
        let before = self.current(tx).await?;
        let after = organization::update(&before, change.clone(), context.now())
            .map_err(Error::OrganizationInvalid)?;
        if after != before {
            tx.organization_update(&after).await?;
            changes::updated(tx, context, by, "organization.updated", (&before, &after)).await?;
        }
        Ok(after)
    }
}

impl RowUseCase for OrganizationUpdate {
    type Row = Organization;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Organization, Error> {
        let Self { by, id, .. } = self;
        let found = if by.has_access(*id) { tx.organization_for_update(*id).await? } else { None };
        let found = found.ok_or(Error::OrganizationNotFound)?;
        by.check(*id, TeamPermission::ManageOrganization)?;
        Ok(found)
    }
}

/// A list that reads every organization of a person.
struct OrganizationList {
    filter: OrganizationFilter,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for OrganizationList {
    type Output = Paged<Organization>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Organization>, StoreError> {
        tx.organizations(&self.filter, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// The organization of this id.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a store error.
    pub async fn organization(&self, by: &Requester, id: OrganizationId) -> Result<Organization, Error> {
        let found = if by.has_access(id) { self.store.reader()?.tx()?.organization(id).await? } else { None };
        found
            .filter(|organization| organization.status != OrganizationStatus::Blocked)
            .ok_or(Error::OrganizationNotFound)
    }

    /// A page of the list of organizations that the filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations(
        &self,
        by: &Requester,
        filter: &OrganizationFilter,
        page: Page,
    ) -> Result<Paged<Organization>, Error> {
        // The operator's command, which names no organizations, waits for as long as it takes.
        let is_few = |visible: &Vec<_>| visible.len() <= limits::ORGANIZATIONS_READ_DIRECTLY;
        let is_selective = filter.visible.as_ref().is_none_or(is_few);
        let list = OrganizationList { filter: filter.clone(), page, limited_as: by.limited_as() };
        self.run_list(list, page, is_selective).await
    }
}
