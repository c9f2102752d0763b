//! Webhook endpoints of organizations.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId, WebhookEndpointId};
use tenantry_core::webhook::{
    EndpointUrl, EventType, PreviousSigningSecret, SigningSecret, WebhookEndpoint, WebhookFormat,
};
use uuid::Uuid;

use super::{Page, Paged, Query, count};
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{DeliveryQueue, StoreError, Tx, Vault};

pub(super) const COLUMNS: &str = "organization_id, id, created_at, modified_at, url, name, format, secret,
    events, enabled, enabled_since, disabled_reason, url_credentials, previous_secret, previous_secret_expires_at";
/// The number of columns.
pub(super) const COLUMN_COUNT: usize = 15;

pub(super) fn endpoint(row: &Row<'_>, vault: &dyn Vault) -> Result<WebhookEndpoint, StoreError> {
    let id: WebhookEndpointId = row.get(1)?;
    let open = |context: &[u8], sealed: &[u8]| {
        vault.open(context, sealed).and_then(|opened| String::from_utf8(opened).ok())
    };
    let secret = |sealed: &[u8]| open(id.uuid().as_bytes(), sealed).map(SigningSecret::from_stored);
    let url = row.get(4)?;
    let url = match row.get::<Option<Vec<u8>>>(12)? {
        Some(sealed) => EndpointUrl::from_stored_with(url, open(&sealed_url_context(id.uuid()), &sealed)),
        None => EndpointUrl::from_stored(url),
    };
    let previous = row.get::<Option<Vec<u8>>>(13)?.zip(row.get(14)?);
    let previous_secret =
        previous.map(|(sealed, expires_at)| PreviousSigningSecret { secret: secret(&sealed), expires_at });
    Ok(WebhookEndpoint {
        organization: row.get(0)?,
        id,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        url,
        name: row.get(5)?,
        format: row.named(6, WebhookFormat::from_name)?,
        secret: secret(&row.get::<Vec<u8>>(7)?),
        previous_secret,
        events: events(row, 8)?,
        enabled: row.get(9)?,
        enabled_since: row.get(10)?,
        disabled_reason: row.get(11)?,
    })
}

/// The event types that an endpoint subscribes to. Types that this program does not know are left out: a
/// newer version may write to the same database.
fn events(row: &Row<'_>, index: usize) -> Result<Vec<EventType>, StoreError> {
    let names = row.parse(index, |text| serde_json::from_str::<Vec<String>>(text))?;
    Ok(names.iter().filter_map(|name| EventType::from_name(name)).collect())
}

/// The context that binds a sealed user name and password of a URL to its endpoint, and distinguishes them from its
/// secret.
#[must_use]
pub fn sealed_url_context(endpoint: Uuid) -> Vec<u8> {
    [endpoint.as_bytes().as_slice(), b"url"].concat()
}

/// The secrets of an endpoint, sealed and bound to its id. `None` for a secret that it lacks, or that could not be
/// opened.
struct Sealed {
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    url_credentials: Option<Vec<u8>>,
}

impl Sealed {
    fn of(endpoint: &WebhookEndpoint, vault: &dyn Vault) -> Result<Self, StoreError> {
        let seal = |context: &[u8], text: Option<&str>| {
            let sealed = text.map(|text| vault.seal(context, text.as_bytes()));
            sealed
                .map(|sealed| sealed.ok_or_else(|| unexpected("a webhook secret that cannot be sealed")))
                .transpose()
        };
        let id = endpoint.id.uuid();
        let secret = |secret: Option<&SigningSecret>| seal(id.as_bytes(), secret.map(SigningSecret::as_str));
        let previous = endpoint.previous_secret.as_ref().and_then(|previous| previous.secret.as_ref());
        Ok(Self {
            secret: secret(endpoint.secret.as_ref())?,
            previous_secret: secret(previous)?,
            url_credentials: seal(&sealed_url_context(id), endpoint.url.credentials())?,
        })
    }
}

/// The query of [`Tx::webhook_endpoints_subscribed`].
pub(super) const ENABLED: &str = "SELECT id, events FROM webhook_endpoints
    WHERE organization_id = ?1 AND deleted_at IS NULL AND enabled ORDER BY id";

impl Tx<'_> {
    /// The endpoint of this id, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint(
        &mut self,
        organization: OrganizationId,
        id: WebhookEndpointId,
    ) -> Result<Option<WebhookEndpoint>, StoreError> {
        let (hold, vault) = (self.for_update(), self.vault()?);
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL{hold}"
        );
        self.first(&sql, &[organization.into(), id.into()], |row| endpoint(row, vault)).await
    }

    /// The number of endpoints of an organization that are not deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_count(&mut self, organization: OrganizationId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM webhook_endpoints
             WHERE organization_id = ?1 AND deleted_at IS NULL";
        Ok(count(self.first(sql, &[organization.into()], |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// The enabled endpoints of an organization that subscribe to this type of event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoints_subscribed(
        &mut self,
        organization: OrganizationId,
        event_type: EventType,
    ) -> Result<Vec<WebhookEndpointId>, StoreError> {
        let all = self
            .all(ENABLED, &[organization.into()], |row| {
                Ok((row.get::<WebhookEndpointId>(0)?, events(row, 1)?))
            })
            .await?;
        let listening = all.into_iter().filter(|(_, events)| events.contains(&event_type));
        Ok(listening.map(|(id, _)| id).collect())
    }

    /// Announces [`Tx::webhook_endpoints_subscribed`] for some events, which the use case runs after its next query.
    pub fn events_ahead(&mut self, organization: OrganizationId, events: usize) {
        for _ in 0..events {
            self.ask_ahead(ENABLED, &[organization.into()]);
        }
    }

    /// A page of the list of endpoints, newest first. At most two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoints(
        &mut self,
        organizations: &[OrganizationId],
        page: Page,
    ) -> Result<Paged<WebhookEndpoint>, StoreError> {
        let mut from = Query::new("FROM webhook_endpoints WHERE deleted_at IS NULL AND ");
        from.organizations("organization_id", organizations);
        let mut query = from.selecting(COLUMNS);
        query.push(" ORDER BY id DESC");
        query.page(page);
        let vault = self.vault()?;
        let items = self.all(&query.sql, &query.params, |row| endpoint(row, vault)).await?;
        let total = self.list_length(&from, page, items.len()).await?;
        Ok(Paged { items, total })
    }

    /// Inserts an endpoint and its queues. `owner` is the owner of the organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_insert(
        &mut self,
        new: &WebhookEndpoint,
        owner: UserId,
    ) -> Result<(), StoreError> {
        let WebhookEndpoint { id, organization, created_at, .. } = new;
        let Sealed { secret, url_credentials, .. } = Sealed::of(new, self.vault()?)?;
        let secret = secret.ok_or_else(|| unexpected("an endpoint without secret"))?;
        self.execute_unawaited(
            "INSERT INTO webhook_endpoints
                (organization_id, id, created_at, modified_at, url, name, format, secret, events, enabled,
                 enabled_since, disabled_reason, url_credentials)
             VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            &[
                (*organization).into(),
                (*id).into(),
                (*created_at).into(),
                new.url.bare().into(),
                new.name.as_deref().into(),
                new.format.as_str().into(),
                Param::Bytes(&secret),
                serde_json::to_string(&new.events)?.into(),
                new.enabled.into(),
                new.enabled_since.into(),
                new.disabled_reason.as_deref().into(),
                url_credentials.as_deref().into(),
            ],
        )
        .await?;
        for queue in DeliveryQueue::ALL {
            self.execute_unawaited(
                "INSERT INTO webhook_queues (organization_id, endpoint_id, queue, owner_user_id, last_sequence)
                 VALUES (?1, ?2, ?3, ?4, 0)",
                &[(*organization).into(), (*id).into(), queue.as_str().into(), owner.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Saves an endpoint. Stored secrets stay when the caller could not read them, and the stored event types stay
    /// when the caller did not change them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_update(
        &mut self,
        before: &WebhookEndpoint,
        changed: &WebhookEndpoint,
    ) -> Result<(), StoreError> {
        let Sealed { secret, previous_secret, url_credentials } = Sealed::of(changed, self.vault()?)?;
        let ends_at = changed.previous_secret.as_ref().map(|previous| previous.expires_at);
        self.execute_unawaited(
            "UPDATE webhook_endpoints
             SET modified_at = ?3, url = ?4, name = ?5, format = ?6, secret = coalesce(?7, secret),
                 events = CASE WHEN ?8 THEN ?9 ELSE events END, enabled = ?10, enabled_since = ?11,
                 disabled_reason = ?12,
                 url_credentials = CASE WHEN ?13 THEN coalesce(?14, url_credentials) END,
                 previous_secret = CASE WHEN ?15 THEN coalesce(?16, previous_secret) END,
                 previous_secret_expires_at = ?17
             WHERE organization_id = ?1 AND id = ?2",
            &[
                changed.organization.into(),
                changed.id.into(),
                changed.modified_at.into(),
                changed.url.bare().into(),
                changed.name.as_deref().into(),
                changed.format.as_str().into(),
                secret.as_deref().into(),
                (changed.events != before.events).into(),
                serde_json::to_string(&changed.events)?.into(),
                changed.enabled.into(),
                changed.enabled_since.into(),
                changed.disabled_reason.as_deref().into(),
                changed.url.has_credentials().into(),
                url_credentials.as_deref().into(),
                ends_at.is_some().into(),
                previous_secret.as_deref().into(),
                ends_at.into(),
            ],
        )
        .await
    }

    /// Marks an endpoint as deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_delete(
        &mut self,
        organization: OrganizationId,
        id: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_endpoints SET deleted_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), now.into()],
        )
        .await
    }

    /// Whether an endpoint is deleted or does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_is_deleted(
        &mut self,
        organization: OrganizationId,
        id: WebhookEndpointId,
    ) -> Result<bool, StoreError> {
        let found = self
            .first(
                "SELECT 1 FROM webhook_endpoints WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL",
                &[organization.into(), id.into()],
                |_| Ok(()),
            )
            .await?;
        Ok(found.is_none())
    }
}
