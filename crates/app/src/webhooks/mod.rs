//! Webhook endpoints: read, list, create, update, rotate, test, delete. Deliveries: list, redeliver.

mod delivery;

pub use delivery::{DeliveryAttempt, DeliveryRecord, OrganizationLook};

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use tenantry_core::token::Overlap;
use tenantry_core::webhook::{
    self, EndpointChange, Event, EventData, EventType, NewEndpoint, SigningSecret, WebhookEndpoint,
    WebhookError, WebhookTest,
};
use tenantry_store::{
    ListQuery, Page, Paged, Party, RowKey, StoreError, Tx, UseCase, WebhookDeliveryDetails,
    WebhookDeliveryFilter,
};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::{App, Error, PlainHttpHosts, Requester, TeamPermission, changes, limits};

/// Creates an endpoint, up to [`limits::WEBHOOK_ENDPOINTS_PER_ORGANIZATION`].
#[derive(Debug, Clone)]
pub struct WebhookEndpointCreate {
    /// The requester.
    pub by: Requester,
    /// The organization, if the requester is a person. An organization's token has its own.
    pub organization: Option<OrganizationId>,
    /// The new endpoint's data.
    pub new: NewEndpoint,
}

impl UseCase for WebhookEndpointCreate {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, organization, new } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageOrganization)?;
        // Locked, so that concurrent creations do not exceed the limit.
        let tenant = tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)?;
        if tx.webhook_endpoint_count(organization).await? >= limits::WEBHOOK_ENDPOINTS_PER_ORGANIZATION {
            return Err(WebhookError::LimitReached(limits::WEBHOOK_ENDPOINTS_PER_ORGANIZATION).into());
        }
        let (id, secret) = (WebhookEndpointId::new(context.uuid()), SigningSecret::generate(context));
        let endpoint = webhook::create(organization, new.clone(), id, secret, context.now())?;
        tx.webhook_endpoint_insert(&endpoint, tenant.owner).await?;
        changes::created(tx, context, by, "webhook_endpoint.created", &endpoint).await?;
        Ok(endpoint)
    }
}

/// Updates an endpoint. The pending events of an endpoint that is disabled are skipped.
#[derive(Debug, Clone)]
pub struct WebhookEndpointUpdate {
    /// The requester.
    pub by: Requester,
    /// The endpoint.
    pub id: WebhookEndpointId,
    /// The change.
    pub change: EndpointChange,
    /// Hosts to which webhooks may be sent by plain HTTP.
    pub plain_http_hosts: PlainHttpHosts,
}

impl UseCase for WebhookEndpointUpdate {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, id, change, plain_http_hosts } = self;
        let before = lock(tx, by, *id).await?;
        let after = webhook::update(&before, change.clone(), plain_http_hosts, context.now())?;
        if after != before {
            save(tx, context, by, &before, &after).await?;
        }
        Ok(after)
    }
}

impl RowUseCase for WebhookEndpointUpdate {
    type Row = WebhookEndpoint;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<WebhookEndpoint, Error> {
        lock(tx, &self.by, self.id).await
    }
}

/// Replaces the signing secret of an endpoint.
#[derive(Debug, Clone)]
pub struct WebhookSecretReset {
    /// The requester.
    pub by: Requester,
    /// The endpoint.
    pub id: WebhookEndpointId,
}

impl UseCase for WebhookSecretReset {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, id } = self;
        let before = lock(tx, by, *id).await?;
        by.check_proof(context.now())?;
        let after = webhook::reset_secret(&before, SigningSecret::generate(context), context.now());
        save(tx, context, by, &before, &after).await?;
        Ok(after)
    }
}

impl RowUseCase for WebhookSecretReset {
    type Row = WebhookEndpoint;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<WebhookEndpoint, Error> {
        lock(tx, &self.by, self.id).await
    }
}

/// Replaces the signing secret of an endpoint. During the overlap the old secret signs as well.
#[derive(Debug, Clone)]
pub struct WebhookSecretRotate {
    /// The requester.
    pub by: Requester,
    /// The endpoint.
    pub id: WebhookEndpointId,
    /// The time for which requests carry the signatures of both secrets.
    pub overlap: Overlap,
}

impl UseCase for WebhookSecretRotate {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, id, overlap } = self;
        let before = lock(tx, by, *id).await?;
        by.check_proof(context.now())?;
        let after =
            webhook::rotate_secret(&before, SigningSecret::generate(context), *overlap, context.now());
        tx.webhook_endpoint_update(&before, &after).await?;
        changes::updated(tx, context, by, "webhook_endpoint.rotated", (&before, &after)).await?;
        Ok(after)
    }
}

/// Sends a test event to an endpoint, whatever events it subscribes to. It never disables the endpoint.
#[derive(Debug, Clone)]
pub struct WebhookTestSend {
    /// The requester.
    pub by: Requester,
    /// The endpoint.
    pub id: WebhookEndpointId,
}

impl UseCase for WebhookTestSend {
    type Output = Event;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Event, Error> {
        let Self { by, id } = self;
        let key = RowKey::WebhookEndpoint(id.uuid());
        for organization in by.organizations_with_row(tx, TeamPermission::ManageOrganization, key).await? {
            // The budget is locked before the queues, as in every change.
            changes::count_bytes(tx, organization, (limits::WEBHOOK_TEST_BYTES, 0), context.now()).await?;
            if !tx.webhook_queues_lock(organization, *id).await? {
                continue;
            }
            let Some(endpoint) = tx.webhook_endpoint(organization, *id).await? else { continue };
            if !endpoint.enabled {
                return Err(WebhookError::Disabled.into());
            }
            let test = WebhookTest { organization, endpoint: *id };
            let event = Event {
                id: WebhookEventId::new(context.uuid()),
                organization,
                endpoint: *id,
                created_at: context.now(),
                event_type: EventType::WebhookEndpointTest,
                data: EventData::Test(test),
            };
            tx.webhook_event_insert(&event).await?;
            return Ok(event);
        }
        Err(WebhookError::NotFound.into())
    }
}

/// Deletes an endpoint. Its pending events are skipped.
#[derive(Debug, Clone)]
pub struct WebhookEndpointDelete {
    /// The requester.
    pub by: Requester,
    /// The endpoint.
    pub id: WebhookEndpointId,
}

impl UseCase for WebhookEndpointDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let endpoint = lock(tx, by, *id).await?;
        tx.webhook_endpoint_delete(endpoint.organization, *id, context.now()).await?;
        skip(tx, context, endpoint.organization, *id).await?;
        changes::deleted(tx, context, by, "webhook_endpoint.deleted", &endpoint).await
    }
}

impl RowUseCase for WebhookEndpointDelete {
    type Row = WebhookEndpoint;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<WebhookEndpoint, Error> {
        lock(tx, &self.by, self.id).await
    }
}

/// Schedules an event for another delivery. Does nothing if the endpoint is disabled or deleted, or if the event's
/// payload is deleted.
#[derive(Debug, Clone)]
pub struct WebhookRedeliver {
    /// The requester.
    pub by: Requester,
    /// The event.
    pub id: WebhookEventId,
}

impl UseCase for WebhookRedeliver {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let mut found = None;
        let key = RowKey::WebhookEvent(id.uuid());
        for organization in by.organizations_with_row(tx, TeamPermission::ManageOrganization, key).await? {
            let Some(endpoint) = tx.webhook_event_endpoint(organization, *id).await? else { continue };
            tx.webhook_queues_lock(organization, endpoint).await?;
            found = tx.webhook_event(organization, *id).await?;
            break;
        }
        let mut event = found.ok_or(WebhookError::EventNotFound)?;
        let endpoint = tx.webhook_endpoint(event.organization, event.endpoint).await?;
        let can_send = endpoint.is_some_and(|endpoint| endpoint.enabled) && event.data.is_some();
        // An event before its first attempt keeps its place in the queue.
        let is_queued = event.state == webhook::EventState::Pending && event.attempts == 0;
        if can_send && !is_queued {
            event.state = webhook::redeliver(event.state);
            tx.webhook_event_redeliver(&event, context.now()).await?;
        }
        Ok(())
    }
}

/// The endpoint, if the requester may manage it. Locks its delivery queues first, then its row, until the transaction
/// ends.
async fn lock(tx: &mut Tx<'_>, by: &Requester, id: WebhookEndpointId) -> Result<WebhookEndpoint, Error> {
    let key = RowKey::WebhookEndpoint(id.uuid());
    for organization in by.organizations_with_row(tx, TeamPermission::ManageOrganization, key).await? {
        if tx.webhook_queues_lock(organization, id).await?
            && let Some(endpoint) = tx.webhook_endpoint(organization, id).await?
        {
            return Ok(endpoint);
        }
    }
    Err(WebhookError::NotFound.into())
}

/// The endpoint, if the requester may manage it.
async fn find(tx: &mut Tx<'_>, by: &Requester, id: WebhookEndpointId) -> Result<WebhookEndpoint, Error> {
    let key = RowKey::WebhookEndpoint(id.uuid());
    for organization in by.organizations_with_row(tx, TeamPermission::ManageOrganization, key).await? {
        if let Some(endpoint) = tx.webhook_endpoint(organization, id).await? {
            return Ok(endpoint);
        }
    }
    Err(WebhookError::NotFound.into())
}

/// Stores a changed endpoint. The pending events of one that was disabled are skipped.
async fn save(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &WebhookEndpoint,
    after: &WebhookEndpoint,
) -> Result<(), Error> {
    tx.webhook_endpoint_update(before, after).await?;
    if before.enabled && !after.enabled {
        skip(tx, context, after.organization, after.id).await?;
    }
    changes::updated(tx, context, by, "webhook_endpoint.updated", (before, after)).await
}

/// Skips the pending events of a disabled or deleted endpoint, up to
/// [`limits::WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION`]. The worker that leases its queues skips the rest. The queues of
/// a deleted endpoint are deleted with the last event.
async fn skip(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: OrganizationId,
    endpoint: WebhookEndpointId,
) -> Result<(), StoreError> {
    let is_all = tx
        .webhook_events_skip(
            organization,
            endpoint,
            context.now(),
            limits::WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION,
        )
        .await?;
    if is_all && tx.webhook_endpoint_is_deleted(organization, endpoint).await? {
        tx.webhook_queues_delete(organization, endpoint).await?;
    }
    Ok(())
}

/// A list of deliveries. It counts all of them, so that even a short page is an expensive query.
struct WebhookDeliveryList {
    filter: WebhookDeliveryFilter,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for WebhookDeliveryList {
    type Output = Paged<WebhookDeliveryDetails>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<WebhookDeliveryDetails>, StoreError> {
        tx.webhook_deliveries(&self.filter, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

/// A list that reads every endpoint of the organizations.
struct WebhookEndpointList {
    organizations: Vec<OrganizationId>,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for WebhookEndpointList {
    type Output = Paged<WebhookEndpoint>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<WebhookEndpoint>, StoreError> {
        tx.webhook_endpoints(&self.organizations, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// One endpoint.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], or a store error.
    pub async fn webhook_endpoint(
        &self,
        by: &Requester,
        id: WebhookEndpointId,
    ) -> Result<WebhookEndpoint, Error> {
        find(&mut self.store.reader()?.tx()?, by, id).await
    }

    /// A page of the list of endpoints of these organizations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoints(
        &self,
        by: &Requester,
        organizations: &[OrganizationId],
        page: Page,
    ) -> Result<Paged<WebhookEndpoint>, Error> {
        let is_selective = organizations.len() <= limits::ORGANIZATIONS_READ_DIRECTLY;
        let (organizations, limited_as) = (organizations.to_vec(), by.limited_as());
        self.run_list(WebhookEndpointList { organizations, page, limited_as }, page, is_selective).await
    }

    /// A page of the list of deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_deliveries(
        &self,
        by: &Requester,
        filter: &WebhookDeliveryFilter,
        page: Page,
    ) -> Result<Paged<WebhookDeliveryDetails>, Error> {
        let limited_as = by.limited_as();
        self.run_list(WebhookDeliveryList { filter: filter.clone(), page, limited_as }, page, false).await
    }
}
