//! Delivers webhook events.
//!
//! Each endpoint has two delivery queues: one for first attempts, in the order of the events, and one for
//! retries, by due time. A worker leases a queue, sends its next event, records the outcome and releases the
//! lease. At most one request of a queue is under way, so that first attempts keep their order and a slow
//! endpoint uses at most two of the `MAX_IN_FLIGHT` slots of a node.
//!
//! | state of an event | means | next |
//! |---|---|---|
//! | pending, first attempt | committed with the change that caused it | leased |
//! | leased | a worker sends it; the lease ends after `WEBHOOK_LEASE_S` | one of the following |
//! | lease expired | the worker stopped or crashed before it recorded an outcome | leased by any worker |
//! | pending, retry | no 2xx status; due after the pause of `outbound::webhook::schedule` | leased |
//! | succeeded | a 2xx status | none |
//! | failed | `MAX_ATTEMPTS` attempts, or a permanent error, or an event without data | `FAILURES_TO_DISABLE` in a row disable the endpoint |
//! | skipped | the endpoint was disabled or deleted | none |
//!
//! - Delivery is at least once: an event whose outcome was not recorded is sent again, with the same
//!   `webhook-id` and the same body.
//! - A worker whose lease is too short for another request leaves the event to the next lease.
//! - A queue whose row cannot be read is retried after `UNREADABLE_RETRY_S`, and delays no other queue.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tenantry_app::webhooks::{DeliveryAttempt, DeliveryRecord};
use tenantry_app::{App, Error};
use tenantry_core::webhook::{DeliveryOutcome, Event};
use tenantry_outbound::webhook::resolve::Resolve;
use tenantry_outbound::webhook::schedule::delay;
use tenantry_outbound::webhook::{
    DeliveryError, Images, Notice, Sender, SystemResolver, WebhookResponse, body, sign,
};
use tenantry_store::{LeasedDelivery, StoreError};
use tokio::task::JoinSet;

/// Requests of one node that are under way at once.
const MAX_IN_FLIGHT: usize = 512;
/// The longest pause between two queries for due queues; events of other processes are found by then.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The time that requests under way get to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);

/// Builds the JSON payload of an event.
pub type RenderPayload = fn(&Event) -> Result<String, serde_json::Error>;

/// Delivers webhook events.
pub struct WebhookWorker<R = SystemResolver> {
    app: Arc<App>,
    sender: Sender<R>,
    render: RenderPayload,
    images: Images,
}

impl<R: Resolve + 'static> WebhookWorker<R> {
    /// A worker that builds payloads with `render` and sends them with `sender`.
    #[must_use]
    pub fn new(app: Arc<App>, sender: Sender<R>, render: RenderPayload) -> Self {
        Self { app, sender, render, images: Images::default() }
    }

    /// Delivers until `stop` completes. Then it leases nothing more and waits `DRAIN_TIMEOUT` for requests
    /// under way; those that are cancelled are sent again once their lease ends.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut in_flight = JoinSet::new();
        loop {
            let next = match self.start(&mut in_flight).await {
                Ok(()) => self.until_next().await,
                Err(error) => Err(error),
            };
            let pause = next.unwrap_or_else(|error| {
                tracing::warn!(%error, retry_after_ms = POLL_INTERVAL.as_millis(), "webhook queue failed");
                POLL_INTERVAL
            });
            tokio::select! {
                () = &mut stop => break,
                () = self.app.store().webhook_signal().notified() => {}
                Some(_) = in_flight.join_next() => {}
                () = tokio::time::sleep(pause) => {}
            }
            // One query serves all requests that have ended.
            while in_flight.try_join_next().is_some() {}
        }
        let drained = async { while in_flight.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::warn!(cancelled = in_flight.len(), "webhook drain timed out");
        }
        in_flight.shutdown().await;
    }

    /// Delivers all due events and returns the number of requests.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliver_due(self: &Arc<Self>) -> Result<usize, StoreError> {
        let mut sent = 0;
        let mut in_flight = JoinSet::new();
        loop {
            self.start(&mut in_flight).await?;
            match in_flight.join_next().await {
                Some(_) => sent += 1,
                None => return Ok(sent),
            }
        }
    }

    /// Leases due queues while there are free slots, and starts a request for each of them.
    async fn start(self: &Arc<Self>, in_flight: &mut JoinSet<()>) -> Result<(), StoreError> {
        loop {
            let free = MAX_IN_FLIGHT.saturating_sub(in_flight.len());
            let claims = if free == 0 { Vec::new() } else { self.app.lease_webhook_deliveries(free).await? };
            if claims.is_empty() {
                return Ok(());
            }
            for claim in claims {
                let worker = Arc::clone(self);
                in_flight.spawn(async move { worker.deliver(claim).await });
            }
        }
    }

    /// The time until the next queue is due, at most [`POLL_INTERVAL`].
    async fn until_next(&self) -> Result<Duration, StoreError> {
        let now = self.app.now();
        let Some(due) = self.app.next_webhook_due().await? else { return Ok(POLL_INTERVAL) };
        let micros = due.as_micros().saturating_sub(now.as_micros());
        Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(POLL_INTERVAL))
    }

    /// Sends one event and records the outcome.
    async fn deliver(&self, claim: LeasedDelivery) {
        let (event, endpoint, organization) = (claim.event.id, claim.endpoint.id, claim.event.organization);
        if !self.app.lease_outlasts(claim.leased_until, self.sender.timeout()) {
            tracing::warn!(
                organization_id = %organization, endpoint_id = %endpoint, event_id = %event,
                "webhook lease too short"
            );
            return;
        }
        // Without a record the lease ends, and the event is sent again.
        if let Err(error) = self.attempt(claim).await {
            tracing::error!(
                organization_id = %organization, endpoint_id = %endpoint, event_id = %event, %error,
                "webhook attempt not recorded"
            );
        }
    }

    async fn attempt(&self, claim: LeasedDelivery) -> Result<(), Error> {
        let payload = self.payload(&claim)?;
        let (outcome, http_code, response) = match &payload {
            Some(payload) => outcome(self.send(&claim, payload).await?),
            None => (DeliveryOutcome::Refused, None, Some("the event has no data".to_owned())),
        };
        let (event, endpoint) = (&claim.event, &claim.endpoint);
        let attempt = event.attempts.saturating_add(1);
        let pause = delay(attempt, jitter(&claim));
        let retry_after_ms = pause.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let (event_id, endpoint_id, organization_id) = (event.id, endpoint.id, event.organization);
        let error = if http_code.is_none() { response.clone() } else { None };
        let record =
            DeliveryAttempt { claim, payload, attempt: outcome, http_code, response, retry_after_ms };
        let DeliveryRecord { state, disabled } = self.app.write(record).await?;
        if outcome == DeliveryOutcome::Succeeded {
            tracing::info!(
                %organization_id, %endpoint_id, %event_id, attempt, status = http_code, "webhook delivered"
            );
        } else {
            tracing::info!(
                %organization_id, %endpoint_id, %event_id, attempt, status = http_code, error, ?state,
                "webhook attempt failed"
            );
        }
        if disabled {
            tracing::warn!(%organization_id, %endpoint_id, "webhook endpoint disabled");
        }
        Ok(())
    }

    /// Sends the payload to the endpoint.
    async fn send(
        &self,
        claim: &LeasedDelivery,
        payload: &str,
    ) -> Result<Result<WebhookResponse, DeliveryError>, StoreError> {
        let (event, endpoint) = (&claim.event, &claim.endpoint);
        let now = self.app.now().as_seconds();
        let secret = endpoint.secret.as_ref();
        let secret =
            secret.ok_or_else(|| StoreError::Unexpected("a webhook endpoint without a secret".into()))?;
        let headers = sign(secret.as_str(), &event.id.to_string(), now, payload.as_bytes());
        Ok(self.sender.post(endpoint.url.as_str(), &headers, payload.to_owned().into()).await)
    }

    /// The stored payload of an earlier attempt, or a new one in the endpoint's format. Nothing when the event has
    /// neither payload nor data.
    fn payload(&self, claim: &LeasedDelivery) -> Result<Option<String>, Error> {
        if let Some(payload) = &claim.event.payload {
            return Ok(Some(payload.clone()));
        }
        let Some(event) = claim.event.event() else { return Ok(None) };
        let raw = (self.render)(&event)?;
        let notice = Notice {
            event_type: event.event_type.as_str(),
            object_id: &event.data.subject().to_string(),
            organization_name: &claim.organization_name,
        };
        Ok(Some(body(claim.endpoint.format, &raw, &notice, &self.images)))
    }
}

/// A number that differs for each event and attempt, so that retries do not arrive together.
fn jitter(claim: &LeasedDelivery) -> u64 {
    let (_, low) = claim.event.id.uuid().as_u64_pair();
    low.rotate_left(claim.event.attempts.wrapping_mul(11))
}

/// The outcome of an attempt, its status, and the beginning of the response or the error.
fn outcome(result: Result<WebhookResponse, DeliveryError>) -> (DeliveryOutcome, Option<u16>, Option<String>) {
    match result {
        Ok(response) => {
            let outcome =
                if response.is_success() { DeliveryOutcome::Succeeded } else { DeliveryOutcome::Failed };
            let excerpt = Some(response.excerpt).filter(|excerpt| !excerpt.is_empty());
            (outcome, Some(response.status), excerpt)
        }
        Err(error) => {
            let outcome =
                if error.is_permanent() { DeliveryOutcome::Refused } else { DeliveryOutcome::Failed };
            (outcome, None, Some(error.to_string()))
        }
    }
}
