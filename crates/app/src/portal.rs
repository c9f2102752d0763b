//! What customers and their members do for themselves in the portal. What changes there is a change like
//! any other: the same rules, the same audit entries.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{Customer, CustomerChange};
use tenantry_core::ids::{MemberId, OrganizationId};
use tenantry_core::member::{InitialRole, Member, MemberChange, MemberError, MemberRole, NewMember};
use tenantry_core::organization::Organization;
use tenantry_core::portal::{self, PortalError};
use tenantry_core::values::{EmailAddress, PersonName};
use tenantry_store::{Page, Paged, Tx, UseCase};

use crate::organizations::is_open;
use crate::sessions::visitor;
use crate::{App, Error, Requester, customers, members};

/// Changes what invoices need of the visitor's customer.
#[derive(Debug, Clone)]
pub struct BillingUpdate {
    /// The visitor.
    pub by: Requester,
    /// How.
    pub change: CustomerChange,
}

impl UseCase for BillingUpdate {
    type Output = Customer;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, change } = self;
        let visitor = visitor(tx, by).await?;
        visitor.check_billing()?;
        customers::change(tx, context, by, visitor.customer, change).await
    }
}

/// Adds a member to the visitor's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberAdd {
    /// The visitor.
    pub by: Requester,
    /// Address.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
    /// Role.
    pub role: MemberRole,
}

impl UseCase for PortalMemberAdd {
    type Output = Member;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, email, name, role } = self;
        let visitor = visitor(tx, by).await?;
        visitor.manager()?;
        let role = match role {
            MemberRole::Member => InitialRole::Member,
            MemberRole::BillingManager => InitialRole::BillingManager,
            MemberRole::Owner => return Err(PortalError::OwnerExists.into()),
        };
        let new = NewMember { email: email.clone(), name: name.clone(), external_id: None, role };
        members::add(tx, context, by, visitor.customer, &new).await
    }
}

/// Changes a member of the visitor's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberUpdate {
    /// The visitor.
    pub by: Requester,
    /// Whom.
    pub id: MemberId,
    /// How; an address is not changed here.
    pub change: MemberChange,
}

impl UseCase for PortalMemberUpdate {
    type Output = Member;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, id, change } = self;
        let visitor = visitor(tx, by).await?;
        let actor = visitor.manager()?;
        let target = of_customer(tx, &visitor.customer, *id).await?;
        portal::change_member(actor, &target, change.role)?;
        members::change(tx, context, by, target, &visitor.customer, change).await
    }
}

/// Removes a member from the visitor's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberRemove {
    /// The visitor.
    pub by: Requester,
    /// Whom.
    pub id: MemberId,
}

impl UseCase for PortalMemberRemove {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let visitor = visitor(tx, by).await?;
        portal::remove_member(visitor.manager()?, *id)?;
        let target = of_customer(tx, &visitor.customer, *id).await?;
        members::remove(tx, context, by, &target).await
    }
}

async fn of_customer(tx: &mut Tx<'_>, customer: &Customer, id: MemberId) -> Result<Member, Error> {
    let found = tx.member(customer.organization, id).await?;
    let own = found.filter(|member| member.customer_id == customer.id);
    own.ok_or_else(|| MemberError::NotFound.into())
}

impl App {
    /// A part of the members of the visitor's customer, by address.
    ///
    /// # Errors
    /// When the visitor may not manage them, or a fault.
    pub async fn portal_members(&self, by: &Requester, page: Page) -> Result<Paged<Member>, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let visitor = visitor(&mut tx, by).await?;
        visitor.manager()?;
        Ok(tx.members_by_email(visitor.customer.organization, visitor.customer.id, page).await?)
    }

    /// The organization of this slug, for its public page.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a fault.
    pub async fn public_organization(&self, slug: &str) -> Result<Organization, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let id = tx.organization_by_slug(slug).await?.ok_or(Error::OrganizationNotFound)?;
        let found = tx.organization(id).await?.ok_or(Error::OrganizationNotFound)?;
        if is_open(&mut tx, &found).await? { Ok(found) } else { Err(Error::OrganizationNotFound) }
    }
}
