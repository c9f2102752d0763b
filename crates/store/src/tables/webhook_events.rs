//! Events for webhook endpoints, and the lanes in which they are delivered.
//!
//! A lane is taken with a lease before anything is sent, and its row is read for update before its events
//! are, so that an event written meanwhile is not overlooked.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, OrganizationId, WebhookEndpointId, WebhookEventId};
use tenantry_core::webhook::{Endpoint, Event, EventData, EventState, EventType};

use super::{count, webhook_endpoints};
use crate::sql::Row;
use crate::{StoreError, Tx};

/// Which of an endpoint's events a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookLane {
    /// First attempts, in the order of the events.
    First,
    /// Repeated attempts, each at its time.
    Again,
}

impl WebhookLane {
    pub(super) const ALL: [Self; 2] = [Self::First, Self::Again];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Again => "again",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

/// A lane that has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WebhookLaneDue {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose lane.
    pub endpoint: WebhookEndpointId,
    /// Which of the two.
    pub lane: WebhookLane,
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEventRow {
    /// The event; nothing of what happened is left once it is archived.
    pub id: WebhookEventId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whom it is told.
    pub endpoint: WebhookEndpointId,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// To what.
    pub data: Option<EventData>,
    /// The text that is sent, once there was an attempt.
    pub payload: Option<String>,
    /// How far it has come.
    pub state: EventState,
    /// Attempts made.
    pub attempts: u32,
}

impl WebhookEventRow {
    /// The event, unless it is archived.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        let data = self.data.clone()?;
        let Self { id, organization, endpoint, created_at, event_type, .. } = *self;
        Some(Event { id, organization, endpoint, created_at, event_type, data })
    }
}

/// What must be known to make one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookClaim {
    /// The lane that is held for it.
    pub lane: WebhookLaneDue,
    /// Until when it is held.
    pub leased_until: Timestamp,
    /// What is sent.
    pub event: WebhookEventRow,
    /// Where to.
    pub endpoint: Endpoint,
    /// The organization's name, which a notice shows.
    pub organization_name: String,
}

const COLUMNS: &str = "organization_id, id, endpoint_id, created_at, type, data, payload, state, attempts";

fn event(row: &Row<'_>) -> Result<WebhookEventRow, StoreError> {
    Ok(WebhookEventRow {
        organization: row.get(0)?,
        id: row.get(1)?,
        endpoint: row.get(2)?,
        created_at: row.get(3)?,
        event_type: row.named(4, EventType::from_name)?,
        data: row.parse_optional(5, EventData::from_image)?,
        payload: row.get(6)?,
        state: row.named(7, EventState::from_name)?,
        attempts: u32::try_from(count(row.get(8)?)).unwrap_or(u32::MAX),
    })
}

impl Tx<'_> {
    /// Stores an event, last in its endpoint's order, and has its first attempt made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_insert(&mut self, new: &Event) -> Result<(), StoreError> {
        let Event { id, organization, endpoint, created_at, event_type, data } = new;
        let sequence = self
            .first(
                "UPDATE webhook_lanes
                 SET last_sequence = last_sequence + 1, due_at = coalesce(due_at, ?4)
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3 RETURNING last_sequence",
                &[
                    (*organization).into(),
                    (*endpoint).into(),
                    WebhookLane::First.as_str().into(),
                    (*created_at).into(),
                ],
                |row| row.get::<i64>(0),
            )
            .await?;
        // Without a lane the endpoint was deleted meanwhile.
        let Some(sequence) = sequence else { return Ok(()) };
        self.execute(
            "INSERT INTO webhook_events
                (organization_id, id, endpoint_id, sequence, created_at, type, subject_id, data, state, attempts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', 0)",
            &[
                (*organization).into(),
                (*id).into(),
                (*endpoint).into(),
                sequence.into(),
                (*created_at).into(),
                event_type.as_str().into(),
                data.about().into(),
                data.image()?.into(),
            ],
        )
        .await?;
        self.touch_webhooks();
        Ok(())
    }

    /// The event of this id, held until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event(
        &mut self,
        organization: OrganizationId,
        id: WebhookEventId,
    ) -> Result<Option<WebhookEventRow>, StoreError> {
        let hold = self.for_update();
        let sql =
            format!("SELECT {COLUMNS} FROM webhook_events WHERE organization_id = ?1 AND id = ?2{hold}");
        self.first(&sql, &[organization.into(), id.into()], event).await
    }

    /// Lanes of all organizations that have something to do and that nobody holds, the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_due(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<WebhookLaneDue>, StoreError> {
        let hold = self.for_update();
        let sql = format!(
            "SELECT organization_id, endpoint_id, lane FROM webhook_lanes
             WHERE due_at <= ?1 AND (leased_until IS NULL OR leased_until <= ?1)
             ORDER BY due_at LIMIT ?2{hold}"
        );
        self.all(&sql, &[now.into(), limit.into()], |row| {
            Ok(WebhookLaneDue {
                organization: row.get(0)?,
                endpoint: row.get(1)?,
                lane: row.named(2, WebhookLane::from_name)?,
            })
        })
        .await
    }

    /// When a lane of any organization next has something to do, or is no longer held, after `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_next_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let due = self
            .first("SELECT min(due_at) FROM webhook_lanes WHERE due_at > ?1", &[now.into()], |row| {
                row.get::<Option<Timestamp>>(0)
            })
            .await?;
        let freed = self
            .first(
                "SELECT min(leased_until) FROM webhook_lanes WHERE due_at <= ?1 AND leased_until > ?1",
                &[now.into()],
                |row| row.get::<Option<Timestamp>>(0),
            )
            .await?;
        Ok(due.flatten().into_iter().chain(freed.flatten()).min())
    }

    /// The event that a lane delivers next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_next(
        &mut self,
        lane: WebhookLaneDue,
        now: Timestamp,
    ) -> Result<Option<WebhookEventRow>, StoreError> {
        let which = match lane.lane {
            WebhookLane::First => "state = 'pending' AND due_at IS NULL AND ?3 IS NOT NULL ORDER BY sequence",
            WebhookLane::Again => "due_at IS NOT NULL AND due_at <= ?3 ORDER BY due_at, sequence",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_events
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND {which} LIMIT 1"
        );
        self.first(&sql, &[lane.organization.into(), lane.endpoint.into(), now.into()], event).await
    }

    /// Holds a lane until `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_lease(
        &mut self,
        lane: WebhookLaneDue,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_lanes SET leased_until = ?4
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3",
            &[lane.organization.into(), lane.endpoint.into(), lane.lane.as_str().into(), until.into()],
        )
        .await
        .map(|_| ())
    }

    /// Gives a lane back, unless somebody else holds it by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_release(
        &mut self,
        lane: WebhookLaneDue,
        leased_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_lanes SET leased_until = NULL
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3 AND leased_until = ?4",
            &[lane.organization.into(), lane.endpoint.into(), lane.lane.as_str().into(), leased_until.into()],
        )
        .await
        .map(|_| ())
    }

    /// Sets when an endpoint's lanes next have something to do: what waits for its first attempt is due
    /// `now`, behind every other endpoint that is due already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_settle(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_lanes SET due_at = CASE lane
                WHEN 'first' THEN (
                    SELECT ?3 FROM webhook_events
                    WHERE organization_id = ?1 AND endpoint_id = ?2 AND state = 'pending' AND due_at IS NULL
                    LIMIT 1)
                ELSE (
                    SELECT min(webhook_events.due_at) FROM webhook_events
                    WHERE organization_id = ?1 AND endpoint_id = ?2 AND webhook_events.due_at IS NOT NULL)
                END
             WHERE organization_id = ?1 AND endpoint_id = ?2",
            &[organization.into(), endpoint.into(), now.into()],
        )
        .await?;
        self.touch_webhooks();
        Ok(())
    }

    /// Stores what an attempt made of an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_attempted(
        &mut self,
        event: &WebhookEventRow,
        last_http_code: Option<u16>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let completed = matches!(event.state, EventState::Succeeded | EventState::Failed);
        self.execute(
            "UPDATE webhook_events
             SET modified_at = ?3, payload = CASE WHEN data IS NULL THEN NULL ELSE ?4 END, state = ?5,
                 attempts = ?6, last_http_code = ?7, due_at = ?8,
                 completed_at = CASE WHEN ?9 THEN coalesce(completed_at, ?3) END
             WHERE organization_id = ?1 AND id = ?2",
            &[
                event.organization.into(),
                event.id.into(),
                now.into(),
                event.payload.as_deref().into(),
                event.state.as_str().into(),
                i64::from(event.attempts).into(),
                last_http_code.map(i64::from).into(),
                due_at.into(),
                completed.into(),
            ],
        )
        .await
        .map(|_| ())
    }

    /// Has an event sent once more, now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_again(
        &mut self,
        event: &WebhookEventRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE webhook_events SET state = ?3, due_at = ?4 WHERE organization_id = ?1 AND id = ?2",
            &[event.organization.into(), event.id.into(), event.state.as_str().into(), now.into()],
        )
        .await?;
        self.webhook_lanes_settle(event.organization, event.endpoint, now).await
    }

    /// The states of the events of an endpoint that came to an end since `since`, the newest event first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_completed(
        &mut self,
        endpoint: &Endpoint,
        limit: usize,
    ) -> Result<Vec<EventState>, StoreError> {
        let Endpoint { organization, id, enabled_since, .. } = endpoint;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(
            "SELECT state FROM webhook_events
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND completed_at IS NOT NULL
               AND completed_at >= ?3
             ORDER BY sequence DESC LIMIT ?4",
            &[(*organization).into(), (*id).into(), (*enabled_since).into(), limit.into()],
            |row| row.named(0, EventState::from_name),
        )
        .await
    }

    /// Gives up the events of an endpoint that nobody took yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_skip(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for which in ["state = 'pending' AND due_at IS NULL", "due_at IS NOT NULL"] {
            let sql = format!(
                "UPDATE webhook_events
                 SET state = CASE state WHEN 'pending' THEN 'skipped' ELSE state END, due_at = NULL,
                     modified_at = ?3
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND {which}"
            );
            self.execute(&sql, &[organization.into(), endpoint.into(), now.into()]).await?;
        }
        self.webhook_lanes_settle(organization, endpoint, now).await
    }

    /// Forgets what a few events of all organizations told that happened before `before`; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_archive(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        self.execute(
            "UPDATE webhook_events SET data = NULL, payload = NULL
             WHERE (organization_id, id) IN (
                SELECT organization_id, id FROM webhook_events
                WHERE data IS NOT NULL AND created_at < ?1 ORDER BY created_at LIMIT ?2)",
            &[before.into(), limit.into()],
        )
        .await
    }

    /// Forgets what events told of a customer, its members included, once nothing more is sent of them;
    /// answers how many that were. Events that are still pending tell what they have to first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_forget(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<usize, StoreError> {
        self.execute(
            "UPDATE webhook_events SET data = NULL, payload = NULL, due_at = NULL
             WHERE organization_id = ?1 AND subject_id = ?2 AND data IS NOT NULL AND state <> 'pending'",
            &[organization.into(), customer.into()],
        )
        .await
    }

    /// The endpoint and the organization's name that an event is sent with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_target(
        &mut self,
        lane: WebhookLaneDue,
    ) -> Result<Option<(Endpoint, String)>, StoreError> {
        let columns = webhook_endpoints::COLUMNS;
        let sql = format!(
            "SELECT {columns}, (SELECT name FROM organizations WHERE id = ?1) FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL AND enabled"
        );
        self.first(&sql, &[lane.organization.into(), lane.endpoint.into()], |row| {
            Ok((webhook_endpoints::endpoint(row)?, row.get(12)?))
        })
        .await
    }
}
