//! The lanes in which the events of webhook endpoints are delivered.
//!
//! A lane is taken with a lease before anything is sent, and its row is changed before its events are, so
//! that an event written meanwhile is not overlooked.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId};
use tenantry_core::webhook::Endpoint;

use super::webhook_endpoints;
use crate::{StoreError, Tx, WebhookEventRow};

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

impl Tx<'_> {
    /// Lanes of all organizations that have something to do and that nobody holds, the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_due(
        &mut self,
        now: Timestamp,
        limit: i64,
        share: i64,
    ) -> Result<Vec<WebhookLaneDue>, StoreError> {
        // What an organization has under way counts against its share: a lane that is held stays due, so held
        // ones take the first places. One whose endpoint is switched off meanwhile does not count any more, and
        // nodes that look at the same time do not see what the others take, so that a share can be exceeded for
        // the length of a lease. No row is held here: over several shards nobody could.
        const SQL: &str = "SELECT organization_id, endpoint_id, lane FROM (
                SELECT organization_id, endpoint_id, lane, due_at, leased_until,
                    row_number() OVER (
                        PARTITION BY organization_id
                        ORDER BY CASE WHEN leased_until > ?1 THEN 0 ELSE 1 END, due_at) AS place
                FROM webhook_lanes WHERE due_at <= ?1) AS due
             WHERE place <= ?3 AND (leased_until IS NULL OR leased_until <= ?1) ORDER BY due_at LIMIT ?2";
        self.all(SQL, &[now.into(), limit.into(), share.into()], |row| {
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

    /// Holds a lane that is due until `until`; answers whether it was still free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_lease(
        &mut self,
        lane: WebhookLaneDue,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let WebhookLaneDue { organization, endpoint, lane } = lane;
        let held = self
            .execute(
                "UPDATE webhook_lanes SET leased_until = ?4
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3
                    AND due_at <= ?5 AND (leased_until IS NULL OR leased_until <= ?5)",
                &[organization.into(), endpoint.into(), lane.as_str().into(), until.into(), now.into()],
            )
            .await?;
        Ok(held > 0)
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
        self.submit(
            "UPDATE webhook_lanes SET leased_until = NULL
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3 AND leased_until = ?4",
            &[lane.organization.into(), lane.endpoint.into(), lane.lane.as_str().into(), leased_until.into()],
        )
        .await
    }

    /// Holds both lanes of an endpoint until the transaction ends: no event is written for it meanwhile, and
    /// none taken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_hold(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
    ) -> Result<(), StoreError> {
        // Always in the same order, so that two who hold them do not wait for each other.
        let sql = format!(
            "SELECT lane FROM webhook_lanes WHERE organization_id = ?1 AND endpoint_id = ?2 ORDER BY lane{}",
            self.for_update()
        );
        self.all(&sql, &[organization.into(), endpoint.into()], |_| Ok(())).await.map(|_| ())
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
        // A statement that waited for a lane would look for events as they were before it waited, and
        // overlook the one whose writer it waited for.
        self.webhook_lanes_hold(organization, endpoint).await?;
        self.submit(
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

    /// The endpoint and the organization's name that an event is sent with, where both are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_target(
        &mut self,
        lane: WebhookLaneDue,
    ) -> Result<Option<(Endpoint, String)>, StoreError> {
        let vault = self.vault()?;
        let columns = webhook_endpoints::COLUMNS;
        let sql = format!(
            "SELECT {columns}, (SELECT name FROM organizations WHERE id = ?1) FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL AND enabled
               AND EXISTS (SELECT 1 FROM organizations WHERE id = ?1 AND deleted_at IS NULL)"
        );
        self.first(&sql, &[lane.organization.into(), lane.endpoint.into()], |row| {
            Ok((webhook_endpoints::endpoint(row, vault)?, row.get(12)?))
        })
        .await
    }
}
