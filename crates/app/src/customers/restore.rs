//! Restoration of deleted customers with the members that were deleted with them.

use std::time::Instant;

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{self, Customer, CustomerError};
use tenantry_core::ids::CustomerId;
use tenantry_core::webhook::EventType;
use tenantry_store::{DeletionStep, Party, RowKey, StoreError, Tx, UseCase};

use super::deletion::{self, Work};
use crate::members::{self, CustomerRef, Lock};
use crate::{App, Error, Requester, TeamPermission, changes, limits};

/// The deleted customer with this id, unless it is anonymized already.
pub(super) async fn find_deleted(
    tx: &mut Tx<'_>,
    by: &Requester,
    name: &CustomerRef,
) -> Result<Option<Customer>, Error> {
    let CustomerRef::Id(id) = name else { return Ok(None) };
    let key = RowKey::Customer(id.uuid());
    for organization in by.organizations_with_row(tx, TeamPermission::ReadCustomers, key).await? {
        if let Some(customer) = tx.deleted_customer(organization, *id).await? {
            return Ok(Some(customer));
        }
    }
    Ok(None)
}

/// Restores a deleted customer, with some of the members that were deleted with it; the owner is among them.
/// [`App::finish_restoration`] brings back the others. Changes nothing if the customer is not deleted.
#[derive(Debug, Clone)]
pub struct CustomerRestore {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerId,
}

impl UseCase for CustomerRestore {
    type Output = Customer;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Customer, Error> {
        let (by, name) = (&self.by, CustomerRef::Id(self.customer));
        if let Some(live) = members::customer(tx, by, &name, Lock::ForUpdate).await? {
            by.check(live.organization, TeamPermission::ManageCustomers)?;
            return Ok(live);
        }
        let customer = find_deleted(tx, by, &name).await?.ok_or(CustomerError::NotFound)?;
        let organization = customer.organization;
        by.check(organization, TeamPermission::ManageCustomers)?;
        let deletion = tx.customer_deletion(organization, customer.id).await?;
        let is_being_anonymized = deletion.is_some_and(|deletion| deletion.anonymize);
        let email_taken = match &customer.email {
            Some(email) => tx.customer_email_taken(organization, email, None).await?,
            None => false,
        };
        let external_id_taken = match &customer.external_id {
            Some(id) => tx.customer_by_external_id(organization, id.as_str()).await?.is_some(),
            None => false,
        };
        customer::check_restore(&customer, is_being_anonymized, [email_taken, external_id_taken])?;
        tx.customer_restore(&customer).await.map_err(|error| restore_conflict(error, &customer))?;
        restore(tx, context, by, customer).await
    }
}

/// Records a restored customer, and brings back some of its members.
async fn restore(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    deleted: Customer,
) -> Result<Customer, Error> {
    let mut customer = Customer { deleted_at: None, ..deleted };
    let id = (customer.organization, customer.id);
    if customer.email.is_none() {
        let owner = match tx.customer_owner(id.0, id.1).await? {
            Some(owner) => Some(owner),
            None => tx.members_to_restore(id.0, id.1, 1).await?.into_iter().next(),
        };
        customer.owner_email = owner.map(|owner| owner.email);
    }
    changes::restored(tx, context, by, ("customer.restored", EventType::CustomerCreated), &customer).await?;
    let work = Work::new(by, deletion::new(context, by, id, DeletionStep::Restore, false));
    work.run(tx, context).await?;
    changes::customer_state_changed(tx, context, by, (&customer, false)).await?;
    Ok(customer)
}

/// Maps a violated unique constraint to the error that sequential requests get.
fn restore_conflict(error: StoreError, customer: &Customer) -> Error {
    let taken = ["customers_email", "customers_external_id"].map(|name| error.is_violation_of(name));
    match customer::check_restore(customer, false, taken) {
        Err(conflict) => conflict.into(),
        Ok(()) => error.into(),
    }
}

impl App {
    /// Brings back the members of a restored customer that its own transaction left. Waits for up to
    /// [`limits::CUSTOMER_DELETION_WAIT`]; then the sweep goes on.
    pub async fn finish_restoration(&self, by: &Requester, customer: CustomerId) {
        let until = Instant::now() + limits::CUSTOMER_DELETION_WAIT;
        let name = CustomerRef::Id(customer);
        let finished = async {
            let restored = self.customer(by, &name).await?;
            let id = (restored.organization, restored.id);
            self.continue_deletion(by.party(), id, Some(until)).await
        };
        if let Err(error) = finished.await {
            tracing::warn!(%error, "a customer's restoration is not finished, the sweep continues it");
        }
    }
}
