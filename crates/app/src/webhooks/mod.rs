//! Webhook endpoints: see, create, change, delete; their deliveries, and delivering once more by hand.

mod delivery;

pub use delivery::{Archive, DeliveryAttempt, Recorded};

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use tenantry_core::webhook::{
    self, EndpointChange, NewEndpoint, SigningSecret, WebhookEndpoint, WebhookError,
};
use tenantry_store::{
    ListQuery, Page, Paged, StoreError, Tx, UseCase, WebhookDeliveryDetails, WebhookDeliveryFilter,
};

use crate::changes::{self, Change};
use crate::{App, Error, PlainHttpHosts, Requester, TeamPermission, limits};

/// Creates an endpoint.
#[derive(Debug, Clone)]
pub struct WebhookEndpointCreate {
    /// On whose behalf.
    pub by: Requester,
    /// In which organization; a person names it, an organization's token does not.
    pub organization: Option<OrganizationId>,
    /// Which.
    pub new: NewEndpoint,
}

impl UseCase for WebhookEndpointCreate {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, organization, new } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageOrganization)?;
        let (id, secret) = (WebhookEndpointId::new(context.uuid()), SigningSecret::generate(context));
        let endpoint = webhook::create(organization, new.clone(), id, secret, context.now());
        tx.webhook_endpoint_insert(&endpoint).await?;
        record(tx, context, by, "webhook_endpoint.created", None, Some(&endpoint)).await?;
        Ok(endpoint)
    }
}

/// Changes an endpoint. What is pending for one that is switched off is skipped.
#[derive(Debug, Clone)]
pub struct WebhookEndpointUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: WebhookEndpointId,
    /// How.
    pub change: EndpointChange,
    /// Where plain HTTP may go.
    pub plain_http_hosts: PlainHttpHosts,
}

impl UseCase for WebhookEndpointUpdate {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, id, change, plain_http_hosts } = self;
        let before = held(tx, by, *id).await?;
        let after = webhook::update(&before, change.clone(), plain_http_hosts, context.now())?;
        if after != before {
            store(tx, context, by, &before, &after).await?;
        }
        Ok(after)
    }
}

/// Gives an endpoint a new secret.
#[derive(Debug, Clone)]
pub struct WebhookSecretReset {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: WebhookEndpointId,
}

impl UseCase for WebhookSecretReset {
    type Output = WebhookEndpoint;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<WebhookEndpoint, Error> {
        let Self { by, id } = self;
        let before = held(tx, by, *id).await?;
        let after = webhook::reset_secret(&before, SigningSecret::generate(context), context.now());
        store(tx, context, by, &before, &after).await?;
        Ok(after)
    }
}

/// Deletes an endpoint; what is pending for it is skipped.
#[derive(Debug, Clone)]
pub struct WebhookEndpointDelete {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: WebhookEndpointId,
}

impl UseCase for WebhookEndpointDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let endpoint = held(tx, by, *id).await?;
        tx.webhook_endpoint_delete(endpoint.organization, *id, context.now()).await?;
        skip(tx, context, endpoint.organization, *id).await?;
        record(tx, context, by, "webhook_endpoint.deleted", Some(&endpoint), None).await
    }
}

/// Has an event sent once more. Nothing is sent when its endpoint is disabled or deleted, or the event
/// archived.
#[derive(Debug, Clone)]
pub struct WebhookRedeliver {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: WebhookEventId,
}

impl UseCase for WebhookRedeliver {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let mut found = None;
        for organization in by.organizations_with(TeamPermission::ManageOrganization) {
            let Some(endpoint) = tx.webhook_event_endpoint(organization, *id).await? else { continue };
            tx.webhook_queues_lock(organization, endpoint).await?;
            found = tx.webhook_event(organization, *id).await?;
            break;
        }
        let mut event = found.ok_or(WebhookError::EventNotFound)?;
        let endpoint = tx.webhook_endpoint(event.organization, event.endpoint).await?;
        let tells = endpoint.is_some_and(|endpoint| endpoint.enabled) && event.data.is_some();
        // What waits for its first attempt is sent in its turn.
        let waits = event.state == webhook::EventState::Pending && event.attempts == 0;
        if tells && !waits {
            event.state = webhook::redeliver(event.state);
            tx.webhook_event_redeliver(&event, context.now()).await?;
        }
        Ok(())
    }
}

/// The endpoint of this id that the requester may manage, held until the transaction ends: its queues first.
async fn held(tx: &mut Tx<'_>, by: &Requester, id: WebhookEndpointId) -> Result<WebhookEndpoint, Error> {
    for organization in by.organizations_with(TeamPermission::ManageOrganization) {
        if tx.webhook_queues_lock(organization, id).await?
            && let Some(endpoint) = tx.webhook_endpoint(organization, id).await?
        {
            return Ok(endpoint);
        }
    }
    Err(WebhookError::NotFound.into())
}

/// The endpoint of this id that the requester may manage.
async fn find(tx: &mut Tx<'_>, by: &Requester, id: WebhookEndpointId) -> Result<WebhookEndpoint, Error> {
    for organization in by.organizations_with(TeamPermission::ManageOrganization) {
        if let Some(endpoint) = tx.webhook_endpoint(organization, id).await? {
            return Ok(endpoint);
        }
    }
    Err(WebhookError::NotFound.into())
}

/// Stores a changed endpoint; what is pending for one that was switched off is skipped.
async fn store(
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
    record(tx, context, by, "webhook_endpoint.updated", Some(before), Some(after)).await
}

/// Gives up what is pending for an endpoint that is told nothing more: as much as one transaction should. Whoever
/// delivers its queues gives up the rest. The queues of one that is deleted go with their last event.
async fn skip(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: OrganizationId,
    endpoint: WebhookEndpointId,
) -> Result<(), StoreError> {
    let is_all =
        tx.webhook_events_skip(organization, endpoint, context.now(), limits::WEBHOOK_SKIPPED).await?;
    if is_all && tx.webhook_endpoint_is_deleted(organization, endpoint).await? {
        tx.webhook_queues_delete(organization, endpoint).await?;
    }
    Ok(())
}

async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&WebhookEndpoint>,
    after: Option<&WebhookEndpoint>,
) -> Result<(), Error> {
    let Some(WebhookEndpoint { organization, id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*organization, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

/// A list of attempts. They are kept for good and counted each time, so that no list of them is short.
struct CursorPage {
    filter: WebhookDeliveryFilter,
    page: Page,
}

impl ListQuery for CursorPage {
    type Output = Paged<WebhookDeliveryDetails>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<WebhookDeliveryDetails>, StoreError> {
        tx.webhook_deliveries(&self.filter, self.page).await
    }

    fn organization(&self) -> Option<OrganizationId> {
        self.filter.organizations.first().copied()
    }
}

impl App {
    /// The endpoint of this id.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], or a fault.
    pub async fn webhook_endpoint(
        &self,
        by: &Requester,
        id: WebhookEndpointId,
    ) -> Result<WebhookEndpoint, Error> {
        find(&mut self.store.reader()?.tx()?, by, id).await
    }

    /// A part of the list of endpoints of these organizations.
    ///
    /// # Errors
    /// A fault.
    pub async fn webhook_endpoints(
        &self,
        organizations: &[OrganizationId],
        page: Page,
    ) -> Result<Paged<WebhookEndpoint>, Error> {
        Ok(self.store.reader()?.tx()?.webhook_endpoints(organizations, page).await?)
    }

    /// A part of the list of attempts to deliver.
    ///
    /// # Errors
    /// A fault.
    pub async fn webhook_deliveries(
        &self,
        filter: &WebhookDeliveryFilter,
        page: Page,
    ) -> Result<Paged<WebhookDeliveryDetails>, Error> {
        self.look(CursorPage { filter: filter.clone(), page }, false).await
    }
}
