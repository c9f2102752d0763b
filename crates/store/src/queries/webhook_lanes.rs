//! The lanes in which the events of webhook endpoints are delivered.
//!
//! A lane is taken with a lease before anything is sent, and its row is changed before its events are, so
//! that an event written meanwhile is not overlooked. `docs/ARCHITECTURE.md` has the order of locks.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId};
use tenantry_core::webhook::WebhookEndpoint;

use super::{Query, webhook_endpoints};
use crate::{StoreError, Tx, WebhookEventRow};

/// Lanes that are looked at at once to find those to take.
const WAITING: usize = 256;

/// The same organizations, some of them several times, so that there are few lengths: a query is prepared for
/// each.
fn filled(organizations: &BTreeSet<OrganizationId>) -> Vec<OrganizationId> {
    let length = if organizations.is_empty() { 0 } else { organizations.len().next_power_of_two() };
    organizations.iter().copied().cycle().take(length).collect()
}

/// Which of an endpoint's events a request belongs to. They are in the order of their names, as the database
/// has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryQueue {
    /// Repeated attempts, each at its time.
    Again,
    /// First attempts, in the order of the events.
    First,
}

impl DeliveryQueue {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueQueue {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose lane.
    pub endpoint: WebhookEndpointId,
    /// Which of the two.
    pub lane: DeliveryQueue,
}

/// What must be known to make one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedDelivery {
    /// The lane that is held for it.
    pub lane: DueQueue,
    /// Until when it is held.
    pub leased_until: Timestamp,
    /// What is sent.
    pub event: WebhookEventRow,
    /// Where to.
    pub endpoint: WebhookEndpoint,
    /// The organization's name, which a notice shows.
    pub organization_name: String,
}

impl Tx<'_> {
    /// Lanes of all organizations that have something to do and that nobody holds, the longest due first; none
    /// of those organizations that have `share` lanes under way, and of each no more than are left of that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_due(
        &mut self,
        now: Timestamp,
        limit: usize,
        share: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        // Nodes that look at the same time do not see what the others take, so that a share can be exceeded
        // for the length of a lease. No row is held here: over several shards nobody could.
        let (mut due, mut full) = (Vec::new(), BTreeSet::new());
        loop {
            let waiting = self.webhook_lanes_waiting(now, &full).await?;
            let is_all = waiting.len() < WAITING;
            let of: BTreeSet<_> = waiting.iter().map(|lane| lane.organization).collect();
            let mut busy = self.webhook_lanes_busy(now, &of).await?;
            let mut free = waiting;
            free.retain(|lane| {
                let busy = busy.entry(lane.organization).or_default();
                *busy = busy.saturating_add(1);
                *busy <= share
            });
            busy.retain(|_, busy| *busy > share);
            if is_all || busy.is_empty() || due.len().saturating_add(free.len()) >= limit {
                due.append(&mut free);
                due.truncate(limit);
                return Ok(due);
            }
            // Those who have more than their share may stand before everybody else. Who is behind them?
            free.retain(|lane| busy.contains_key(&lane.organization));
            due.append(&mut free);
            full.extend(busy.into_keys());
        }
    }

    /// A part of the lanes that are due and that nobody holds, of organizations other than these.
    async fn webhook_lanes_waiting(
        &mut self,
        now: Timestamp,
        others: &BTreeSet<OrganizationId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let mut query = Query::new("SELECT organization_id, endpoint_id, lane FROM webhook_lanes WHERE ");
        let now = query.param(now);
        query.push(&format!("due_at <= {now} AND (leased_until IS NULL OR leased_until <= {now})"));
        for other in filled(others) {
            let other = query.param(other);
            query.push(&format!(" AND organization_id <> {other}"));
        }
        query.push(&format!(" ORDER BY due_at, organization_id, endpoint_id, lane LIMIT {WAITING}"));
        self.all(&query.sql, &query.params, |row| {
            Ok(DueQueue {
                organization: row.get(0)?,
                endpoint: row.get(1)?,
                lane: row.named(2, DeliveryQueue::from_name)?,
            })
        })
        .await
    }

    /// How many lanes of each of these organizations are held.
    async fn webhook_lanes_busy(
        &mut self,
        now: Timestamp,
        organizations: &BTreeSet<OrganizationId>,
    ) -> Result<BTreeMap<OrganizationId, usize>, StoreError> {
        if organizations.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = Query::new("SELECT organization_id, count(*) FROM webhook_lanes WHERE ");
        query.organizations("organization_id", &filled(organizations));
        let now = query.param(now);
        query.push(&format!(" AND leased_until > {now} GROUP BY organization_id"));
        let held = self.all(&query.sql, &query.params, |row| {
            Ok((row.get::<OrganizationId>(0)?, usize::try_from(row.get::<i64>(1)?).unwrap_or(usize::MAX)))
        });
        Ok(held.await?.into_iter().collect())
    }

    /// When a lane of any organization next has something to do that has nothing at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_next_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let due = self
            .first("SELECT min(due_at) FROM webhook_lanes WHERE due_at > ?1", &[now.into()], |row| {
                row.get::<Option<Timestamp>>(0)
            })
            .await?;
        Ok(due.flatten())
    }

    /// Holds a lane that is due until `until`; answers whether it was still free. The endpoint's other lane is
    /// held as well, until the transaction ends. Nobody is waited for: what somebody else holds is not free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_lease(
        &mut self,
        lane: DueQueue,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let DueQueue { organization, endpoint, lane } = lane;
        let free = self.webhook_lanes_found(organization, endpoint, self.for_update_of_free()).await?;
        if free < DeliveryQueue::ALL.len() {
            return Ok(false);
        }
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

    /// Leaves a lane that is due and free alone until `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_put_off(
        &mut self,
        lane: DueQueue,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let DueQueue { organization, endpoint, lane } = lane;
        self.submit(
            "UPDATE webhook_lanes SET due_at = ?4
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND lane = ?3
                AND due_at <= ?5 AND (leased_until IS NULL OR leased_until <= ?5)",
            &[organization.into(), endpoint.into(), lane.as_str().into(), until.into(), now.into()],
        )
        .await
    }

    /// Gives a lane back, unless somebody else holds it by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lane_release(
        &mut self,
        lane: DueQueue,
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
    /// none taken. Whoever changes the endpoint or its events does this first. Answers whether it has lanes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_hold(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
    ) -> Result<bool, StoreError> {
        Ok(self.webhook_lanes_found(organization, endpoint, self.for_update()).await? > 0)
    }

    /// How many of an endpoint's lanes are there for who holds them in this way.
    async fn webhook_lanes_found(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        hold: &str,
    ) -> Result<usize, StoreError> {
        // Always in the same order, so that two who hold them do not wait for each other.
        let sql = format!(
            "SELECT lane FROM webhook_lanes WHERE organization_id = ?1 AND endpoint_id = ?2 ORDER BY lane{hold}"
        );
        Ok(self.all(&sql, &[organization.into(), endpoint.into()], |_| Ok(())).await?.len())
    }

    /// Takes an endpoint's lanes away: it is told nothing more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_lanes_delete(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
    ) -> Result<(), StoreError> {
        self.submit(
            "DELETE FROM webhook_lanes WHERE organization_id = ?1 AND endpoint_id = ?2",
            &[organization.into(), endpoint.into()],
        )
        .await
    }

    /// Sets when an endpoint's lanes next have something to do: what waits for its first attempt is due
    /// `now`, behind every other endpoint that is due already, unless it was put off.
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
            "UPDATE webhook_lanes SET due_at = CASE
                WHEN lane = 'first' AND due_at > ?3 THEN due_at
                WHEN lane = 'first' THEN (
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

    /// The endpoint and the organization's name that an event is sent with, where both are there and want it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_target(
        &mut self,
        lane: DueQueue,
    ) -> Result<Option<(WebhookEndpoint, String)>, StoreError> {
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
