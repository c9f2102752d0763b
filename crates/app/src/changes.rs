//! Writing down a change in the transaction that makes it: its audit entry, and the events that webhook
//! endpoints are told. Every change passes here, so that neither can be forgotten; a no-op never comes here.

use serde::Serialize;
use tenantry_core::audit::{AuditEntry, image};
use tenantry_core::customer::Customer;
use tenantry_core::ids::{AuditId, OrganizationId, WebhookEventId};
use tenantry_core::member::Member;
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamMember;
use tenantry_core::token::{AccessToken, UserToken};
use tenantry_core::user::User;
use tenantry_core::webhook::{Event, EventData, EventType, WebhookEndpoint};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::Tx;
use uuid::Uuid;

use crate::{Error, Requester};

/// Stands for the organization in entries about people, who belong to none.
pub(crate) const INSTALLATION: OrganizationId = OrganizationId::new(Uuid::nil());

/// What changed: nothing before means created, nothing after means deleted.
pub(crate) struct Change<'a, T> {
    pub(crate) organization: OrganizationId,
    pub(crate) action: &'static str,
    pub(crate) subject: Uuid,
    pub(crate) before: Option<&'a T>,
    pub(crate) after: Option<&'a T>,
}

/// A row whose changes are written down.
pub(crate) trait Recorded: Serialize + Sync {
    /// The row as webhooks tell of it; nothing where they tell of no such row. `deleted_at` is set when this
    /// is the row before its deletion.
    fn told(&self, _deleted_at: Option<Timestamp>) -> Option<EventData> {
        None
    }
}

impl Recorded for Customer {
    fn told(&self, deleted_at: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Customer(Box::new(Self { deleted_at, ..self.clone() })))
    }
}

impl Recorded for Member {
    fn told(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Member(Box::new(self.clone())))
    }
}

impl Recorded for Organization {
    fn told(&self, _: Option<Timestamp>) -> Option<EventData> {
        Some(EventData::Organization(Box::new(self.clone())))
    }
}

impl Recorded for TeamMember {}
impl Recorded for AccessToken {}
impl Recorded for User {}
impl Recorded for UserToken {}
impl Recorded for WebhookEndpoint {}

/// Writes a change down. Its event has the name of its action, where there is such an event.
pub(crate) async fn record<T: Recorded>(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    change: Change<'_, T>,
) -> Result<(), Error> {
    let Change { organization, action, subject, before, after } = change;
    let entry = AuditEntry {
        id: AuditId::new(context.uuid()),
        organization,
        at: context.now(),
        actor: by.actor(),
        action,
        subject,
        before: before.map(image).transpose()?,
        after: after.map(image).transpose()?,
        request_id: by.request_id.clone(),
    };
    tx.audit_append(&entry).await?;
    let Some(event_type) = EventType::from_name(action) else { return Ok(()) };
    let deleted_at = after.is_none().then(|| context.now());
    match after.or(before).and_then(|row| row.told(deleted_at)) {
        Some(data) => tell(tx, context, organization, event_type, &data).await,
        None => Ok(()),
    }
}

/// Tells what a customer has, after everything that changed about it. `deleted` says that it is gone.
pub(crate) async fn state_changed(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    customer: &Customer,
    deleted: bool,
) -> Result<(), Error> {
    let deleted_at = deleted.then(|| context.now());
    let state = EventData::CustomerState(Box::new(Customer { deleted_at, ..customer.clone() }));
    tell(tx, context, customer.organization, EventType::CustomerStateChanged, &state).await
}

/// Writes an event for each endpoint of the organization that listens to its type.
async fn tell(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: OrganizationId,
    event_type: EventType,
    data: &EventData,
) -> Result<(), Error> {
    for endpoint in tx.webhook_endpoints_subscribed(organization, event_type).await? {
        let id = WebhookEventId::new(context.uuid());
        let created_at = context.now();
        let event = Event { id, organization, endpoint, created_at, event_type, data: data.clone() };
        tx.webhook_event_insert(&event).await?;
    }
    Ok(())
}
