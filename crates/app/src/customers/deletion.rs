//! Deletion of a customer with its members, removal of their personal data, and restoration, in bounded transactions.
//!
//! | step | work | next |
//! |---|---|---|
//! | `Members` | deletes members, with their audit entries and events | `MemberData`, or done without anonymization |
//! | `MemberData` | replaces names in the rows and audit entries of the members | `CustomerData` |
//! | `CustomerData` | replaces names in the audit entries of the customer | `Events` |
//! | `Events` | replaces names in pending events, deletes the data of others | the customer's row is anonymized: done |
//! | `Restore` | brings back the members that were deleted with the customer | done |
//!
//! The transaction of the request deletes the customer and does the first
//! [`limits::CUSTOMER_DELETION_ROWS_PER_TRANSACTION`] rows of the work. If rows remain, it stores the progress in
//! `customer_deletions`. The request continues in further transactions for up to
//! [`limits::CUSTOMER_DELETION_WAIT`], then the sweep does, also after a crash. The names that replace personal data
//! derive from the stored seed, so that a step can be repeated. The seed is deleted at the end, so that the names
//! cannot be derived again. A large customer's deletion therefore lets other organizations write between its parts.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Instant;

use sha2::{Digest, Sha256};
use tenantry_core::ExecutionContext;
use tenantry_core::customer::{AnonymousIdentity, Customer, anonymize_customer, anonymize_member};
use tenantry_core::ids::{AuditId, CustomerId, OrganizationId, WebhookEventId};
use tenantry_core::webhook::{EventData, EventType};
use tenantry_store::{CustomerDeletion, DeletionStep, Party, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::{App, Error, Requester, audit_log, changes, limits, retention};

/// A deletion, and the rows that its transaction may still write.
pub(super) struct Work<'a> {
    pub(super) by: &'a Requester,
    pub(super) deletion: CustomerDeletion,
    rows_left: i64,
}

/// A new deletion.
pub(super) fn new(
    context: &mut ExecutionContext,
    by: &Requester,
    (organization, customer): (OrganizationId, CustomerId),
    step: DeletionStep,
    anonymize: bool,
) -> CustomerDeletion {
    CustomerDeletion {
        organization,
        customer,
        created_at: context.now(),
        request_id: by.request_id.clone(),
        step,
        anonymize,
        seed: context.random_bytes::<32>().to_vec(),
        member: None,
        entry: None,
    }
}

impl<'a> Work<'a> {
    pub(super) const fn new(by: &'a Requester, deletion: CustomerDeletion) -> Self {
        Self { by, deletion, rows_left: limits::CUSTOMER_DELETION_ROWS_PER_TRANSACTION }
    }

    /// Works until everything is done or the transaction is large enough. Returns whether everything is done.
    pub(super) async fn run(
        mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<bool, Error> {
        let (organization, customer) = (self.deletion.organization, self.deletion.customer);
        loop {
            let is_complete = match self.deletion.step {
                DeletionStep::Members => self.delete_members(tx, context).await?,
                DeletionStep::MemberData => self.anonymize_members(tx, context).await?,
                DeletionStep::CustomerData => self.anonymize_entries(tx, customer.uuid()).await?,
                DeletionStep::Events => self.anonymize_events(tx).await?,
                DeletionStep::Restore => self.restore_members(tx, context).await?,
            };
            if !is_complete {
                tx.customer_deletion_save(&self.deletion).await?;
                return Ok(false);
            }
            (self.deletion.member, self.deletion.entry) = (None, None);
            self.deletion.step = match self.deletion.step {
                DeletionStep::Members if self.deletion.anonymize => DeletionStep::MemberData,
                DeletionStep::MemberData => DeletionStep::CustomerData,
                DeletionStep::CustomerData => DeletionStep::Events,
                DeletionStep::Members | DeletionStep::Restore => break,
                DeletionStep::Events => {
                    self.anonymize_row(tx, context).await?;
                    break;
                }
            };
        }
        tx.customer_deletion_finish(organization, customer).await?;
        Ok(true)
    }

    /// The customer as its last events and audit entries show it: without personal data if that is to be removed.
    pub(super) fn shown(&self, customer: &Customer) -> Customer {
        match self.deletion.anonymize {
            true => anonymize_customer(customer, &self.identity(customer.id.uuid())),
            false => customer.clone(),
        }
    }

    /// Deletes some of the members. Returns whether none is left.
    pub(super) async fn delete_members(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<bool, Error> {
        let CustomerDeletion { organization, customer, anonymize, .. } = self.deletion;
        let endpoints = tx.webhook_endpoints_subscribed(organization, EventType::MemberDeleted).await?.len();
        // A member costs its row, its audit entry, and an event and a queue for each endpoint.
        let rows_each = 2 + 2 * i64::try_from(endpoints).unwrap_or(i64::MAX / 4);
        let limit = (self.rows_left / rows_each).max(1);
        let members = tx.first_members_of_customer(organization, customer, limit).await?;
        let Some(last) = members.last() else { return Ok(true) };
        tx.members_delete(organization, customer, (members.len(), last.id), context.now()).await?;
        for member in &members {
            let shown = match anonymize {
                true => anonymize_member(member, &self.identity(member.id.uuid())),
                false => member.clone(),
            };
            changes::deleted(tx, context, self.by, "member.deleted", &shown).await?;
        }
        let deleted = i64::try_from(members.len()).unwrap_or(i64::MAX);
        self.rows_left = self.rows_left.saturating_sub(deleted.saturating_mul(rows_each));
        Ok(deleted < limit)
    }

    /// Brings back some of the members, the owner first. Returns whether none is left.
    pub(super) async fn restore_members(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<bool, Error> {
        let CustomerDeletion { organization, customer, .. } = self.deletion;
        let endpoints = tx.webhook_endpoints_subscribed(organization, EventType::MemberCreated).await?.len();
        let rows_each = 2 + 2 * i64::try_from(endpoints).unwrap_or(i64::MAX / 4);
        let limit = (self.rows_left / rows_each).max(1);
        let members = tx.members_to_restore(organization, customer, limit).await?;
        for member in &members {
            if tx.member_restore(member).await? {
                let change = ("member.restored", EventType::MemberCreated);
                changes::restored(tx, context, self.by, change, member).await?;
            }
        }
        let restored = i64::try_from(members.len()).unwrap_or(i64::MAX);
        self.rows_left = self.rows_left.saturating_sub(restored.saturating_mul(rows_each));
        Ok(restored < limit)
    }

    /// Replaces names in the rows and audit entries of some members. Returns whether all are done.
    async fn anonymize_members(&mut self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<bool, Error> {
        let CustomerDeletion { organization, customer, .. } = self.deletion;
        while self.rows_left > 0 {
            let limit = self.rows_left;
            let members = tx.deleted_members(organization, customer, self.deletion.member, limit).await?;
            let is_last = i64::try_from(members.len()).is_ok_and(|count| count < limit);
            for member in members {
                let identity = self.identity(member.id.uuid());
                tx.member_update(&anonymize_member(&member, &identity)).await?;
                self.rows_left -= 1;
                if !self.anonymize_entries(tx, member.id.uuid()).await? {
                    return Ok(false);
                }
                (self.deletion.member, self.deletion.entry) = (Some(member.id), None);
            }
            if is_last {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Replaces names in some audit entries about a customer or member. Returns whether all are done.
    async fn anonymize_entries(&mut self, tx: &mut Tx<'_>, subject: Uuid) -> Result<bool, Error> {
        let (organization, identity) = (self.deletion.organization, self.identity(subject));
        while self.rows_left > 0 {
            let limit = self.rows_left;
            let after = self.deletion.entry.map(AuditId::new);
            let (entries, is_end) = tx.audit_entries_of_person(organization, subject, after, limit).await?;
            let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            for (id, entry) in entries {
                audit_log::anonymize(tx, organization, (id, entry), &identity).await?;
                self.deletion.entry = Some(id.uuid());
            }
            self.rows_left = self.rows_left.saturating_sub(count);
            if is_end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Replaces names in some pending events, and deletes the data of events that were sent. Returns whether all are
    /// done. This is the last step, because a delivery locks its queue before its event.
    async fn anonymize_events(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let CustomerDeletion { organization, customer, .. } = self.deletion;
        while self.rows_left > 0 {
            let limit = self.rows_left;
            let events = tx.customer_events(organization, customer, self.deletion.entry, limit).await?;
            let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
            for (id, data) in events {
                self.anonymize_event(tx, id, data).await?;
                self.deletion.entry = Some(id.uuid());
            }
            self.rows_left = self.rows_left.saturating_sub(count);
            if count < limit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn anonymize_event(
        &self,
        tx: &mut Tx<'_>,
        id: WebhookEventId,
        data: Option<EventData>,
    ) -> Result<(), StoreError> {
        let organization = self.deletion.organization;
        let Some(data) = data else { return tx.webhook_event_delete_data(organization, id).await };
        let identity = |subject: Uuid| self.identity(subject);
        let data = match data {
            EventData::Customer(row) => {
                EventData::Customer(Box::new(anonymize_customer(&row, &identity(row.id.uuid()))))
            }
            EventData::CustomerState(row) => {
                EventData::CustomerState(Box::new(anonymize_customer(&row, &identity(row.id.uuid()))))
            }
            EventData::Member(row) => {
                EventData::Member(Box::new(anonymize_member(&row, &identity(row.id.uuid()))))
            }
            other @ (EventData::Organization(_)
            | EventData::Ownership(_)
            | EventData::TeamMember(_)
            | EventData::Invitation(_)
            | EventData::AccessToken(_)
            | EventData::Test(_)) => other,
        };
        tx.webhook_event_replace_data(organization, id, &data).await
    }

    /// Replaces names in the customer's row, which marks it as anonymized.
    async fn anonymize_row(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let CustomerDeletion { organization, customer, .. } = self.deletion;
        let Some(before) = tx.deleted_customer(organization, customer).await? else { return Ok(()) };
        let after = anonymize_customer(&before, &self.identity(customer.uuid()));
        tx.customer_anonymize(&before, &after, context.now()).await?;
        changes::created(tx, context, self.by, "customer.anonymized", &after).await
    }

    /// The name and address that replace those of a customer or member.
    fn identity(&self, subject: Uuid) -> AnonymousIdentity {
        let seed =
            Sha256::new().chain_update(&self.deletion.seed).chain_update(subject.as_bytes()).finalize();
        AnonymousIdentity::generate(&mut ExecutionContext::new(self.deletion.created_at, seed.into()))
    }
}

/// Continues a deletion. Returns whether it is done.
struct ContinueDeletion {
    organization: OrganizationId,
    customer: CustomerId,
    party: Party,
}

impl UseCase for ContinueDeletion {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.party
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let Self { organization, customer, .. } = *self;
        // The customer is locked first, as by the request.
        if tx.deleted_customer(organization, customer).await?.is_none() {
            tx.customer_for_update(organization, customer).await?;
        }
        let Some(deletion) = tx.customer_deletion(organization, customer).await? else { return Ok(true) };
        let by = Requester::continuing(deletion.request_id.clone());
        Work::new(&by, deletion).run(tx, context).await
    }
}

/// Begins to remove the personal data of a customer that was deleted long ago. Returns whether everything is done.
struct AnonymizeDeleted {
    organization: OrganizationId,
    customer: CustomerId,
    days: NonZeroU32,
}

impl UseCase for AnonymizeDeleted {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party::organization(self.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let Self { organization, customer, days } = *self;
        let before = retention::before(context.now(), days);
        // The rows about the customer may not have arrived yet. The sweep comes again after the import.
        if tx.organization_is_in_import(organization).await? {
            return Ok(true);
        }
        // It may have been restored, or anonymized, meanwhile.
        let found = tx.deleted_customer(organization, customer).await?;
        if found.is_none_or(|found| found.deleted_at.is_none_or(|at| at >= before)) {
            return Ok(true);
        }
        let by = Requester::system();
        let deletion = match tx.customer_deletion(organization, customer).await? {
            Some(in_progress) => CustomerDeletion { anonymize: true, ..in_progress },
            None => new(context, &by, (organization, customer), DeletionStep::MemberData, true),
        };
        Work::new(&by, deletion).run(tx, context).await
    }
}

impl App {
    /// Removes the personal data of customers that were deleted more than `days` ago, up to
    /// [`limits::CUSTOMERS_ANONYMIZED_PER_SWEEP`]. One that fails does not delay the others.
    pub(crate) async fn anonymize_deleted_customers(&self, days: NonZeroU32) -> Result<(), StoreError> {
        let before = retention::before(self.now(), days);
        let limit = limits::CUSTOMERS_ANONYMIZED_PER_SWEEP;
        let due = self.store.reader()?.tx()?.customers_to_anonymize(before, limit).await?;
        for (organization, customer) in due {
            let begun = async {
                if !self.store.write(AnonymizeDeleted { organization, customer, days }).await? {
                    let party = Party::organization(organization);
                    self.continue_deletion(party, (organization, customer), None).await?;
                }
                Ok::<(), Error>(())
            };
            if let Err(error) = begun.await {
                tracing::warn!(%error, organization_id = %organization, customer_id = %customer,
                    "a deleted customer is not anonymized, the sweep tries again");
            }
        }
        Ok(())
    }

    /// Continues the deletion of a customer for a party, one transaction after the other, until it is done or `until`
    /// is reached.
    pub(super) async fn continue_deletion(
        &self,
        party: Party,
        (organization, customer): (OrganizationId, CustomerId),
        until: Option<Instant>,
    ) -> Result<(), Error> {
        while until.is_none_or(|until| Instant::now() < until) {
            if self.store.write(ContinueDeletion { organization, customer, party }).await? {
                break;
            }
        }
        Ok(())
    }

    /// Continues the deletions that their requests did not finish, for example because the process crashed. Those of an
    /// organization that is being imported wait: rows about the customer may not have arrived yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn continue_deletions(&self) -> Result<(), Error> {
        let (mut left, mut after) = (limits::CUSTOMER_DELETIONS_PER_SWEEP, None);
        let mut in_import = BTreeMap::new();
        loop {
            let most = limits::CUSTOMER_DELETIONS_PER_SWEEP;
            let pending = self.store.reader()?.tx()?.customer_deletions(after, most).await?;
            let Some((last, _)) = pending.last() else { return Ok(()) };
            after = Some(*last);
            for (_, deletion) in pending {
                let organization = deletion.0;
                let waits = match in_import.get(&organization) {
                    Some(known) => *known,
                    None => {
                        let found =
                            self.store.reader()?.tx()?.organization_is_in_import(organization).await?;
                        *in_import.entry(organization).or_insert(found)
                    }
                };
                if waits {
                    continue;
                }
                if left <= 0 {
                    return Ok(());
                }
                left -= 1;
                // One that fails holds up no other.
                let party = Party::organization(organization);
                if let Err(error) = self.continue_deletion(party, deletion, None).await {
                    tracing::warn!(%error, "a customer's deletion is not finished, the sweep continues it");
                }
            }
        }
    }
}
