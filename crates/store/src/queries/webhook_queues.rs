//! The queues in which the events of webhook endpoints are delivered.
//!
//! A queue is taken with a lease before anything is sent, and its row is changed before its events are, so
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
    Retries,
    /// First attempts, in the order of the events.
    FirstAttempts,
}

impl DeliveryQueue {
    pub(super) const ALL: [Self; 2] = [Self::FirstAttempts, Self::Retries];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::FirstAttempts => "first_attempts",
            Self::Retries => "retries",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }
}

/// A queue that has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueQueue {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose queue.
    pub endpoint: WebhookEndpointId,
    /// Which of the two.
    pub queue: DeliveryQueue,
}

/// What must be known to make one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedDelivery {
    /// The queue that is held for it.
    pub queue: DueQueue,
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
    /// of those organizations that have `share` queues under way, and of each no more than are left of that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_due(
        &mut self,
        now: Timestamp,
        limit: usize,
        share: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        // Nodes that look at the same time do not see what the others take, so that a share can be exceeded
        // for the length of a lease. No row is held here: over several shards nobody could.
        let (mut due, mut full) = (Vec::new(), BTreeSet::new());
        loop {
            let waiting = self.webhook_queues_due_page(now, &full).await?;
            let is_all = waiting.len() < WAITING;
            let of: BTreeSet<_> = waiting.iter().map(|queue| queue.organization).collect();
            let mut busy = self.webhook_queues_leased(now, &of).await?;
            let mut free = waiting;
            free.retain(|queue| {
                let busy = busy.entry(queue.organization).or_default();
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
            free.retain(|queue| busy.contains_key(&queue.organization));
            due.append(&mut free);
            full.extend(busy.into_keys());
        }
    }

    /// A part of the queues that are due and that nobody holds, of organizations other than these.
    async fn webhook_queues_due_page(
        &mut self,
        now: Timestamp,
        others: &BTreeSet<OrganizationId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let mut query = Query::new("SELECT organization_id, endpoint_id, queue FROM webhook_queues WHERE ");
        let now = query.param(now);
        query.push(&format!("due_at <= {now} AND (leased_until IS NULL OR leased_until <= {now})"));
        for other in filled(others) {
            let other = query.param(other);
            query.push(&format!(" AND organization_id <> {other}"));
        }
        query.push(&format!(" ORDER BY due_at, organization_id, endpoint_id, queue LIMIT {WAITING}"));
        self.all(&query.sql, &query.params, |row| {
            Ok(DueQueue {
                organization: row.get(0)?,
                endpoint: row.get(1)?,
                queue: row.named(2, DeliveryQueue::from_name)?,
            })
        })
        .await
    }

    /// How many queues of each of these organizations are held.
    async fn webhook_queues_leased(
        &mut self,
        now: Timestamp,
        organizations: &BTreeSet<OrganizationId>,
    ) -> Result<BTreeMap<OrganizationId, usize>, StoreError> {
        if organizations.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = Query::new("SELECT organization_id, count(*) FROM webhook_queues WHERE ");
        query.organizations("organization_id", &filled(organizations));
        let now = query.param(now);
        query.push(&format!(" AND leased_until > {now} GROUP BY organization_id"));
        let held = self.all(&query.sql, &query.params, |row| {
            Ok((row.get::<OrganizationId>(0)?, usize::try_from(row.get::<i64>(1)?).unwrap_or(usize::MAX)))
        });
        Ok(held.await?.into_iter().collect())
    }

    /// When a queue of any organization next has something to do that has nothing at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_next_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let due = self
            .first("SELECT min(due_at) FROM webhook_queues WHERE due_at > ?1", &[now.into()], |row| {
                row.get::<Option<Timestamp>>(0)
            })
            .await?;
        Ok(due.flatten())
    }

    /// Holds a queue that is due until `until`; answers whether it was still free. The endpoint's other queue is
    /// held as well, until the transaction ends. Nobody is waited for: what somebody else holds is not free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queue_lease(
        &mut self,
        queue: DueQueue,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let DueQueue { organization, endpoint, queue } = queue;
        let free = self.webhook_queues_select(organization, endpoint, self.for_update_skip_locked()).await?;
        if free < DeliveryQueue::ALL.len() {
            return Ok(false);
        }
        let held = self
            .execute(
                "UPDATE webhook_queues SET leased_until = ?4
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND queue = ?3
                    AND coalesce(due_at, 9223372036854775807) <= ?5 AND (leased_until IS NULL OR leased_until <= ?5)",
                &[organization.into(), endpoint.into(), queue.as_str().into(), until.into(), now.into()],
            )
            .await?;
        Ok(held > 0)
    }

    /// Leaves a queue that is due and free alone until `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queue_postpone(
        &mut self,
        queue: DueQueue,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let DueQueue { organization, endpoint, queue } = queue;
        self.execute_unawaited(
            "UPDATE webhook_queues SET due_at = ?4
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND queue = ?3
                AND coalesce(due_at, 9223372036854775807) <= ?5 AND (leased_until IS NULL OR leased_until <= ?5)",
            &[organization.into(), endpoint.into(), queue.as_str().into(), until.into(), now.into()],
        )
        .await
    }

    /// Gives a queue back, unless somebody else holds it by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queue_release(
        &mut self,
        queue: DueQueue,
        leased_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_queues SET leased_until = NULL
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND queue = ?3 AND leased_until = ?4",
            &[
                queue.organization.into(),
                queue.endpoint.into(),
                queue.queue.as_str().into(),
                leased_until.into(),
            ],
        )
        .await
    }

    /// Holds both queues of an endpoint until the transaction ends: no event is written for it meanwhile, and
    /// none taken. Whoever changes the endpoint or its events does this first. Answers whether it has queues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_lock(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
    ) -> Result<bool, StoreError> {
        Ok(self.webhook_queues_select(organization, endpoint, self.for_update()).await? > 0)
    }

    /// How many of an endpoint's queues are there for who holds them in this way.
    async fn webhook_queues_select(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        hold: &str,
    ) -> Result<usize, StoreError> {
        // Always in the same order, so that two who hold them do not wait for each other.
        let sql = format!(
            "SELECT queue FROM webhook_queues WHERE organization_id = ?1 AND endpoint_id = ?2 ORDER BY queue{hold}"
        );
        Ok(self.all(&sql, &[organization.into(), endpoint.into()], |_| Ok(())).await?.len())
    }

    /// Takes an endpoint's queues away: it is told nothing more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_delete(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM webhook_queues WHERE organization_id = ?1 AND endpoint_id = ?2",
            &[organization.into(), endpoint.into()],
        )
        .await
    }

    /// Sets when an endpoint's queues next have something to do: what waits for its first attempt is due
    /// `now`, behind every other endpoint that is due already, unless it was put off.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_reschedule(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // A statement that waited for a queue would look for events as they were before it waited, and
        // overlook the one whose writer it waited for.
        self.webhook_queues_lock(organization, endpoint).await?;
        self.execute_unawaited(
            "UPDATE webhook_queues SET due_at = CASE
                WHEN queue = 'first_attempts' AND due_at > ?3 THEN due_at
                WHEN queue = 'first_attempts' THEN (
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
        self.mark_webhooks_due();
        Ok(())
    }

    /// The endpoint and the organization's name that an event is sent with, where both are there and want it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_target(
        &mut self,
        queue: DueQueue,
    ) -> Result<Option<(WebhookEndpoint, String)>, StoreError> {
        let vault = self.vault()?;
        let columns = webhook_endpoints::COLUMNS;
        let sql = format!(
            "SELECT {columns}, (SELECT name FROM organizations WHERE id = ?1) FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL AND enabled
               AND EXISTS (SELECT 1 FROM organizations WHERE id = ?1 AND deleted_at IS NULL)"
        );
        self.first(&sql, &[queue.organization.into(), queue.endpoint.into()], |row| {
            Ok((webhook_endpoints::endpoint(row, vault)?, row.get(12)?))
        })
        .await
    }
}
