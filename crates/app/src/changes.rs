//! Records a change in the transaction that makes it: one audit entry, and one event for each webhook endpoint
//! that listens. Every change of a row passes through here; a request that changes nothing does not. The changes of a dry
//! run, which are rolled back, leave no record.
//!
//! The audit entry of a creation or deletion holds the row. The entry of an update holds the fields that differ, before
//! and after, also within objects such as metadata, so that its size follows the change and not the row. Of a long
//! field it holds the length and the SHA-256 of its JSON.

mod difference;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tenantry_core::audit::{AuditEntry, Client, image};
use tenantry_core::console::ConsoleSession;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{AuditId, OrganizationId, WebhookEventId};
use tenantry_core::invitation::Invitation;
use tenantry_core::member::Member;
use tenantry_core::organization::Organization;
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamMember;
use tenantry_core::token::{AccessToken, UserToken};
use tenantry_core::user::User;
use tenantry_core::webhook::{Event, EventData, EventType, OwnershipChange, WebhookEndpoint};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::Tx;
use uuid::Uuid;

use crate::{Error, Requester, limits};
use difference::changed_fields;

/// The organization of audit entries about users whom no organization added.
pub(crate) const INSTALLATION: OrganizationId = OrganizationId::new(Uuid::nil());

/// A row whose changes are recorded.
pub(crate) trait Audited: Serialize + Sync {
    /// The organization in whose audit log the change appears.
    fn organization(&self) -> OrganizationId;

    /// The id of the row.
    fn subject(&self) -> Uuid;

    /// The data of the webhook event about this row. `None` if webhooks have no events about such rows.
    /// `deleted_at` is set when this is the row before its deletion.
    fn event_data(&self, _deleted_at: Option<Timestamp>) -> Option<EventData> {
        None
    }
}

impl Audited for Customer {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    fn event_data(&self, deleted_at: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Customer(Box::new(Self { deleted_at, ..self.clone() })))
    }
}

impl Audited for Member {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    fn event_data(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Member(Box::new(self.clone())))
    }
}

impl Audited for Organization {
    fn organization(&self) -> OrganizationId {
        self.id
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    fn event_data(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Organization(Box::new(self.clone())))
    }
}

impl Audited for TeamMember {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.user.uuid()
    }

    fn event_data(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::TeamMember(self.into()))
    }
}

impl Audited for Invitation {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    fn event_data(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Invitation(self.into()))
    }
}

impl Audited for AccessToken {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    fn event_data(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::AccessToken(Box::new(self.clone())))
    }
}

impl Audited for WebhookEndpoint {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// A user, and the organization that adds it.
///
/// The audit entry of a change is beside the other rows of the change: with Citus, a worker that is lost then stops no
/// organization on another one.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct AddedUser<'a> {
    pub(crate) user: &'a User,
    #[serde(skip)]
    pub(crate) organization: Option<OrganizationId>,
}

impl Audited for AddedUser<'_> {
    fn organization(&self) -> OrganizationId {
        self.organization.unwrap_or(INSTALLATION)
    }

    fn subject(&self) -> Uuid {
        self.user.id.uuid()
    }
}

impl Audited for UserToken {
    fn organization(&self) -> OrganizationId {
        INSTALLATION
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// A session of the portal. It is recorded as a change of its customer, whose history then shows it.
impl Audited for CustomerSession {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.customer.uuid()
    }
}

impl Audited for ConsoleSession {
    fn organization(&self) -> OrganizationId {
        INSTALLATION
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Records that a row was created.
pub(crate) async fn created<T: Audited>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    after: &T,
) -> Result<(), Error> {
    record(tx, context, by, action, None, Some(after), after).await
}

/// Records that a row was changed.
pub(crate) async fn updated<T: Audited>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    (before, after): (&T, &T),
) -> Result<(), Error> {
    record(tx, context, by, action, Some(before), Some(after), after).await
}

/// Records that a row was deleted.
pub(crate) async fn deleted<T: Audited>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: &T,
) -> Result<(), Error> {
    record(tx, context, by, action, Some(before), None, before).await
}

/// Records that a deleted row is restored. Receivers of webhooks have seen its deletion, so they get the event of a
/// creation.
pub(crate) async fn restored<T: Audited>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (action, event_type): (&'static str, EventType),
    after: &T,
) -> Result<(), Error> {
    record(tx, context, by, action, None, Some(after), after).await?;
    match after.event_data(None).filter(|_| !by.is_trial()) {
        Some(data) => insert_events(tx, context, after.organization(), event_type, &data).await,
        None => Ok(()),
    }
}

/// Appends the audit entry, and the webhook events of the same name as the action, if there is such an event.
async fn record<T: Audited>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&T>,
    after: Option<&T>,
    row: &T,
) -> Result<(), Error> {
    if by.is_trial() {
        return Ok(());
    }
    let organization = row.organization();
    let (old, new) = match (before.map(image).transpose()?, after.map(image).transpose()?) {
        (Some(old), Some(new)) => {
            let (old, new) = changed_fields(&old, &new)?;
            (Some(old), Some(new))
        }
        images => images,
    };
    let (old, new) = (old.map(shortened).transpose()?, new.map(shortened).transpose()?);
    let entry = AuditEntry {
        id: AuditId::new(context.uuid()),
        organization,
        at: context.now(),
        actor: by.actor(),
        action,
        subject: row.subject(),
        before: old,
        after: new,
        request_id: by.request_id.clone(),
        credential: by.credential(),
        client: client_of(by, organization),
    };
    tx.audit_append(&entry).await?;
    let Some(event_type) = EventType::from_name(action) else { return Ok(()) };
    let deleted_at = after.is_none().then(|| context.now());
    match row.event_data(deleted_at) {
        Some(data) => insert_events(tx, context, organization, event_type, &data).await,
        None => Ok(()),
    }
}

/// The client of a change. That of a person from outside the team is left out: the deletion of the person would not find
/// the entry.
fn client_of(by: &Requester, organization: OrganizationId) -> Client {
    if by.user().is_some() && by.role_in(organization).is_none() {
        return Client::default();
    }
    by.client().clone()
}

/// The image with each field of more than [`limits::AUDIT_FIELD_BYTES`] replaced by its length and hash, so that the
/// audit log does not grow by the size of what callers send.
fn shortened(image: String) -> serde_json::Result<String> {
    if image.len() <= limits::AUDIT_FIELD_BYTES {
        return Ok(image);
    }
    let mut fields: Map<String, Value> = serde_json::from_str(&image)?;
    for value in fields.values_mut() {
        let text = value.to_string();
        if text.len() > limits::AUDIT_FIELD_BYTES {
            let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            *value = json!({"bytes": text.len(), "sha256": hash});
        }
    }
    serde_json::to_string(&fields)
}

/// Inserts the event `customer.state_changed`, which follows every other event about a customer. `is_deleted` says
/// that the customer is deleted now.
pub(crate) async fn customer_state_changed(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (customer, is_deleted): (&Customer, bool),
) -> Result<(), Error> {
    if by.is_trial() {
        return Ok(());
    }
    let deleted_at = is_deleted.then(|| context.now());
    let state = EventData::CustomerState(Box::new(Customer { deleted_at, ..customer.clone() }));
    insert_events(tx, context, customer.organization, EventType::CustomerStateChanged, &state).await
}

/// Inserts the event `organization.transferred`, after the events of the organization and of both memberships.
pub(crate) async fn organization_transferred(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    before: &Organization,
    after: &Organization,
) -> Result<(), Error> {
    let change = OwnershipChange { organization: after.id, former_owner: before.owner, owner: after.owner };
    let data = EventData::Ownership(change);
    insert_events(tx, context, after.id, EventType::OrganizationTransferred, &data).await
}

/// Inserts one event for each endpoint of the organization that listens to its type.
async fn insert_events(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: OrganizationId,
    event_type: EventType,
    data: &EventData,
) -> Result<(), Error> {
    let endpoints = tx.webhook_endpoints_subscribed(organization, event_type).await?;
    if !endpoints.is_empty() {
        let bytes = data.image()?.len().saturating_mul(endpoints.len());
        count_bytes(tx, organization, (bytes, limits::WEBHOOK_BYTES_UNCOUNTED), context.now()).await?;
    }
    for endpoint in endpoints {
        let id = WebhookEventId::new(context.uuid());
        let created_at = context.now();
        let event = Event { id, organization, endpoint, created_at, event_type, data: data.clone() };
        tx.webhook_event_insert(&event).await?;
    }
    Ok(())
}

/// Counts the bytes of events against the budget of the organization's owner if they exceed `uncounted`. Each endpoint
/// has a copy of the data, so that small requests could fill the disk otherwise.
pub(crate) async fn count_bytes(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    (bytes, uncounted): (usize, usize),
    now: Timestamp,
) -> Result<(), Error> {
    const HOUR_US: i64 = 60 * 60 * 1_000_000;
    if bytes <= uncounted {
        return Ok(());
    }
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).min(limits::WEBHOOK_BYTES_PER_HOUR);
    let cost_us = bytes.saturating_mul(HOUR_US) / limits::WEBHOOK_BYTES_PER_HOUR;
    let owner = tx.organization_owner(organization).await?.ok_or(Error::OrganizationNotFound)?;
    if tx.webhook_budget_take(owner, (cost_us, HOUR_US), now).await? {
        return Ok(());
    }
    // The budget is never further ahead than an hour, so it has room once this cost has come back.
    let retry_after_s = u64::try_from(cost_us / 1_000_000).unwrap_or(0).saturating_add(1);
    Err(Error::WebhookBytes { retry_after_s })
}
