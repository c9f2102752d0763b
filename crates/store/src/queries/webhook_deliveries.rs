//! The attempts to deliver webhook events. Rows are only appended and listed.

use std::collections::HashMap;

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId};
use tenantry_core::webhook::{EventState, EventType};

use super::{Page, Paged, Query};
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Id.
    pub id: WebhookDeliveryId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The endpoint that received it.
    pub endpoint: WebhookEndpointId,
    /// The event that was sent.
    pub event: WebhookEventId,
    /// The time at which the attempt ended.
    pub created_at: Timestamp,
    /// Whether the receiver accepted the event.
    pub succeeded: bool,
    /// The HTTP status of the receiver's response.
    pub http_code: Option<u16>,
    /// The beginning of the response body, or the reason why there is no response.
    pub response: Option<String>,
}

/// One attempt with its event, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDeliveryDetails {
    /// The attempt.
    pub delivery: WebhookDelivery,
    /// The time of the event.
    pub event_created_at: Timestamp,
    /// The time of the event's last change.
    pub event_modified_at: Option<Timestamp>,
    /// The HTTP status of the response to the event's last attempt.
    pub last_http_code: Option<u16>,
    /// The state of the event's delivery.
    pub state: EventState,
    /// The body that was sent; nothing once the event is archived.
    pub payload: Option<String>,
    /// The type of the event.
    pub event_type: EventType,
    /// Whether the event is archived: its data and payload are deleted.
    pub is_archived: bool,
}

/// The filters of a list of attempts.
#[derive(Debug, Clone, Default)]
pub struct WebhookDeliveryFilter {
    /// The organizations that the caller may see.
    pub organizations: Vec<OrganizationId>,
    /// Attempts to these endpoints, deleted ones left out; attempts to every endpoint when empty.
    pub endpoints: Vec<WebhookEndpointId>,
    /// Attempts after this time.
    pub after: Option<Timestamp>,
    /// Attempts before this time.
    pub before: Option<Timestamp>,
    /// `true`: attempts that succeeded. `false`: attempts that failed.
    pub succeeded: Option<bool>,
    /// Attempts with a response status from this one to this plus 99.
    pub http_code_from: Option<i64>,
    /// Attempts for events of these types; for every type except tests when empty.
    pub event_types: Vec<EventType>,
    /// Attempts whose id, event id or status contains this text.
    pub query: Option<String>,
}

const COLUMNS: &str =
    "d.organization_id, d.id, d.endpoint_id, d.event_id, d.created_at, d.succeeded, d.http_code,
    d.response";

fn code(row: &Row<'_>, index: usize) -> Result<Option<u16>, StoreError> {
    Ok(row.get::<Option<i64>>(index)?.and_then(|code| u16::try_from(code).ok()))
}

fn delivery(row: &Row<'_>) -> Result<WebhookDelivery, StoreError> {
    Ok(WebhookDelivery {
        organization: row.get(0)?,
        id: row.get(1)?,
        endpoint: row.get(2)?,
        event: row.get(3)?,
        created_at: row.get(4)?,
        succeeded: row.get(5)?,
        http_code: code(row, 6)?,
        response: row.get(7)?,
    })
}

/// The fields of [`WebhookDeliveryDetails`] that come from the event.
#[derive(Clone)]
struct EventDetails {
    created_at: Timestamp,
    modified_at: Option<Timestamp>,
    last_http_code: Option<u16>,
    state: EventState,
    payload: Option<String>,
    event_type: EventType,
    is_archived: bool,
}

const EVENT_COLUMNS: &str = "id, created_at, modified_at, last_http_code, state, payload, type, data IS NULL";

fn event_details(row: &Row<'_>) -> Result<(WebhookEventId, EventDetails), StoreError> {
    let details = EventDetails {
        created_at: row.get(1)?,
        modified_at: row.get(2)?,
        last_http_code: code(row, 3)?,
        state: row.named(4, EventState::from_name)?,
        payload: row.get(5)?,
        event_type: row.named(6, EventType::from_name)?,
        is_archived: row.get(7)?,
    };
    Ok((row.get(0)?, details))
}

fn with_event(delivery: WebhookDelivery, event: EventDetails) -> WebhookDeliveryDetails {
    let EventDetails { created_at, modified_at, last_http_code, state, payload, event_type, is_archived } =
        event;
    WebhookDeliveryDetails {
        delivery,
        event_created_at: created_at,
        event_modified_at: modified_at,
        last_http_code,
        state,
        payload,
        event_type,
        is_archived,
    }
}

/// Adds `AND column IN (?, ..)`, unless there are no values.
fn narrow<'a>(query: &mut Query<'a>, column: &str, values: impl Iterator<Item = Param<'a>>) {
    let names: Vec<String> = values.map(|value| query.param(value)).collect();
    if !names.is_empty() {
        query.push(&format!(" AND {column} IN ({})", names.join(", ")));
    }
}

/// A `LIKE` pattern for values that contain `text`. The caller may use `%` and `_` as wildcards.
fn pattern(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\"))
}

fn filtered<'a>(filter: &'a WebhookDeliveryFilter, [id, event_id]: [String; 2]) -> Query<'a> {
    let WebhookDeliveryFilter {
        organizations,
        endpoints,
        after,
        before,
        succeeded,
        http_code_from,
        event_types,
        query: text,
    } = filter;
    let mut query = Query::new("FROM webhook_deliveries AS d WHERE ");
    query.organizations("d.organization_id", organizations);
    narrow(&mut query, "d.endpoint_id", endpoints.iter().map(|id| (*id).into()));
    if !endpoints.is_empty() {
        query.push(&format!(
            " AND EXISTS (SELECT 1 FROM webhook_endpoints AS p
                WHERE p.organization_id {tenants} AND p.organization_id = d.organization_id
                    AND p.id = d.endpoint_id AND p.deleted_at IS NULL)",
            tenants = query.tenants
        ));
    }
    let type_of_event = format!(
        "(SELECT e.type FROM webhook_events AS e
          WHERE e.organization_id {tenants} AND e.organization_id = d.organization_id AND e.id = d.event_id)",
        tenants = query.tenants
    );
    narrow(&mut query, &type_of_event, event_types.iter().map(|kind| kind.as_str().into()));
    if event_types.is_empty() {
        let test = query.param(EventType::WebhookEndpointTest.as_str());
        query.push(&format!(" AND {type_of_event} <> {test}"));
    }
    let bounds: [(&str, Option<Param<'_>>); 3] = [
        ("d.created_at >", after.map(Into::into)),
        ("d.created_at <", before.map(Into::into)),
        ("d.succeeded =", succeeded.map(Into::into)),
    ];
    for (column, bound) in bounds {
        if let Some(bound) = bound {
            let bound = query.param(bound);
            query.push(&format!(" AND {column} {bound}"));
        }
    }
    if let Some(from) = http_code_from {
        let (from, to) = (query.param(*from), query.param(*from + 99));
        query.push(&format!(" AND d.http_code BETWEEN {from} AND {to}"));
    }
    if let Some(text) = text {
        let digits = query.param(pattern(&text.replace('-', "").to_uppercase()));
        let code = query.param(pattern(text));
        query.push(&format!(
            " AND ({id} LIKE {digits} ESCAPE '\\' OR {event_id} LIKE {digits} ESCAPE '\\'
                OR CAST(d.http_code AS TEXT) LIKE {code} ESCAPE '\\')"
        ));
    }
    query
}

impl Tx<'_> {
    /// Appends an attempt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_delivery_append(&mut self, new: &WebhookDelivery) -> Result<(), StoreError> {
        let WebhookDelivery { id, organization, endpoint, event, created_at, succeeded, http_code, response } =
            new;
        self.execute_unawaited(
            "INSERT INTO webhook_deliveries
                (organization_id, id, endpoint_id, event_id, created_at, succeeded, http_code, response)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                (*organization).into(),
                (*id).into(),
                (*endpoint).into(),
                (*event).into(),
                (*created_at).into(),
                (*succeeded).into(),
                http_code.map(i64::from).into(),
                response.as_deref().into(),
            ],
        )
        .await
    }

    /// A page of the list of attempts, newest first. At most two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_deliveries(
        &mut self,
        filter: &WebhookDeliveryFilter,
        page: Page,
    ) -> Result<Paged<WebhookDeliveryDetails>, StoreError> {
        let ids = [self.id_digits("d.id"), self.id_digits("d.event_id")];
        let from = filtered(filter, ids);
        let mut query = from.selecting(COLUMNS);
        query.push(" ORDER BY d.id DESC");
        query.page(page);
        let found = self.all(&query.sql, &query.params, delivery).await?;
        let total = self.list_length(&from, page, found.len()).await?;
        let events = self.event_details(&filter.organizations, &found).await?;
        let items = found.into_iter().filter_map(|delivery| {
            let event = events.get(&delivery.event)?.clone();
            Some(with_event(delivery, event))
        });
        Ok(Paged { items: items.collect(), total })
    }

    /// The events of these attempts, in a query of their own: PostgreSQL may start a join of both tables with
    /// all events of the organization.
    async fn event_details(
        &mut self,
        organizations: &[OrganizationId],
        deliveries: &[WebhookDelivery],
    ) -> Result<HashMap<WebhookEventId, EventDetails>, StoreError> {
        if deliveries.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Query::new(format!("SELECT {EVENT_COLUMNS} FROM webhook_events WHERE "));
        query.organizations("organization_id", organizations);
        let ids: Vec<String> = deliveries.iter().map(|delivery| query.param(delivery.event)).collect();
        query.push(&format!(" AND id IN ({})", ids.join(", ")));
        Ok(self.all(&query.sql, &query.params, event_details).await?.into_iter().collect())
    }
}
