//! Organizations: see, create, change.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{
    self, InitialState, NewOrganization, Organization, OrganizationChange, OrganizationStatus,
    OrganizationViolation,
};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::user::User;
use tenantry_core::values::{EmailAddress, PersonName};
use tenantry_store::{OrganizationFilter, Page, Paged, Tx, UseCase};

use crate::changes::{self, Change};
use crate::{App, Error, Requester, TeamPermission};

/// Who will own a new organization.
#[derive(Debug, Clone)]
pub enum Owner {
    /// A person who is known.
    User(UserId),
    /// The person with this address, known or not.
    Email(EmailAddress),
}

/// Creates an organization with its owner.
#[derive(Debug, Clone)]
pub struct OrganizationCreate {
    /// On whose behalf.
    pub by: Requester,
    /// Who owns it.
    pub owner: Owner,
    /// What it is made of.
    pub new: NewOrganization,
    /// Where it comes from.
    pub initial: InitialState,
}

impl UseCase for OrganizationCreate {
    type Output = Organization;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, owner, new, initial } = self;
        if tx.organization_by_slug(new.slug.as_str()).await?.is_some() {
            return Err(slug_taken(new));
        }
        let owner = match owner {
            Owner::User(id) => *id,
            Owner::Email(email) => person(tx, context, by, email, None).await?.id,
        };
        let id = OrganizationId::new(context.uuid());
        let organization = organization::create(new.clone(), initial.clone(), id, owner, context.now())
            .map_err(Error::OrganizationInvalid)?;
        tx.organization_insert(&organization).await.map_err(|error| {
            if error.is_violation_of("organization_slugs_pkey") { slug_taken(new) } else { error.into() }
        })?;
        let created = Change {
            organization: id,
            action: "organization.created",
            subject: id.uuid(),
            before: None,
            after: Some(&organization),
        };
        changes::record(tx, context, by, created).await?;
        let membership = TeamMember {
            organization: id,
            user: owner,
            role: TeamRole::Owner,
            created_at: context.now(),
            modified_at: context.now(),
        };
        crate::team::join(tx, context, by, &membership).await?;
        Ok(organization)
    }
}

/// Whether an organization lets its people in: it does, and so does its parent, where it has one.
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

/// The person with this address, made when there is none.
pub(crate) async fn person(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    email: &EmailAddress,
    name: Option<&PersonName>,
) -> Result<User, Error> {
    if let Some(user) = tx.user_by_email(email).await? {
        return Ok(user);
    }
    let id = UserId::new(context.uuid());
    let new = User { id, created_at: context.now(), email: email.clone(), name: name.cloned() };
    let user = tx.user_insert(&new).await?;
    if user.id == id {
        let (organization, subject) = (changes::INSTALLATION, id.uuid());
        let made = Change { organization, action: "user.created", subject, before: None, after: Some(&user) };
        changes::record(tx, context, by, made).await?;
    }
    Ok(user)
}

/// Changes an organization.
#[derive(Debug, Clone)]
pub struct OrganizationUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: OrganizationId,
    /// How.
    pub change: OrganizationChange,
}

impl UseCase for OrganizationUpdate {
    type Output = Organization;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Organization, Error> {
        let Self { by, id, change } = self;
        let before = if by.reaches(*id) { tx.organization_for_update(*id).await? } else { None };
        let before = before.ok_or(Error::OrganizationNotFound)?;
        by.check(*id, TeamPermission::ManageOrganization)?;
        let after = organization::update(&before, change.clone(), context.now())
            .map_err(Error::OrganizationInvalid)?;
        if after != before {
            tx.organization_update(&after).await?;
            let updated = Change {
                organization: *id,
                action: "organization.updated",
                subject: id.uuid(),
                before: Some(&before),
                after: Some(&after),
            };
            changes::record(tx, context, by, updated).await?;
        }
        Ok(after)
    }
}

impl App {
    /// The organization of this id.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a fault.
    pub async fn organization(&self, by: &Requester, id: OrganizationId) -> Result<Organization, Error> {
        let found = if by.reaches(id) { self.store.reader()?.tx()?.organization(id).await? } else { None };
        found
            .filter(|organization| organization.status != OrganizationStatus::Blocked)
            .ok_or(Error::OrganizationNotFound)
    }

    /// A part of the list of organizations within reach.
    ///
    /// # Errors
    /// A fault.
    pub async fn organizations(
        &self,
        filter: &OrganizationFilter,
        page: Page,
    ) -> Result<Paged<Organization>, Error> {
        Ok(self.store.reader()?.tx()?.organizations(filter, page).await?)
    }
}
