//! Delivers webhook events: takes queues that have something to do, sends one request in each, and writes
//! down what came of it.
//!
//! Invariants: nothing is sent that is not committed; in one queue of an endpoint one request is on its way at
//! a time, so that first attempts keep their order and a slow endpoint takes no more than its two places; a
//! queue whose holder is gone is taken over when its lease ends, so that an event is delivered at least once.

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
    Answer, DeliveryError, Images, Notice, Sender, SystemResolver, body, headers,
};
use tenantry_store::{LeasedDelivery, StoreError};
use tokio::task::JoinSet;

/// Requests on their way at once. Each endpoint takes at most two of these places.
const IN_FLIGHT: usize = 512;
/// The longest time without a look at the database: what another process wrote, or stopped to send.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long requests that are on their way may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(12);

/// Makes the text of an event.
pub type Render = fn(&Event) -> Result<String, serde_json::Error>;

/// Whoever delivers webhooks.
pub struct Webhooks<R = SystemResolver> {
    app: Arc<App>,
    sender: Sender<R>,
    render: Render,
    images: Images,
}

impl<R: Resolve + 'static> Webhooks<R> {
    /// One that sends with `sender` what `render` makes of events.
    #[must_use]
    pub fn new(app: Arc<App>, sender: Sender<R>, render: Render) -> Self {
        Self { app, sender, render, images: Images::default() }
    }

    /// Delivers until `stop` comes to pass; then takes nothing new, and lets requests that are on their way
    /// come to their end for a while. Those that do not are made again by whoever takes over.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut in_flight = JoinSet::new();
        loop {
            let looked = match self.start(&mut in_flight).await {
                Ok(()) => self.until_next().await,
                Err(error) => Err(error),
            };
            let wait = looked.unwrap_or_else(|error| {
                tracing::warn!(%error, "webhooks wait");
                LOOK_EVERY
            });
            tokio::select! {
                () = &mut stop => break,
                () = self.app.store().webhook_signal().notified() => {}
                Some(_) = in_flight.join_next() => {}
                () = tokio::time::sleep(wait) => {}
            }
            // One look for all that have ended.
            while in_flight.try_join_next().is_some() {}
        }
        let drained = async { while in_flight.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("some webhooks were cut off: they will be sent again");
        }
        in_flight.shutdown().await;
    }

    /// Delivers everything that is due, until nothing is; answers how many requests that took.
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

    /// Starts the requests that are due, as far as there are places.
    async fn start(self: &Arc<Self>, in_flight: &mut JoinSet<()>) -> Result<(), StoreError> {
        loop {
            let free = IN_FLIGHT.saturating_sub(in_flight.len());
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

    /// How long nothing else will be due.
    async fn until_next(&self) -> Result<Duration, StoreError> {
        let now = self.app.now();
        let Some(due) = self.app.next_webhook_due().await? else { return Ok(LOOK_EVERY) };
        let micros = due.as_micros().saturating_sub(now.as_micros());
        Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(LOOK_EVERY))
    }

    /// One attempt, from the text to its place in the database.
    async fn deliver(&self, claim: LeasedDelivery) {
        let (event, endpoint) = (claim.event.id, claim.endpoint.id);
        if !self.app.lease_outlasts(claim.leased_until, self.sender.timeout()) {
            tracing::warn!(%event, %endpoint, "taking a webhook lasted so long that another may send it");
            return;
        }
        match self.attempt(claim).await {
            Ok(DeliveryRecord { state, disabled }) => {
                tracing::debug!(%event, %endpoint, ?state, "a webhook was tried");
                if disabled {
                    tracing::warn!(%endpoint, "a webhook endpoint was disabled: its last events all failed");
                }
            }
            // The lease ends, and the event is sent again.
            Err(error) => tracing::error!(%error, %event, %endpoint, "a webhook was not written down"),
        }
    }

    async fn attempt(&self, claim: LeasedDelivery) -> Result<DeliveryRecord, Error> {
        let payload = self.payload(&claim)?;
        let (event, endpoint) = (&claim.event, &claim.endpoint);
        let now = self.app.now().as_seconds();
        let secret = endpoint.secret.as_ref();
        let secret = secret.ok_or_else(|| StoreError::Unexpected("a webhook without secret".into()))?;
        let headers = headers(secret.as_str(), &event.id.to_string(), now, payload.as_bytes());
        let outcome = self.sender.post(endpoint.url.as_str(), &headers, payload.clone().into()).await;
        let attempts = event.attempts.saturating_add(1);
        let retry_after = delay(attempts, spread(&claim));
        let retry_after_ms = retry_after.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let (attempt, http_code, response) = ended(outcome);
        self.app.write(DeliveryAttempt { claim, payload, attempt, http_code, response, retry_after_ms }).await
    }

    /// What is sent: what was sent before, or else what the dialect and the endpoint's format make of it.
    fn payload(&self, claim: &LeasedDelivery) -> Result<String, Error> {
        if let Some(payload) = &claim.event.payload {
            return Ok(payload.clone());
        }
        let Some(event) = claim.event.event() else { return Ok(String::new()) };
        let raw = (self.render)(&event)?;
        let notice = Notice {
            event_type: event.event_type.as_str(),
            object_id: &event.data.subject().to_string(),
            organization_name: &claim.organization_name,
        };
        Ok(body(claim.endpoint.format, &raw, &notice, &self.images))
    }
}

/// A number that differs from event to event and from attempt to attempt, so that retries spread out.
fn spread(claim: &LeasedDelivery) -> u64 {
    let (_, low) = claim.event.id.uuid().as_u64_pair();
    low.rotate_left(claim.event.attempts.wrapping_mul(11))
}

/// How an attempt ended: the status, and what is shown of the answer.
fn ended(outcome: Result<Answer, DeliveryError>) -> (DeliveryOutcome, Option<u16>, Option<String>) {
    match outcome {
        Ok(answer) => {
            let attempt =
                if answer.is_success() { DeliveryOutcome::Succeeded } else { DeliveryOutcome::Failed };
            let excerpt = Some(answer.excerpt).filter(|excerpt| !excerpt.is_empty());
            (attempt, Some(answer.status), excerpt)
        }
        Err(failure) => {
            let attempt =
                if failure.is_permanent() { DeliveryOutcome::Refused } else { DeliveryOutcome::Failed };
            (attempt, None, Some(failure.to_string()))
        }
    }
}
