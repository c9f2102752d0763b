//! Customers: read, list, export, create, update, delete, anonymize, restore.

mod deletion;
mod restore;

use std::time::Instant;

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{
    self, CreateFacts, Created, Customer, CustomerChange, CustomerError, CustomerViolation, NewCustomer,
    UpdateFacts,
};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::values::ExternalId;
use tenantry_store::{
    CustomerDeletion, CustomerFilter, DeletionStep, ListQuery, Page, Paged, Party, StoreError, Tx, UseCase,
};
use uuid::Uuid;

use crate::conditional::{Condition, RowUseCase};
use crate::members::{self, CustomerRef, Lock};
use crate::{App, Error, Requester, TeamPermission, changes, limits};
use deletion::Work;
pub use restore::CustomerRestore;
use restore::find_deleted;

/// Creates a customer and its owner.
#[derive(Debug, Clone)]
pub struct CustomerCreate {
    /// The requester.
    pub by: Requester,
    /// The organization of the new customer, if the requester is a person. A token determines it otherwise.
    pub organization: Option<OrganizationId>,
    /// The new customer's data.
    pub new: NewCustomer,
}

impl UseCase for CustomerCreate {
    type Output = Customer;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, organization, new } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageCustomers)?;
        create(tx, context, by, organization, new).await
    }
}

/// Creates a customer and its owner in an organization in which the requester may do so.
pub(crate) async fn create(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    organization: OrganizationId,
    new: &NewCustomer,
) -> Result<Customer, Error> {
    tx.customer_match_ahead(
        organization,
        new.external_id.as_ref().map(ExternalId::as_str),
        new.email.as_ref(),
    );
    tx.events_ahead(organization, if by.is_trial() { 0 } else { 3 });
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
    tx.customer_insert(&customer).await.map_err(|error| conflict(error, &customer))?;
    changes::created(tx, context, by, "customer.created", &customer).await?;
    tx.member_insert(&owner, customer.kind).await?;
    changes::created(tx, context, by, "member.created", &owner).await?;
    changes::customer_state_changed(tx, context, by, (&customer, false)).await?;
    Ok(customer)
}

/// Updates a customer. The owner of an individual customer gets the customer's new address as well.
#[derive(Debug, Clone)]
pub struct CustomerUpdate {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// The change.
    pub change: CustomerChange,
}

impl UseCase for CustomerUpdate {
    type Output = Customer;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let Self { by, customer: name, change } = self;
        let before = locked(tx, by, name).await?;
        update(tx, context, by, before, change).await
    }
}

impl RowUseCase for CustomerUpdate {
    type Row = Customer;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Customer, Error> {
        let Self { by, customer: name, .. } = self;
        locked(tx, by, name).await
    }
}

/// Updates a customer whose row is locked.
pub(crate) async fn update(
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
        save(tx, context, by, &before, &after).await?;
    }
    Ok(after)
}

/// Stores a changed customer. The owner's address follows that of an individual customer. When the address changes, the
/// customer's sessions end, and the change of address that one of them requested: they belong to the person at the
/// former address.
pub(crate) async fn save(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &Customer,
    after: &Customer,
) -> Result<(), Error> {
    tx.customer_update(before, after).await.map_err(|error| conflict(error, after))?;
    if before.email != after.email {
        tx.email_update_delete(before.organization, before.id).await?;
        tx.customer_sessions_delete(before.organization, before.id, None).await?;
    }
    changes::updated(tx, context, by, "customer.updated", (before, after)).await?;
    if let Some(owner) = tx.customer_owner(before.organization, before.id).await?
        && let Some(followed) = customer::owner_with_customer_email(before, after, &owner)
    {
        tx.member_update(&followed).await?;
        changes::updated(tx, context, by, "member.updated", (&owner, &followed)).await?;
    }
    changes::customer_state_changed(tx, context, by, (after, false)).await
}

/// Deletes a customer and its members. Returns the customer if the work needs further transactions
/// ([`App::delete_customer`] runs them).
#[derive(Debug, Clone)]
pub struct CustomerDelete {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// Whether to remove the personal data as well. A customer that was deleted without this can be anonymized
    /// later, by its id.
    pub anonymize: bool,
}

impl UseCase for CustomerDelete {
    type Output = Option<(OrganizationId, CustomerId)>;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Self::Output, Error> {
        let Self { by, customer: name, anonymize } = self;
        by.check_proof(context.now())?;
        let live = members::customer(tx, by, name, Lock::ForUpdate).await?;
        let work = match live {
            Some(customer) => delete(tx, context, by, &customer, *anonymize).await?,
            None if *anonymize => anonymize_deleted(tx, context, by, name).await?,
            None => return Err(CustomerError::NotFound.into()),
        };
        let unfinished = (work.deletion.organization, work.deletion.customer);
        Ok((!work.run(tx, context).await?).then_some(unfinished))
    }
}

impl RowUseCase for CustomerDelete {
    type Row = Customer;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Customer, Error> {
        let Self { by, customer: name, .. } = self;
        locked(tx, by, name).await
    }
}

/// The customer, if the requester may change it. Its row is locked until the transaction ends.
async fn locked(tx: &mut Tx<'_>, by: &Requester, name: &CustomerRef) -> Result<Customer, Error> {
    let found = members::customer(tx, by, name, Lock::ForUpdate).await?.ok_or(CustomerError::NotFound)?;
    by.check(found.organization, TeamPermission::ManageCustomers)?;
    Ok(found)
}

/// Deletes a customer whose row is locked, and some of its members.
async fn delete<'a>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &'a Requester,
    customer: &Customer,
    anonymize: bool,
) -> Result<Work<'a>, Error> {
    by.check(customer.organization, TeamPermission::ManageCustomers)?;
    let id = (customer.organization, customer.id);
    let mut work = Work::new(by, deletion::new(context, by, id, DeletionStep::Members, anonymize));
    tx.customer_delete(customer, context.now()).await?;
    work.delete_members(tx, context).await?;
    let shown = work.shown(customer);
    changes::deleted(tx, context, by, "customer.deleted", &shown).await?;
    changes::customer_state_changed(tx, context, by, (&shown, true)).await?;
    Ok(work)
}

/// Requests the anonymization of a customer that is deleted, or whose deletion is in progress.
async fn anonymize_deleted<'a>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &'a Requester,
    name: &CustomerRef,
) -> Result<Work<'a>, Error> {
    let customer = find_deleted(tx, by, name).await?.ok_or(CustomerError::NotFound)?;
    by.check(customer.organization, TeamPermission::ManageCustomers)?;
    let id = (customer.organization, customer.id);
    let deletion = match tx.customer_deletion(customer.organization, customer.id).await? {
        Some(in_progress) => CustomerDeletion { anonymize: true, ..in_progress },
        None => deletion::new(context, by, id, DeletionStep::MemberData, true),
    };
    Ok(Work::new(by, deletion))
}

/// Maps a violated unique constraint, the result of a race, to the error that sequential requests get.
fn conflict(error: StoreError, customer: &Customer) -> Error {
    let violation = if error.is_violation_of("customers_email") {
        customer.email.clone().map(CustomerViolation::EmailTaken)
    } else if error.is_violation_of("customers_external_id") {
        customer.external_id.clone().map(CustomerViolation::ExternalIdTaken)
    } else {
        None
    };
    violation.map_or(Error::Store(error), |violation| CustomerError::Invalid(vec![violation]).into())
}

/// A list that may scan every customer of the organizations.
struct CustomerList {
    filter: CustomerFilter,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for CustomerList {
    type Output = Paged<Customer>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Customer>, StoreError> {
        tx.customers(&self.filter, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

/// The next customers of an export.
struct ExportChunk {
    organization: OrganizationId,
    after: Option<CustomerId>,
    limited_as: Option<Uuid>,
}

impl ListQuery for ExportChunk {
    type Output = Vec<Customer>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Customer>, StoreError> {
        tx.customers_after(self.organization, self.after, limits::EXPORT_PAGE_ROWS).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// One customer.
    ///
    /// # Errors
    /// [`CustomerError::NotFound`], [`Error::AmbiguousCustomer`], or a store error.
    pub async fn customer(&self, by: &Requester, name: &CustomerRef) -> Result<Customer, Error> {
        let found = members::customer(&mut self.store.reader()?.tx()?, by, name, Lock::None).await?;
        found.ok_or_else(|| CustomerError::NotFound.into())
    }

    /// Deletes a customer if the condition holds. A large customer needs several transactions. The first one deletes
    /// the customer itself. This waits for the others for up to [`limits::CUSTOMER_DELETION_WAIT`]; then the sweep runs
    /// them.
    ///
    /// # Errors
    /// [`CustomerError::NotFound`], [`Error::AmbiguousCustomer`], [`Error::NotPermitted`],
    /// [`Error::ConditionFailed`], or a store error.
    pub async fn delete_customer(
        &self,
        delete: CustomerDelete,
        condition: Condition<Customer>,
    ) -> Result<(), Error> {
        let (by, party) = (delete.by.clone(), delete.party());
        let Some(unfinished) = self.write_if(&by, delete, condition).await? else { return Ok(()) };
        let until = Instant::now() + limits::CUSTOMER_DELETION_WAIT;
        if let Err(error) = self.continue_deletion(party, unfinished, Some(until)).await {
            tracing::warn!(%error, "a customer's deletion is not finished, the sweep continues it");
        }
        Ok(())
    }

    /// The next customers of an organization's export, oldest first. Empty after the last one.
    ///
    /// # Errors
    /// [`Error::ProofRequired`] before the first one, when the database fails, or there is no place for a list query.
    pub async fn customers_after(
        &self,
        by: &Requester,
        organization: OrganizationId,
        after: Option<CustomerId>,
    ) -> Result<Vec<Customer>, Error> {
        // A long export outlives its proof.
        if after.is_none() {
            by.check_proof(self.now())?;
        }
        let limited_as = by.limited_as();
        Ok(self.store.run_list_query(ExportChunk { organization, after, limited_as }).await?)
    }

    /// A page of the list of customers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers(
        &self,
        by: &Requester,
        filter: &CustomerFilter,
        page: Page,
    ) -> Result<Paged<Customer>, Error> {
        let is_selective = filter.is_selective();
        let limited_as = by.limited_as();
        self.run_list(CustomerList { filter: filter.clone(), page, limited_as }, page, is_selective).await
    }
}
