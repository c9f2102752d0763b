//! The queues in which the events of webhook endpoints are delivered.
//!
//! A worker leases a queue before it sends anything. A transaction changes the queue's row before it changes
//! the events of that queue, so that it sees an event that another transaction writes at the same time.
//!
//! | rows of `webhook_queues` | meaning |
//! |---|---|
//! | `due_at` | the time from which a worker may lease the queue; null while there is nothing to deliver |
//! | `leased_until` | the end of the lease; null or in the past while the queue is free |
//!
//! An endpoint has one queue of each [`DeliveryQueue`]. The end of a lease also identifies it: a worker
//! releases a queue only while `leased_until` still has the worker's own value. `docs/ARCHITECTURE.md` has
//! the order of locks.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId, WebhookEndpointId};
use tenantry_core::webhook::WebhookEndpoint;

use super::{Query, repeated, webhook_endpoints};
use crate::{StoreError, Tx, WebhookEventRow};

/// Due queues that one query reads.
const WAITING: usize = 256;

/// One of the two queues of a webhook endpoint. The order of the variants is the order in which they are locked; in SQL
/// it is the descending order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryQueue {
    /// Repeated attempts, each due at a time of its own.
    Retries,
    /// First attempts, in the order of the events' sequence numbers.
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

/// The queue of an endpoint that has an attempt to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueQueue {
    /// The tenant.
    pub organization: OrganizationId,
    /// The endpoint that receives the events.
    pub endpoint: WebhookEndpointId,
    /// The endpoint's queue.
    pub queue: DeliveryQueue,
}

/// A leased queue and the data of its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedDelivery {
    /// The leased queue.
    pub queue: DueQueue,
    /// The end of the lease.
    pub leased_until: Timestamp,
    /// The event to send.
    pub event: WebhookEventRow,
    /// The receiver.
    pub endpoint: WebhookEndpoint,
    /// The organization's name, which the chat formats show.
    pub organization_name: String,
    /// The organization's owner, whose requests are counted together.
    pub owner: UserId,
}

/// The queues of one organization, as a worker finds them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationQueues {
    /// The queues that a worker can lease now, the one that has been due longest first.
    pub due: Vec<DueQueue>,
    /// The owner of the organization. Absent if it has no queue with work.
    pub owner: Option<UserId>,
    /// The earliest time after now at which another queue becomes due.
    pub next_due: Option<Timestamp>,
}

impl Tx<'_> {
    /// The queues that a worker can lease now, of all organizations, the one that has been due longest first.
    /// The organizations of one owner get at most `share` queues together, those that are leased already included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_due(
        &mut self,
        now: Timestamp,
        limit: usize,
        share: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        // Nodes that run this at the same time do not see each other's choice, so an owner can exceed
        // its share for the length of a lease. Locks cannot prevent this: PostgreSQL cannot lock rows of
        // several shards.
        let (mut due, mut full) = (Vec::new(), BTreeSet::new());
        loop {
            let waiting = self.webhook_queues_due_page(now, &full).await?;
            let is_all = waiting.len() < WAITING;
            let of: BTreeSet<_> = waiting.iter().map(|(_, owner)| *owner).collect();
            let mut busy = self.webhook_queues_leased(now, &of).await?;
            let mut free = waiting;
            free.retain(|(_, owner)| {
                let busy = busy.entry(*owner).or_default();
                *busy = busy.saturating_add(1);
                *busy <= share
            });
            busy.retain(|_, busy| *busy > share);
            if is_all || busy.is_empty() || due.len().saturating_add(free.len()) >= limit {
                due.extend(free.into_iter().map(|(queue, _)| queue));
                due.truncate(limit);
                return Ok(due);
            }
            // Owners above their share may fill the whole page. The next page leaves them out.
            free.retain(|(_, owner)| busy.contains_key(owner));
            due.extend(free.into_iter().map(|(queue, _)| queue));
            full.extend(busy.into_keys());
        }
    }

    /// The queues of one organization. With Citus, one shard has them all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_of(
        &mut self,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<OrganizationQueues, StoreError> {
        let sql = "SELECT endpoint_id, queue, owner_user_id, due_at, leased_until FROM webhook_queues
             WHERE organization_id = ?1 AND coalesce(due_at, 9223372036854775807) < 9223372036854775807";
        let mut found = OrganizationQueues::default();
        let params = [organization.into()];
        let waiting = self.all(sql, &params, |row| {
            let queue = DueQueue {
                organization,
                endpoint: row.get(0)?,
                queue: row.named(1, DeliveryQueue::from_name)?,
            };
            found.owner = Some(row.get(2)?);
            Ok((queue, row.get::<Timestamp>(3)?, row.get::<Option<Timestamp>>(4)?))
        });
        let mut waiting = waiting.await?;
        waiting.sort_unstable_by_key(|(queue, due_at, _)| (*due_at, *queue));
        for (queue, due_at, leased_until) in waiting {
            if due_at > now {
                found.next_due = found.next_due.or(Some(due_at));
            } else if leased_until.is_none_or(|until| until <= now) {
                found.due.push(queue);
            }
        }
        Ok(found)
    }

    /// The first [`WAITING`] queues that are due and free, with the owners of their organizations, except the queues of
    /// the owners in `others`.
    async fn webhook_queues_due_page(
        &mut self,
        now: Timestamp,
        others: &BTreeSet<UserId>,
    ) -> Result<Vec<(DueQueue, UserId)>, StoreError> {
        let mut query = Query::new(
            "SELECT organization_id, endpoint_id, queue, owner_user_id FROM webhook_queues WHERE ",
        );
        let now = query.param(now);
        query.push(&format!("due_at <= {now} AND (leased_until IS NULL OR leased_until <= {now})"));
        for other in repeated(others.iter().copied()) {
            let other = query.param(other);
            query.push(&format!(" AND owner_user_id <> {other}"));
        }
        query.push(&format!(" ORDER BY due_at, organization_id, endpoint_id, queue DESC LIMIT {WAITING}"));
        self.all(&query.sql, &query.params, |row| {
            let queue = DueQueue {
                organization: row.get(0)?,
                endpoint: row.get(1)?,
                queue: row.named(2, DeliveryQueue::from_name)?,
            };
            Ok((queue, row.get(3)?))
        })
        .await
    }

    /// The number of leased queues of each of these owners.
    async fn webhook_queues_leased(
        &mut self,
        now: Timestamp,
        owners: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, usize>, StoreError> {
        if owners.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query =
            Query::new("SELECT owner_user_id, count(*) FROM webhook_queues WHERE leased_until > ");
        let now = query.param(now);
        let owners: Vec<String> =
            repeated(owners.iter().copied()).into_iter().map(|owner| query.param(owner)).collect();
        query.push(&format!("{now} AND owner_user_id IN ({}) GROUP BY owner_user_id", owners.join(", ")));
        let held = self.all(&query.sql, &query.params, |row| {
            Ok((row.get::<UserId>(0)?, usize::try_from(row.get::<i64>(1)?).unwrap_or(usize::MAX)))
        });
        Ok(held.await?.into_iter().collect())
    }

    /// Counts the queues of an organization's endpoints for another owner. The rows stay locked until the transaction
    /// ends.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn webhook_queues_update_owner(
        &mut self,
        organization: OrganizationId,
        owner: UserId,
    ) -> Result<(), StoreError> {
        // An UPDATE alone would lock the rows in an order of its own.
        let sql = format!(
            "SELECT 1 FROM webhook_queues WHERE organization_id = ?1 ORDER BY endpoint_id, queue DESC{}",
            self.for_update()
        );
        self.all(&sql, &[organization.into()], |_| Ok(())).await?;
        self.execute_unawaited(
            "UPDATE webhook_queues SET owner_user_id = ?2 WHERE organization_id = ?1",
            &[organization.into(), owner.into()],
        )
        .await
    }

    /// Leases a queue until `until`, if it is due and free; returns whether it did. The rows of both queues
    /// of the endpoint stay locked until the transaction ends. This never waits: a queue whose row another
    /// transaction has locked counts as leased.
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

    /// Makes a queue due at `until` and not before, if it is due and free now.
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

    /// Ends a lease, unless it has expired and another worker has leased the queue.
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
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND queue = ?3 AND coalesce(leased_until, 0) = ?4",
            &[
                queue.organization.into(),
                queue.endpoint.into(),
                queue.queue.as_str().into(),
                leased_until.into(),
            ],
        )
        .await
    }

    /// Locks both queues of an endpoint until the transaction ends; returns whether the endpoint has queues.
    /// Meanwhile no transaction adds an event for the endpoint or leases its queues. A transaction that
    /// changes the endpoint or its events calls this first.
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

    /// The number of an endpoint's queues that a `SELECT` with the locking clause `hold` finds.
    async fn webhook_queues_select(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        hold: &str,
    ) -> Result<usize, StoreError> {
        // Always in the same order, so that two transactions that lock them do not deadlock.
        let sql = format!(
            "SELECT queue FROM webhook_queues WHERE organization_id = ?1 AND endpoint_id = ?2 ORDER BY queue DESC{hold}"
        );
        Ok(self.all(&sql, &[organization.into(), endpoint.into()], |_| Ok(())).await?.len())
    }

    /// Deletes an endpoint's queues. The endpoint gets no more events.
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

    /// Sets the due time of an endpoint's queues from its events. The queue of first attempts is due `now`
    /// where an event is pending, so it is leased after the queues that are due already. If it was postponed,
    /// it stays postponed. The queue of retries is due at its earliest retry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_reschedule(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The locks come first. An `UPDATE` that waits for a lock reads the events as they were before the
        // wait, and misses an event that the other transaction wrote.
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
        self.mark_webhooks_due(organization);
        Ok(())
    }

    /// The endpoint of a queue, and the name and owner of its organization. `None` when the endpoint is deleted or
    /// disabled. It is found in a deleted organization too, whose last events are delivered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_target(
        &mut self,
        queue: DueQueue,
    ) -> Result<Option<(WebhookEndpoint, String, UserId)>, StoreError> {
        let vault = self.vault()?;
        let columns = webhook_endpoints::COLUMNS;
        let sql = format!(
            "SELECT {columns}, (SELECT name FROM organizations WHERE id = ?1),
                (SELECT owner_user_id FROM organizations WHERE id = ?1) FROM webhook_endpoints
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL AND enabled"
        );
        self.first(&sql, &[queue.organization.into(), queue.endpoint.into()], |row| {
            let (name, owner) = (webhook_endpoints::COLUMN_COUNT, webhook_endpoints::COLUMN_COUNT + 1);
            Ok((webhook_endpoints::endpoint(row, vault)?, row.get(name)?, row.get(owner)?))
        })
        .await
    }
}
