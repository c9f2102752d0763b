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
//! - A commit names the organizations that it leaves events for, and the worker looks at their queues alone. It looks
//!   at those of all organizations every `POLL_INTERVAL`, and while slots are short.
//! - A queue whose row cannot be read is retried after `UNREADABLE_RETRY_S`, and delays no other queue.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tenantry_app::webhooks::{DeliveryAttempt, DeliveryRecord};
use tenantry_app::{App, Error, limits};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::webhook::{DeliveryOutcome, Event, SigningSecret};
use tenantry_outbound::webhook::resolve::Resolve;
use tenantry_outbound::webhook::schedule::delay;
use tenantry_outbound::webhook::{
    DeliveryError, Images, Notice, Sender, SystemResolver, WebhookResponse, body, sign,
};
use tenantry_store::{LeasedDelivery, StoreError, Woken};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::WorkerMeters;
use crate::agenda::Agenda;

/// Requests of one node that are under way at once.
const MAX_IN_FLIGHT: usize = 512;
/// The pause between two looks at all due queues, which find the events of other processes.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The time that requests under way get to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);

/// The requests of a node that are under way, with the owners that they count for.
#[derive(Default)]
pub struct Requests {
    tasks: JoinSet<()>,
    owners: HashMap<Id, UserId>,
}

impl Requests {
    /// The number of requests.
    #[must_use]
    pub fn number(&self) -> usize {
        self.tasks.len()
    }

    fn start(&mut self, owner: UserId, request: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(request);
        self.owners.insert(task.id(), owner);
    }

    /// Free slots.
    fn free(&self) -> usize {
        MAX_IN_FLIGHT.saturating_sub(self.number())
    }

    /// Free slots of an owner.
    fn free_of(&self, owner: UserId) -> usize {
        let busy = self.owners.values().filter(|other| **other == owner).count();
        limits::WEBHOOK_DELIVERIES_PER_OWNER.saturating_sub(busy).min(self.free())
    }

    /// Whether an event may wait for a slot: no slot is free, or one owner uses all of its slots.
    fn is_full(&self) -> bool {
        let mut busy = HashMap::<UserId, usize>::new();
        for owner in self.owners.values() {
            let busy = busy.entry(*owner).or_default();
            *busy = busy.saturating_add(1);
        }
        self.free() == 0 || busy.values().any(|busy| *busy >= limits::WEBHOOK_DELIVERIES_PER_OWNER)
    }

    /// Waits for the end of a request. False when none is under way.
    pub async fn ended(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return false };
        self.forget(ended);
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
        true
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.owners.remove(&id);
    }

    /// Waits for the end of all requests, at most for this time. Returns whether they ended.
    async fn drain(&mut self, longest: Duration) -> bool {
        let drained = async { while self.ended().await {} };
        tokio::time::timeout(longest, drained).await.is_ok()
    }

    async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// Builds the JSON payload of an event.
pub type RenderPayload = fn(&Event) -> Result<String, serde_json::Error>;

/// Delivers webhook events.
pub struct WebhookWorker<R = SystemResolver> {
    app: Arc<App>,
    sender: Sender<R>,
    render: RenderPayload,
    images: Images,
    meters: Arc<WorkerMeters>,
}

impl<R: Resolve + 'static> WebhookWorker<R> {
    /// A worker that builds payloads with `render` and sends them with `sender`.
    #[must_use]
    pub fn new(app: Arc<App>, sender: Sender<R>, render: RenderPayload) -> Self {
        Self { app, sender, render, images: Images::default(), meters: Arc::default() }
    }

    /// Counts the outcomes in `meters`.
    #[must_use]
    pub fn with_meters(self, meters: Arc<WorkerMeters>) -> Self {
        Self { meters, ..self }
    }

    /// Delivers until `stop` completes. Then it leases nothing more and waits `DRAIN_TIMEOUT` for requests
    /// under way; those that are cancelled are sent again once their lease ends.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut requests = Requests::default();
        let mut agenda = Agenda::default();
        let mut every = tokio::time::interval(POLL_INTERVAL);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (now, is_full) = (self.app.now(), requests.is_full());
            let looked = tokio::select! {
                () = &mut stop => break,
                _ = every.tick() => self.look_at_all(&mut requests).await,
                woken = self.app.store().webhook_signal().wait() => match woken {
                    Woken::All => self.look_at_all(&mut requests).await,
                    Woken::Some(organizations) => self.look_at(organizations, &mut requests, &mut agenda).await,
                },
                true = requests.ended() => match is_full {
                    true => self.look_at_all(&mut requests).await,
                    // Nothing waits for a slot. The commit of the outcome wakes the worker.
                    false => Ok(()),
                },
                () = tokio::time::sleep(agenda.pause(now, POLL_INTERVAL)) => {
                    let organizations = agenda.take_due(self.app.now());
                    self.look_at(organizations, &mut requests, &mut agenda).await
                }
            };
            if let Err(error) = looked {
                tracing::warn!(%error, retry_after_ms = POLL_INTERVAL.as_millis(), "webhook queue failed");
            }
        }
        if !requests.drain(DRAIN_TIMEOUT).await {
            tracing::warn!(cancelled = requests.number(), "webhook drain timed out");
        }
        requests.shutdown().await;
    }

    /// Leases due queues of all organizations while there are free slots, and starts a request for each of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at_all(self: &Arc<Self>, requests: &mut Requests) -> Result<(), StoreError> {
        loop {
            let free = requests.free();
            let claims = if free == 0 { Vec::new() } else { self.app.lease_webhook_deliveries(free).await? };
            if claims.is_empty() {
                return Ok(());
            }
            self.start(claims, requests);
        }
    }

    /// Leases due queues of these organizations and starts their requests. Adds the next due times to the agenda.
    async fn look_at(
        self: &Arc<Self>,
        organizations: BTreeSet<OrganizationId>,
        requests: &mut Requests,
        agenda: &mut Agenda,
    ) -> Result<(), StoreError> {
        for organization in organizations {
            let free = |owner| requests.free_of(owner);
            let look = self.app.lease_webhook_deliveries_of(organization, free).await?;
            if let Some(next) = look.next_due {
                agenda.add(next, organization);
            }
            self.start(look.claims, requests);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, claims: Vec<LeasedDelivery>, requests: &mut Requests) {
        for claim in claims {
            let (worker, owner) = (Arc::clone(self), claim.owner);
            requests.start(owner, async move { worker.deliver(claim).await });
        }
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
            self.meters.webhooks_delivered.increment();
            tracing::info!(
                %organization_id, %endpoint_id, %event_id, attempt, status = http_code, "webhook delivered"
            );
        } else {
            self.meters.webhooks_failed.increment();
            tracing::info!(
                %organization_id, %endpoint_id, %event_id, attempt, status = http_code, error, ?state,
                "webhook attempt failed"
            );
        }
        if disabled {
            self.meters.endpoints_disabled.increment();
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
        let now = self.app.now();
        let secrets = endpoint.signing_secrets(now).zip(endpoint.url.target());
        let (secrets, url) =
            secrets.ok_or_else(|| StoreError::Unexpected("a webhook endpoint without its secrets".into()))?;
        let secrets = secrets.into_iter().map(SigningSecret::as_str);
        let headers = sign(secrets, &event.id.to_string(), now.as_seconds(), payload.as_bytes());
        Ok(self.sender.post(&url, &headers, payload.to_owned().into()).await)
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
