//! What whoever delivers webhooks asks of the database: what to send next, and writing down what came of it.

use std::collections::BTreeSet;

use tenantry_core::ids::{OrganizationId, WebhookDeliveryId};
use tenantry_core::webhook::{
    self, DeliveryFacts, DeliveryOutcome, EventState, FAILURES_TO_DISABLE, WebhookError,
};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{DueQueue, LeasedDelivery, StoreError, Tx, UseCase, WebhookDelivery};

use crate::{App, Error, Requester, limits};

/// Takes those of the queues that are still free, and answers with what is to be sent in each. Each is held for
/// [`limits::WEBHOOK_LEASE_S`]; when nothing is written down until then, somebody else takes it.
struct Lease(Vec<DueQueue>);

impl UseCase for Lease {
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
            let Some((endpoint, organization_name)) = tx.webhook_target(queue).await? else {
                super::skip(tx, context, queue.organization, queue.endpoint).await?;
                tx.webhook_queue_release(queue, leased_until).await?;
                continue;
            };
            if endpoint.secret.is_none() {
                return Err(StoreError::Unexpected("a webhook secret that cannot be opened".into()));
            }
            let Some(event) = tx.webhook_queue_next_event(queue, now).await? else {
                tx.webhook_queues_reschedule(queue.organization, queue.endpoint, now).await?;
                tx.webhook_queue_release(queue, leased_until).await?;
                continue;
            };
            claims.push(LeasedDelivery { queue, leased_until, event, endpoint, organization_name });
        }
        Ok(claims)
    }
}

/// Leaves a queue alone for [`limits::PUT_OFF_S`].
struct PutOff(DueQueue);

impl UseCase for PutOff {
    type Output = ();
    type Error = StoreError;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.0.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        let now = context.now();
        tx.webhook_queue_postpone(self.0, now, now.plus_seconds(limits::PUT_OFF_S)).await
    }
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct DeliveryAttempt {
    /// What was tried.
    pub claim: LeasedDelivery,
    /// The text that was sent.
    pub payload: String,
    /// How it ended.
    pub attempt: DeliveryOutcome,
    /// The status it was answered with.
    pub http_code: Option<u16>,
    /// The beginning of the answer, or why there is none.
    pub response: Option<String>,
    /// Milliseconds until the next attempt, should one be needed; nothing when this was the last.
    pub retry_after_ms: Option<i64>,
}

/// What writing an attempt down led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The event's state now.
    pub state: EventState,
    /// Whether the endpoint was switched off.
    pub disabled: bool,
}

impl UseCase for DeliveryAttempt {
    type Output = Recorded;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.claim.queue.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Recorded, Error> {
        let now = context.now();
        let LeasedDelivery { queue, leased_until, event, .. } = &self.claim;
        // An event that is written meanwhile waits for the end of this.
        tx.webhook_queues_lock(queue.organization, queue.endpoint).await?;
        tx.webhook_queue_release(*queue, *leased_until).await?;
        let stored = tx.webhook_event(event.organization, event.id).await?;
        let mut event = stored.ok_or(WebhookError::EventNotFound)?;
        let before = event.state;
        let retry_at = self.retry_after_ms.map(|ms| plus_ms(now, ms));
        let next = webhook::event_after_attempt(DeliveryFacts { state: before, retry_at }, self.attempt);
        event.state = next.state;
        event.attempts = event.attempts.saturating_add(1);
        // What was to be told may have been taken back, or told otherwise, while it was sent.
        if event.data == self.claim.event.data {
            event.payload = Some(self.payload.clone());
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
        let disabled = failed_now && self.disable(tx, context).await?;
        tx.webhook_queues_reschedule(event.organization, event.endpoint, now).await?;
        Ok(Recorded { state: event.state, disabled })
    }
}

impl DeliveryAttempt {
    /// Switches the endpoint off when too many events in a row have failed.
    async fn disable(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        let LeasedDelivery { queue, .. } = &self.claim;
        let found = tx.webhook_endpoint(queue.organization, queue.endpoint).await?;
        let Some(endpoint) = found else { return Ok(false) };
        let completed = tx.webhook_events_completed(&endpoint, FAILURES_TO_DISABLE).await?;
        match webhook::auto_disable(&endpoint, &completed, context.now()) {
            None => Ok(false),
            Some(disabled) => {
                super::store(tx, context, &Requester::system(), &endpoint, &disabled).await?;
                Ok(true)
            }
        }
    }
}

const fn plus_ms(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(ms.saturating_mul(1_000)))
}

/// Forgets what a few old events told; answers how many.
#[derive(Debug, Clone, Copy)]
pub struct Archive;

impl UseCase for Archive {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        let before = context.now().plus_seconds(-limits::WEBHOOK_PAYLOAD_KEPT_S);
        tx.webhook_events_archive(before, limits::WEBHOOK_ARCHIVED).await
    }
}

impl App {
    /// Takes queues that have something to do: up to `limit`, and a few at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_claim(&self, limit: usize) -> Result<Vec<LeasedDelivery>, StoreError> {
        let limit = limit.min(limits::WEBHOOK_TAKEN);
        let mut passed = BTreeSet::new();
        for _ in 0..limits::WEBHOOK_LOOKS {
            let wanted = limit.saturating_add(passed.len());
            let mut reader = self.store.reader()?;
            let due = reader.tx()?.webhook_queues_due(self.now(), wanted, limits::WEBHOOK_SHARE).await?;
            let mut queues: Vec<_> =
                due.into_iter().filter(|queue| !passed.contains(queue)).take(limit).collect();
            if queues.is_empty() {
                break;
            }
            // Whoever holds several takes them in this order.
            queues.sort_unstable();
            passed.extend(queues.iter().copied());
            let claims = self.webhook_take(queues).await?;
            // Otherwise another was faster, or there was nothing to send in them.
            if !claims.is_empty() {
                return Ok(claims);
            }
        }
        Ok(Vec::new())
    }

    /// Takes these queues. One that cannot be read keeps no other back.
    async fn webhook_take(&self, queues: Vec<DueQueue>) -> Result<Vec<LeasedDelivery>, StoreError> {
        match self.store.write(Lease(queues.clone())).await {
            Err(StoreError::Unexpected(_)) => {}
            taken => return taken,
        }
        let mut claims = Vec::new();
        for queue in queues {
            match self.store.write(Lease(vec![queue])).await {
                Ok(mut taken) => claims.append(&mut taken),
                Err(error @ StoreError::Unexpected(_)) => {
                    let DueQueue { organization, endpoint, .. } = queue;
                    tracing::error!(%error, %organization, %endpoint, "webhooks are put off");
                    if let Err(error) = self.store.write(PutOff(queue)).await {
                        tracing::error!(%error, %organization, %endpoint, "webhooks could not be put off");
                    }
                }
                Err(error) if claims.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "some webhooks wait");
                    break;
                }
            }
        }
        Ok(claims)
    }

    /// When there will be something to send next, as far as is known now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.reader()?.tx()?.webhook_next_due(self.now()).await
    }
}
