//! One row of an import: it creates a customer, changes the one that it matches, or fails.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::image;
use tenantry_core::customer::{Customer, CustomerError, OnMatch};
use tenantry_core::ids::{CustomerId, ImportId, OrganizationId};
use tenantry_core::member::{Created, NewMember};
use tenantry_core::token::RequiredScope;
use tenantry_core::values::ExternalId;
use tenantry_store::{CustomerImport, Tx};

use super::{Fault, ImportFields, faults};
use crate::{Error, Requester, changes, customers, limits, members};

const MEMBERS: RequiredScope = RequiredScope::new("members:write");

/// The outcome of a row.
pub(super) enum Outcome {
    Created,
    Updated,
    Unchanged,
    Skipped,
    Failed(Vec<Fault>),
    /// The events of the row exceed the budget of webhook bytes, which has room for them after these seconds.
    Waits(u64),
}

/// The work on the rows of an import.
pub(super) struct RowWork {
    organization: OrganizationId,
    import: ImportId,
    on_match: OnMatch,
    is_dry_run: bool,
    by: Requester,
    /// Webhook endpoints that get the events of a row.
    endpoints: i64,
}

impl RowWork {
    pub(super) const fn new(import: &CustomerImport, by: Requester, endpoints: i64) -> Self {
        let CustomerImport { organization, id, on_match, is_dry_run, .. } = import;
        Self {
            organization: *organization,
            import: *id,
            on_match: *on_match,
            is_dry_run: *is_dry_run,
            by,
            endpoints,
        }
    }

    /// Carries out a row. In a dry run, and when a rule refuses the row, nothing of it remains.
    pub(super) async fn carry_out(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        fields: &ImportFields,
        cost_left: &mut i64,
    ) -> Result<Outcome, Error> {
        if !fields.members.is_empty() && !self.by.scopes().allow(MEMBERS) {
            return Ok(Outcome::Failed(vec![Fault::new(
                "members",
                "the token needs the scope members:write",
            )]));
        }
        if self.is_dry_run
            && let Some(outcome) = self.repeats_an_earlier_row(tx, fields).await?
        {
            return Ok(outcome);
        }
        let mut outcome = self.attempt(tx, context, fields, cost_left).await?;
        if matches!(outcome, Outcome::Failed(_)) && self.on_match != OnMatch::Fail {
            // Another transaction may have created the customer meanwhile, which the row then matches.
            outcome = self.attempt(tx, context, fields, cost_left).await?;
        }
        Ok(outcome)
    }

    /// Carries out a row in a savepoint.
    async fn attempt(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        fields: &ImportFields,
        cost_left: &mut i64,
    ) -> Result<Outcome, Error> {
        tx.begin_savepoint().await?;
        match self.change(tx, context, fields, cost_left).await {
            Ok(outcome) => {
                tx.end_savepoint(!self.is_dry_run).await?;
                Ok(outcome)
            }
            Err(Error::WebhookBytes { retry_after_s }) => {
                tx.end_savepoint(false).await?;
                Ok(Outcome::Waits(retry_after_s))
            }
            Err(error) => {
                let faults = faults::of(&error).ok_or(error)?;
                tx.end_savepoint(false).await?;
                Ok(Outcome::Failed(faults))
            }
        }
    }

    /// The outcome of a row of a dry run that matches the customer of an earlier row. That customer was not created.
    async fn repeats_an_earlier_row(
        &self,
        tx: &mut Tx<'_>,
        fields: &ImportFields,
    ) -> Result<Option<Outcome>, Error> {
        for key in keys(fields) {
            if tx.customer_import_has_key((self.organization, self.import), &key).await? {
                let field = if key.starts_with(EMAIL) { "email" } else { "external_id" };
                return Ok(Some(match self.on_match {
                    OnMatch::Skip => Outcome::Skipped,
                    OnMatch::Update => Outcome::Updated,
                    OnMatch::Fail => Outcome::Failed(vec![Fault::new(field, "an earlier row has it")]),
                }));
            }
        }
        Ok(None)
    }

    async fn change(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        fields: &ImportFields,
        cost_left: &mut i64,
    ) -> Result<Outcome, Error> {
        let found = match self.on_match {
            // The rule of a creation refuses a match.
            OnMatch::Fail => None,
            OnMatch::Skip | OnMatch::Update => self.find(tx, fields).await?,
        };
        match (found, &fields.change) {
            (Some(_), None) => Ok(Outcome::Skipped),
            (Some(id), Some(_)) => self.update(tx, context, (id, fields), cost_left).await,
            (None, _) => match &fields.new {
                Err(faults) => Ok(Outcome::Failed(faults.clone())),
                Ok(new) => {
                    let organization = self.organization;
                    let customer = customers::create(tx, context, &self.by, organization, new).await?;
                    *cost_left = cost_left.saturating_sub(self.cost_of_customer(fields));
                    self.add(tx, context, (&customer, &fields.members), cost_left).await?;
                    self.count_bytes(tx, context, &customer, fields).await?;
                    Ok(Outcome::Created)
                }
            },
        }
    }

    /// The customer with the row's external id, or with its address.
    async fn find(&self, tx: &mut Tx<'_>, fields: &ImportFields) -> Result<Option<CustomerId>, Error> {
        let (organization, (external_id, email)) = (self.organization, fields.keys());
        tx.customer_match_ahead(organization, external_id.map(ExternalId::as_str), email);
        if let Some(external_id) = external_id
            && let Some(id) = tx.customer_by_external_id(organization, external_id.as_str()).await?
        {
            return Ok(Some(id));
        }
        match email {
            Some(email) => Ok(tx.customer_by_email(organization, email).await?),
            None => Ok(None),
        }
    }

    async fn update(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        (id, fields): (CustomerId, &ImportFields),
        cost_left: &mut i64,
    ) -> Result<Outcome, Error> {
        let before = tx.customer_for_update(self.organization, id).await?;
        let before = before.ok_or(CustomerError::NotFound)?;
        let change = fields.change.clone().unwrap_or_default();
        let after = customers::update(tx, context, &self.by, before.clone(), &change).await?;
        if after != before {
            *cost_left = cost_left.saturating_sub(self.cost_of_customer(fields));
        }
        let has_new_members = self.add(tx, context, (&after, &fields.members), cost_left).await?;
        if after == before && !has_new_members {
            return Ok(Outcome::Unchanged);
        }
        self.count_bytes(tx, context, &after, fields).await?;
        Ok(Outcome::Updated)
    }

    /// Adds members that the customer does not have. Returns whether there was one.
    async fn add(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        (customer, new): (&Customer, &[NewMember]),
        cost_left: &mut i64,
    ) -> Result<bool, Error> {
        let mut has_new = false;
        for member in new {
            let added = members::add(tx, context, &self.by, customer.clone(), member).await?;
            if matches!(added, Created::New(_)) {
                has_new = true;
                *cost_left = cost_left.saturating_sub(self.cost_of_member());
            }
        }
        Ok(has_new)
    }

    /// An estimate of the database rows that a row writes for its customer: it, its owner, their counters, metadata, audit
    /// entries and events. An event has its queue. They count even if a rule then refuses the row, because the
    /// transaction takes as long.
    fn cost_of_customer(&self, fields: &ImportFields) -> i64 {
        let metadata = fields.new.as_ref().map_or(1, |new| new.metadata.iter().count());
        let metadata = i64::try_from(metadata).unwrap_or(i64::MAX);
        self.endpoints.saturating_mul(6).saturating_add(10).saturating_add(metadata)
    }

    /// The same for a further member.
    const fn cost_of_member(&self) -> i64 {
        self.endpoints.saturating_mul(2).saturating_add(5)
    }

    /// Counts the bytes of the row's events, over all endpoints, against the budget of the organization's owner if they
    /// exceed [`limits::IMPORT_EVENT_BYTES_UNCOUNTED`]. No rate limit bounds the rows of an import.
    async fn count_bytes(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        customer: &Customer,
        fields: &ImportFields,
    ) -> Result<(), Error> {
        let endpoints = usize::try_from(self.endpoints).unwrap_or(usize::MAX);
        if endpoints == 0 {
            return Ok(());
        }
        let events = fields.members.len().saturating_add(3).saturating_mul(endpoints);
        let bytes = image(customer)?.len().saturating_mul(events);
        let uncounted = limits::IMPORT_EVENT_BYTES_UNCOUNTED;
        changes::count_bytes(tx, customer.organization, (bytes, uncounted), context.now()).await
    }
}

/// The text that precedes an address in a key.
const EMAIL: &str = "e:";

/// The keys of a row in `customer_import_keys`.
pub(super) fn keys(fields: &ImportFields) -> impl Iterator<Item = String> {
    let (external_id, email) = fields.keys();
    let external_id = external_id.map(|id| format!("x:{}", id.as_str()));
    external_id.into_iter().chain(email.map(|email| format!("{EMAIL}{}", email.key())))
}
