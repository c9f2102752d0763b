//! Webhook endpoints of organizations.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId};
use tenantry_core::webhook::{Endpoint, EndpointUrl, EventType, Format, Secret};

use super::{Page, Paged, Query, count};
use crate::sql::Row;
use crate::{StoreError, Tx, WebhookLane};

pub(super) const COLUMNS: &str = "organization_id, id, created_at, modified_at, url, name, format, secret,
    events, enabled, enabled_since, disabled_reason";

pub(super) fn endpoint(row: &Row<'_>) -> Result<Endpoint, StoreError> {
    Ok(Endpoint {
        organization: row.get(0)?,
        id: row.get(1)?,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        url: EndpointUrl::stored(row.get(4)?),
        name: row.get(5)?,
        format: row.named(6, Format::from_name)?,
        secret: Secret::stored(row.get(7)?),
        events: row.parse(8, |text| serde_json::from_str::<Vec<EventType>>(text))?,
        enabled: row.get(9)?,
        enabled_since: row.get(10)?,
        disabled_reason: row.get(11)?,
    })
}

impl Tx<'_> {
    /// The endpoint of this id, held until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint(
        &mut self,
        organization: OrganizationId,
        id: WebhookEndpointId,
    ) -> Result<Option<Endpoint>, StoreError> {
        let hold = self.for_update();
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL{hold}"
        );
        self.first(&sql, &[organization.into(), id.into()], endpoint).await
    }

    /// The endpoints of an organization that are told of such an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoints_listening(
        &mut self,
        organization: OrganizationId,
        event_type: EventType,
    ) -> Result<Vec<WebhookEndpointId>, StoreError> {
        const SQL: &str = "SELECT id, events FROM webhook_endpoints
             WHERE organization_id = ?1 AND deleted_at IS NULL AND enabled ORDER BY id";
        let all = self
            .all(SQL, &[organization.into()], |row| {
                let events = row.parse(1, |text| serde_json::from_str::<Vec<EventType>>(text))?;
                Ok((row.get::<WebhookEndpointId>(0)?, events))
            })
            .await?;
        let listening = all.into_iter().filter(|(_, events)| events.contains(&event_type));
        Ok(listening.map(|(id, _)| id).collect())
    }

    /// A part of the list of endpoints, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoints(
        &mut self,
        organizations: &[OrganizationId],
        page: Page,
    ) -> Result<Paged<Endpoint>, StoreError> {
        let mut query = Query::new("FROM webhook_endpoints WHERE deleted_at IS NULL AND ");
        query.organizations("organization_id", organizations);
        let counted = format!("SELECT count(*) {}", query.sql);
        let total = self.first(&counted, &query.params, |row| row.get::<i64>(0)).await?;
        query.sql.insert_str(0, &format!("SELECT {COLUMNS} "));
        query.push(" ORDER BY id DESC");
        query.page(page);
        let items = self.all(&query.sql, &query.params, endpoint).await?;
        Ok(Paged { items, total: count(total.unwrap_or(0)) })
    }

    /// Stores a new endpoint and its lanes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_insert(&mut self, new: &Endpoint) -> Result<(), StoreError> {
        let Endpoint { id, organization, created_at, .. } = new;
        self.execute(
            "INSERT INTO webhook_endpoints
                (organization_id, id, created_at, modified_at, url, name, format, secret, events, enabled,
                 enabled_since, disabled_reason)
             VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            &[
                (*organization).into(),
                (*id).into(),
                (*created_at).into(),
                new.url.as_str().into(),
                new.name.as_deref().into(),
                new.format.as_str().into(),
                new.secret.as_str().into(),
                serde_json::to_string(&new.events)?.into(),
                new.enabled.into(),
                new.enabled_since.into(),
                new.disabled_reason.as_deref().into(),
            ],
        )
        .await?;
        for lane in WebhookLane::ALL {
            self.execute(
                "INSERT INTO webhook_lanes (organization_id, endpoint_id, lane, last_sequence)
                 VALUES (?1, ?2, ?3, 0)",
                &[(*organization).into(), (*id).into(), lane.as_str().into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Stores an endpoint as it is now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_update(&mut self, changed: &Endpoint) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_endpoints
             SET modified_at = ?3, url = ?4, name = ?5, format = ?6, secret = ?7, events = ?8, enabled = ?9,
                 enabled_since = ?10, disabled_reason = ?11
             WHERE organization_id = ?1 AND id = ?2",
            &[
                changed.organization.into(),
                changed.id.into(),
                changed.modified_at.into(),
                changed.url.as_str().into(),
                changed.name.as_deref().into(),
                changed.format.as_str().into(),
                changed.secret.as_str().into(),
                serde_json::to_string(&changed.events)?.into(),
                changed.enabled.into(),
                changed.enabled_since.into(),
                changed.disabled_reason.as_deref().into(),
            ],
        )
        .await
        .map(|_| ())
    }

    /// Marks an endpoint as deleted and takes its lanes away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_endpoint_delete(
        &mut self,
        organization: OrganizationId,
        id: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_endpoints SET deleted_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), now.into()],
        )
        .await?;
        self.execute(
            "DELETE FROM webhook_lanes WHERE organization_id = ?1 AND endpoint_id = ?2",
            &[organization.into(), id.into()],
        )
        .await
        .map(|_| ())
    }
}
