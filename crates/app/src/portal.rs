//! Self-service of customers and their members in the portal. The rules and audit entries are those of the
//! organization's own use cases.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{Customer, CustomerChange};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::{Created, InitialRole, Member, MemberChange, MemberError, MemberRole, NewMember};
use tenantry_core::organization::Organization;
use tenantry_core::portal::{self, PortalError, PortalSection};
use tenantry_core::values::{EmailAddress, PersonName};
use tenantry_store::{ListQuery, Page, Paged, Party, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::organizations::is_open;
use crate::sessions::{PortalCaller, portal_caller};
use crate::{App, Error, Requester, customers, members};

/// Updates the billing data of the portal caller's customer.
#[derive(Debug, Clone)]
pub struct BillingUpdate {
    /// The portal caller.
    pub by: Requester,
    /// The change.
    pub change: CustomerChange,
}

impl UseCase for BillingUpdate {
    type Output = Customer;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, change } = self;
        let customer = self.current(tx).await?;
        customers::update(tx, context, by, customer, change).await
    }
}

impl RowUseCase for BillingUpdate {
    type Row = Customer;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Customer, Error> {
        let caller = portal_caller(tx, &self.by).await?;
        caller.check_billing()?;
        caller.check_section(PortalSection::BillingDetails)?;
        Ok(caller.customer)
    }
}

/// Adds a member to the portal caller's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberAdd {
    /// The portal caller.
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

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, email, name, role } = self;
        let caller = portal_caller(tx, by).await?;
        caller.manager()?;
        caller.check_section(PortalSection::AddMembers)?;
        let role = match role {
            MemberRole::Member => InitialRole::Member,
            MemberRole::BillingManager => InitialRole::BillingManager,
            MemberRole::Owner => return Err(PortalError::OwnerExists.into()),
        };
        let new = NewMember { email: email.clone(), name: name.clone(), external_id: None, role };
        let (Created::Existing(member) | Created::New(member)) =
            members::add(tx, context, by, caller.customer, &new).await?;
        Ok(member)
    }
}

/// Changes a member of the portal caller's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberUpdate {
    /// The portal caller.
    pub by: Requester,
    /// The member.
    pub id: MemberId,
    /// The change. The portal does not change addresses.
    pub change: MemberChange,
}

impl UseCase for PortalMemberUpdate {
    type Output = Member;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, id, change } = self;
        let (caller, actor) = team_manager(tx, by).await?;
        let target = of_customer(tx, &caller.customer, *id).await?;
        portal::change_member(&actor, &target, change.role)?;
        members::update(tx, context, by, target, &caller.customer, change).await
    }
}

impl RowUseCase for PortalMemberUpdate {
    type Row = Member;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Member, Error> {
        let (caller, _) = team_manager(tx, &self.by).await?;
        of_customer(tx, &caller.customer, self.id).await
    }
}

/// Removes a member from the portal caller's customer.
#[derive(Debug, Clone)]
pub struct PortalMemberRemove {
    /// The portal caller.
    pub by: Requester,
    /// The member.
    pub id: MemberId,
}

impl UseCase for PortalMemberRemove {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let (caller, actor) = team_manager(tx, by).await?;
        portal::remove_member(&actor, *id)?;
        let target = of_customer(tx, &caller.customer, *id).await?;
        members::remove(tx, context, by, &target).await
    }
}

impl RowUseCase for PortalMemberRemove {
    type Row = Member;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Member, Error> {
        let (caller, _) = team_manager(tx, &self.by).await?;
        of_customer(tx, &caller.customer, self.id).await
    }
}

/// The portal caller, and the member that it is, who may manage the members of the customer.
async fn team_manager(tx: &mut Tx<'_>, by: &Requester) -> Result<(PortalCaller, Member), Error> {
    let caller = portal_caller(tx, by).await?;
    let actor = caller.manager()?.clone();
    caller.check_section(PortalSection::Team)?;
    Ok((caller, actor))
}

async fn of_customer(tx: &mut Tx<'_>, customer: &Customer, id: MemberId) -> Result<Member, Error> {
    let found = tx.member(customer.organization, id).await?;
    let own = found.filter(|member| member.customer_id == customer.id);
    own.ok_or_else(|| MemberError::NotFound.into())
}

/// The list of the members of one customer.
struct PortalMemberList {
    organization: OrganizationId,
    customer: CustomerId,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for PortalMemberList {
    type Output = Paged<Member>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Member>, StoreError> {
        tx.members_by_email(self.organization, self.customer, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// A page of the members of the portal caller's customer, ordered by address.
    ///
    /// # Errors
    /// When the caller may not manage members, or a store error.
    pub async fn portal_members(&self, by: &Requester, page: Page) -> Result<Paged<Member>, Error> {
        let (caller, _) = team_manager(&mut self.store.reader()?.tx()?, by).await?;
        let (organization, customer) = (caller.customer.organization, caller.customer.id);
        let list = PortalMemberList { organization, customer, page, limited_as: by.limited_as() };
        self.run_list(list, page, true).await
    }

    /// The organization of this slug, for its public page. A suspended organization has none.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], or a store error.
    pub async fn public_organization(&self, slug: &str) -> Result<Organization, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let id = tx.organization_by_slug(slug).await?.ok_or(Error::OrganizationNotFound)?;
        let found = tx.organization(id).await?.ok_or(Error::OrganizationNotFound)?;
        if is_open(&mut tx, &found).await? { Ok(found) } else { Err(Error::OrganizationNotFound) }
    }
}
