//! Customers: see, create, change, delete.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{
    self, CreateFacts, Created, Customer, CustomerChange, CustomerError, CustomerViolation, NewCustomer,
    UpdateFacts,
};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_store::{CustomerFilter, ListQuery, Page, Paged, StoreError, Tx, UseCase};

use crate::anonymize::anonymize;
use crate::changes::{self, Change};
use crate::members::{self, CustomerName, Hold};
use crate::{App, Error, Requester, TeamPermission, limits};

/// Creates a customer and its owner.
#[derive(Debug, Clone)]
pub struct CustomerCreate {
    /// On whose behalf.
    pub by: Requester,
    /// In which organization; a person names it, an organization's token does not.
    pub organization: Option<OrganizationId>,
    /// Whom.
    pub new: NewCustomer,
}

impl UseCase for CustomerCreate {
    type Output = Customer;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, organization, new } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageCustomers)?;
        let email_taken = match &new.email {
            Some(email) => tx.customer_email_taken(organization, email, None).await?,
            None => false,
        };
        let external_id_taken = match &new.external_id {
            Some(id) => tx.customer_by_external_id(organization, id.as_str()).await?.is_some(),
            None => false,
        };
        let facts = CreateFacts { organization, email_taken, external_id_taken };
        let (id, owner_id) = (CustomerId::new(context.uuid()), MemberId::new(context.uuid()));
        let Created { customer, owner } = customer::create(facts, new.clone(), id, owner_id, context.now())?;
        tx.customer_insert(&customer).await.map_err(|error| taken(error, &customer))?;
        record(tx, context, by, "customer.created", None, Some(&customer)).await?;
        tx.member_insert(&owner).await?;
        members::record(tx, context, by, "member.created", None, Some(&owner)).await?;
        changes::state_changed(tx, context, &customer, false).await?;
        Ok(customer)
    }
}

/// Changes a customer. The owner of an individual customer keeps the customer's address.
#[derive(Debug, Clone)]
pub struct CustomerUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Whom.
    pub customer: CustomerName,
    /// How.
    pub change: CustomerChange,
}

impl UseCase for CustomerUpdate {
    type Output = Customer;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, customer: name, change } = self;
        let before = members::customer(tx, by, name, Hold::Yes).await?.ok_or(CustomerError::NotFound)?;
        by.check(before.organization, TeamPermission::ManageCustomers)?;
        self::change(tx, context, by, before, change).await
    }
}

/// Changes a customer that is held.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: Customer,
    change: &CustomerChange,
) -> Result<Customer, Error> {
    let organization = before.organization;
    let email_taken = match change.email.as_ref().value() {
        Some(email) => tx.customer_email_taken(organization, email, Some(before.id)).await?,
        None => false,
    };
    let external_id_taken = match change.external_id.as_ref().value() {
        Some(id) => {
            let found = tx.customer_by_external_id(organization, id.as_str()).await?;
            found.is_some_and(|id| id != before.id)
        }
        None => false,
    };
    let facts = UpdateFacts { customer: before.clone(), email_taken, external_id_taken };
    let after = customer::update(facts, change.clone(), context.now())?;
    if after != before {
        store(tx, context, by, &before, &after).await?;
    }
    Ok(after)
}

/// Stores a customer that changed; its owner follows where it must.
pub(crate) async fn store(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &Customer,
    after: &Customer,
) -> Result<(), Error> {
    tx.customer_update(before, after).await.map_err(|error| taken(error, after))?;
    record(tx, context, by, "customer.updated", Some(before), Some(after)).await?;
    if let Some(owner) = tx.customer_owner(before.organization, before.id).await?
        && let Some(followed) = customer::owner_with_customer_email(before, after, &owner)
    {
        tx.member_update(&followed).await?;
        members::record(tx, context, by, "member.updated", Some(&owner), Some(&followed)).await?;
    }
    changes::state_changed(tx, context, after, false).await
}

/// Deletes a customer and its members.
#[derive(Debug, Clone)]
pub struct CustomerDelete {
    /// On whose behalf.
    pub by: Requester,
    /// Whom.
    pub customer: CustomerName,
    /// Whether to forget as well who they were. A customer that was deleted without that can be forgotten
    /// later, by its id.
    pub anonymize: bool,
}

impl UseCase for CustomerDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, customer: name, anonymize: forget } = self;
        let Some(customer) = members::customer(tx, by, name, Hold::Yes).await? else {
            let gone = if *forget { deleted(tx, by, name).await? } else { None };
            let gone = gone.ok_or(CustomerError::NotFound)?;
            by.check(gone.organization, TeamPermission::ManageCustomers)?;
            return anonymize(tx, context, by, &gone).await;
        };
        by.check(customer.organization, TeamPermission::ManageCustomers)?;
        let now = context.now();
        let members = tx.members_of_customer(customer.organization, customer.id).await?;
        tx.members_delete(customer.organization, customer.id, members.len(), now).await?;
        for member in members {
            members::record(tx, context, by, "member.deleted", Some(&member), None).await?;
        }
        tx.customer_delete(&customer, now).await?;
        record(tx, context, by, "customer.deleted", Some(&customer), None).await?;
        changes::state_changed(tx, context, &customer, true).await?;
        if *forget {
            anonymize(tx, context, by, &customer).await?;
        }
        Ok(())
    }
}

/// The deleted customer of that name that still says who it was.
async fn deleted(tx: &mut Tx<'_>, by: &Requester, name: &CustomerName) -> Result<Option<Customer>, Error> {
    let CustomerName::Id(id) = name else { return Ok(None) };
    for organization in by.organizations_with(TeamPermission::ReadCustomers) {
        if let Some(customer) = tx.deleted_customer(organization, *id).await? {
            return Ok(Some(customer));
        }
    }
    Ok(None)
}

/// A race for what must be unique ends as a sequence would have.
fn taken(error: StoreError, customer: &Customer) -> Error {
    let violation = if error.is_violation_of("customers_email") {
        customer.email.clone().map(CustomerViolation::EmailTaken)
    } else if error.is_violation_of("customers_external_id") {
        customer.external_id.clone().map(CustomerViolation::ExternalIdTaken)
    } else {
        None
    };
    violation.map_or(Error::Store(error), |violation| CustomerError::Invalid(vec![violation]).into())
}

pub(crate) async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&Customer>,
    after: Option<&Customer>,
) -> Result<(), Error> {
    let Some(Customer { organization, id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*organization, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

/// A list that may have to look at every customer.
struct CursorPage {
    filter: CustomerFilter,
    page: Page,
}

impl ListQuery for CursorPage {
    type Output = Paged<Customer>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Customer>, StoreError> {
        tx.customers(&self.filter, self.page).await
    }

    fn organization(&self) -> Option<OrganizationId> {
        self.filter.organizations.first().copied()
    }
}

impl App {
    /// The customer of that name.
    ///
    /// # Errors
    /// [`CustomerError::NotFound`], [`Error::AmbiguousCustomer`], or a fault.
    pub async fn customer(&self, by: &Requester, name: &CustomerName) -> Result<Customer, Error> {
        let found = members::customer(&mut self.store.reader()?.tx()?, by, name, Hold::No).await?;
        found.ok_or_else(|| CustomerError::NotFound.into())
    }

    /// The next customers of an export: organization after organization, in each the oldest first. Nothing
    /// follows the last of them.
    ///
    /// # Errors
    /// A fault.
    pub async fn customers_after(
        &self,
        organization: OrganizationId,
        after: Option<CustomerId>,
    ) -> Result<Vec<Customer>, Error> {
        let mut reader = self.store.reader()?;
        Ok(reader.tx()?.customers_after(organization, after, limits::EXPORT_ROWS).await?)
    }

    /// A part of the list of customers within reach.
    ///
    /// # Errors
    /// A fault.
    pub async fn customers(&self, filter: &CustomerFilter, page: Page) -> Result<Paged<Customer>, Error> {
        let is_narrow = filter.is_narrow() && page.is_near();
        self.look(CursorPage { filter: filter.clone(), page }, is_narrow).await
    }
}
