//! Webhook delivery: leasing due queues, and recording the result of an attempt.
//!
//! An endpoint has two queues, for first attempts and for retries. Each sends one event at a time.
//!
//! | state of a queue | condition | next |
//! |---|---|---|
//! | idle | no pending event | due with the next event |
//! | due | the next event's time is reached | a worker leases it |
//! | leased | the lease lasts [`limits::WEBHOOK_LEASE_S`] | the attempt is recorded: due or idle |
//! | expired | the lease is over, nothing is recorded | due: another worker leases it |
//! | unreadable | an error while leasing | due again after [`limits::UNREADABLE_RETRY_S`] |
//!
//! A worker records an attempt and releases its lease in one transaction. A release names the end of the lease, so
//! that a slow worker does not release the lease of its successor. A worker that crashes between request and commit
//! causes a second request with the same event id and payload: delivery is at least once. Queues are always locked
//! before events, and several queues in their sort order, so that transactions do not deadlock.

use std::collections::BTreeSet;

use tenantry_core::ids::{OrganizationId, UserId, WebhookDeliveryId};
use tenantry_core::mail::MailContent;
use tenantry_core::webhook::{
    self, DeliveryFacts, DeliveryOutcome, EventState, FAILURES_TO_DISABLE, FAILURES_TO_WARN, WebhookError,
};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{
    DueQueue, LeasedDelivery, OrganizationQueues, Party, StoreError, Tx, UseCase, WebhookDelivery,
};

use crate::{App, Error, Requester, limits, mails};

/// Leases the queues that no other worker has leased meanwhile. Returns the next event of each.
struct LeaseQueues(Vec<DueQueue>);

impl UseCase for LeaseQueues {
    type Output = Vec<LeasedDelivery>;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Vec<LeasedDelivery>, StoreError> {
        let now = context.now();
        let leased_until = now.plus_seconds(limits::WEBHOOK_LEASE_S);
        let mut claims = Vec::new();
        for queue in self.0.iter().copied() {
            if !tx.webhook_queue_lease(queue, now, leased_until).await? {
                continue;
            }
            let Some((endpoint, organization_name, owner)) = tx.webhook_target(queue).await? else {
                super::skip(tx, context, queue.organization, queue.endpoint).await?;
                tx.webhook_queue_release(queue, leased_until).await?;
                continue;
            };
            if endpoint.secret.is_none() || endpoint.url.target().is_none() {
                return Err(StoreError::Unexpected(
                    "the secrets of an endpoint cannot be opened with this key".into(),
                ));
            }
            let Some(event) = tx.webhook_queue_next_event(queue, now).await? else {
                tx.webhook_queues_reschedule(queue.organization, queue.endpoint, now).await?;
                tx.webhook_queue_release(queue, leased_until).await?;
                continue;
            };
            claims.push(LeasedDelivery { queue, leased_until, event, endpoint, organization_name, owner });
        }
        Ok(claims)
    }
}

/// Postpones a queue that cannot be read, for [`limits::UNREADABLE_RETRY_S`].
struct PostponeQueue(DueQueue);

impl UseCase for PostponeQueue {
    type Output = ();
    type Error = StoreError;

    fn party(&self) -> Party {
        Party::organization(self.0.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        let now = context.now();
        tx.webhook_queue_postpone(self.0, now, now.plus_seconds(limits::UNREADABLE_RETRY_S)).await
    }
}

/// Records the result of an attempt.
#[derive(Debug, Clone)]
pub struct DeliveryAttempt {
    /// The lease with the event.
    pub claim: LeasedDelivery,
    /// The body that was sent. `None` if the event has no data, so that nothing was sent.
    pub payload: Option<String>,
    /// The result.
    pub attempt: DeliveryOutcome,
    /// The status code of the response.
    pub http_code: Option<u16>,
    /// The beginning of the response body, or the reason why there is no response.
    pub response: Option<String>,
    /// Milliseconds until the next attempt if this one failed. `None` after the last attempt.
    pub retry_after_ms: Option<i64>,
}

/// The effect of a recorded attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The new state of the event.
    pub state: EventState,
    /// Whether the endpoint was disabled, after too many failed events.
    pub disabled: bool,
}

impl UseCase for DeliveryAttempt {
    type Output = DeliveryRecord;
    type Error = Error;

    fn party(&self) -> Party {
        Party::organization(self.claim.queue.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<DeliveryRecord, Error> {
        let now = context.now();
        let LeasedDelivery { queue, leased_until, event, .. } = &self.claim;
        // Locked, so that events inserted meanwhile are scheduled after this transaction.
        tx.webhook_queues_lock(queue.organization, queue.endpoint).await?;
        tx.webhook_queue_release(*queue, *leased_until).await?;
        let stored = tx.webhook_event(event.organization, event.id).await?;
        let mut event = stored.ok_or(WebhookError::EventNotFound)?;
        let before = event.state;
        let retry_at = self.retry_after_ms.map(|ms| plus_ms(now, ms));
        let next = webhook::event_after_attempt(DeliveryFacts { state: before, retry_at }, self.attempt);
        event.state = next.state;
        event.attempts = event.attempts.saturating_add(1);
        // The event may have been anonymized while it was sent: then this payload must not be stored.
        if event.data == self.claim.event.data {
            event.payload.clone_from(&self.payload);
        }
        tx.webhook_delivery_append(&WebhookDelivery {
            id: WebhookDeliveryId::new(context.uuid()),
            organization: event.organization,
            endpoint: event.endpoint,
            event: event.id,
            created_at: now,
            succeeded: self.attempt == DeliveryOutcome::Succeeded,
            http_code: self.http_code,
            response: self.response.clone(),
        })
        .await?;
        tx.webhook_event_record_attempt(&event, self.http_code, next.due_at, now).await?;
        let failed_now = before == EventState::Pending && event.state == EventState::Failed;
        let counts = failed_now && !event.event_type.is_test();
        let disabled = counts && self.count_failure(tx, context).await?;
        tx.webhook_queues_reschedule(event.organization, event.endpoint, now).await?;
        Ok(DeliveryRecord { state: event.state, disabled })
    }
}

impl DeliveryAttempt {
    /// Disables the endpoint when its last [`FAILURES_TO_DISABLE`] events failed, and returns whether it did. The
    /// administrators get a mail then, and one after [`FAILURES_TO_WARN`] failures.
    async fn count_failure(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let LeasedDelivery { queue, event, .. } = &self.claim;
        let found = tx.webhook_endpoint(queue.organization, queue.endpoint).await?;
        let Some(before) = found.filter(|endpoint| endpoint.enabled) else { return Ok(false) };
        let completed = tx.webhook_events_completed(&before, FAILURES_TO_DISABLE).await?;
        let number = |failures: usize| u32::try_from(failures).unwrap_or(u32::MAX);
        let failures = number(FAILURES_TO_DISABLE);
        let name = before.name.clone().filter(|name| !name.trim().is_empty());
        let endpoint = name.unwrap_or_else(|| before.url.host().to_owned());
        if let Some(disabled) = webhook::auto_disable(&before, &completed, context.now()) {
            super::save(tx, context, &Requester::system(), &before, &disabled).await?;
            let content =
                |organization| MailContent::WebhookEndpointDisabled { organization, endpoint, failures };
            mails::notify_administrators(tx, context, queue.organization, content).await?;
            return Ok(true);
        }
        if webhook::warns(&completed, event.id) {
            let content = |organization| MailContent::WebhookEndpointFailing {
                organization,
                endpoint,
                failures: number(FAILURES_TO_WARN),
                most: failures,
            };
            mails::notify_administrators(tx, context, queue.organization, content).await?;
        }
        Ok(false)
    }
}

const fn plus_ms(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(ms.saturating_mul(1_000)))
}

/// The outcome of a look at the queues of one organization.
#[derive(Debug, Default)]
pub struct OrganizationLook {
    /// The leased queues, with the next event of each.
    pub claims: Vec<LeasedDelivery>,
    /// The time when the next queue is due. `None` if all are idle or due now.
    pub next_due: Option<Timestamp>,
}

impl App {
    /// Leases due queues of one organization. `free` is the number of requests that the worker may begin for its owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_webhook_deliveries_of(
        &self,
        organization: OrganizationId,
        free: impl Fn(UserId) -> usize + Send,
    ) -> Result<OrganizationLook, StoreError> {
        let found = self.store.reader()?.tx()?.webhook_queues_of(organization, self.now()).await?;
        let OrganizationQueues { mut due, owner, next_due } = found;
        let free = owner.map_or(0, free);
        due.truncate(free);
        // Every transaction locks several queues in this order.
        due.sort_unstable();
        let mut claims = Vec::new();
        for queues in due.chunks(limits::WEBHOOK_LEASES_PER_TRANSACTION) {
            claims.append(&mut self.lease_queues(queues.to_vec()).await?);
        }
        Ok(OrganizationLook { claims, next_due })
    }

    /// Leases due queues: up to `limit`, and at most [`limits::WEBHOOK_LEASES_PER_TRANSACTION`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_webhook_deliveries(&self, limit: usize) -> Result<Vec<LeasedDelivery>, StoreError> {
        let limit = limit.min(limits::WEBHOOK_LEASES_PER_TRANSACTION);
        let mut tried = BTreeSet::new();
        for _ in 0..limits::WEBHOOK_LEASE_ROUNDS {
            let wanted = limit.saturating_add(tried.len());
            let mut reader = self.store.reader()?;
            let due = reader
                .tx()?
                .webhook_queues_due(self.now(), wanted, limits::WEBHOOK_DELIVERIES_PER_OWNER)
                .await?;
            let mut queues: Vec<_> =
                due.into_iter().filter(|queue| !tried.contains(queue)).take(limit).collect();
            if queues.is_empty() {
                break;
            }
            // Every transaction locks several queues in this order.
            queues.sort_unstable();
            tried.extend(queues.iter().copied());
            let claims = self.lease_queues(queues).await?;
            // Empty if other workers were faster, or if the queues had nothing to send.
            if !claims.is_empty() {
                return Ok(claims);
            }
        }
        Ok(Vec::new())
    }

    /// Leases these queues in one transaction. If that fails because a queue cannot be read, leases each in its own
    /// transaction, so that the unreadable queue blocks no other.
    async fn lease_queues(&self, queues: Vec<DueQueue>) -> Result<Vec<LeasedDelivery>, StoreError> {
        match self.store.write(LeaseQueues(queues.clone())).await {
            Err(StoreError::Unexpected(_)) => {}
            taken => return taken,
        }
        let mut claims = Vec::new();
        for queue in queues {
            match self.store.write(LeaseQueues(vec![queue])).await {
                Ok(mut taken) => claims.append(&mut taken),
                Err(error @ StoreError::Unexpected(_)) => {
                    let DueQueue { organization, endpoint, .. } = queue;
                    tracing::error!(%error, %organization, %endpoint, "a webhook queue cannot be read, it is postponed");
                    if let Err(error) = self.store.write(PostponeQueue(queue)).await {
                        tracing::error!(%error, %organization, %endpoint, "a webhook queue could not be postponed");
                    }
                }
                Err(error) if claims.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "not all webhook queues were leased, the rest is tried again");
                    break;
                }
            }
        }
        Ok(claims)
    }
}
