//! Webhooks from the change to the receiver: events are made through the API and delivered over loopback.

mod events;
mod outages;
mod own_events;
mod secrets;
mod test_events;
mod unreadable;
mod wake;

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_core::webhook::EventType;
use tenantry_outbound::webhook::resolve::Resolve;
use tenantry_outbound::webhook::{Policy, Sender};
use tenantry_testkit::{Acme, Settings, WebhookReceiver, World};
use tenantry_worker::webhooks::{Requests, WebhookWorker};

/// An organization whose webhooks may be sent to these receivers.
async fn acme_sending_to(receivers: &[&WebhookReceiver]) -> Acme {
    let plain_http_hosts = receivers.iter().map(|receiver| receiver.host.clone()).collect();
    Acme::within(World::with(Settings { plain_http_hosts, ..Settings::default() })).await
}

/// A worker that delivers the organization's webhooks.
fn worker(acme: &Acme) -> Arc<WebhookWorker> {
    worker_allowing(acme, &acme.world.settings().plain_http_hosts)
}

/// The same, where the operator allows these hosts to be called over plain HTTP.
fn worker_allowing(acme: &Acme, plain_http_hosts: &[String]) -> Arc<WebhookWorker> {
    let policy = Policy { plain_http_hosts: plain_http_hosts.to_vec(), ..Policy::default() };
    let sender = Sender::new(policy).unwrap();
    Arc::new(WebhookWorker::new(Arc::clone(&acme.world.app), sender, tenantry_http::webhook_payload))
}

/// Delivers every due event, as the worker does while events wait for a slot. Returns the number of requests.
async fn deliver_due<R: Resolve + 'static>(worker: &Arc<WebhookWorker<R>>) -> usize {
    let (mut sent, mut requests) = (0, Requests::default());
    loop {
        worker.look_at_all(&mut requests).await.unwrap();
        let under_way = requests.number();
        if !requests.ended().await {
            return sent;
        }
        sent += under_way - requests.number();
    }
}

/// The same organization after a restart; from then on every write lasts so many seconds.
async fn restart_with_slow_writes(acme: Acme, write_duration_s: i64) -> Acme {
    let settings = Settings { write_duration_s, ..acme.world.settings().clone() };
    acme.restart_with(settings).await
}

/// Creates an endpoint at the receiver for every event of the contract. Returns it as the API shows it.
async fn subscribe(acme: &Acme, receiver: &WebhookReceiver) -> Value {
    let all = EventType::ALL.iter().filter(|kind| !EventType::OWN.contains(kind));
    let events: Vec<&str> = all.map(|kind| kind.as_str()).collect();
    let new = json!({"url": receiver.url(), "format": "raw", "events": events});
    acme.client().post("/v1/webhooks/endpoints", new).await.expect(201).body
}

/// An organization, a receiver, and an endpoint of the one at the other.
async fn connected() -> (Acme, WebhookReceiver, Value) {
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let endpoint = subscribe(&acme, &receiver).await;
    (acme, receiver, endpoint)
}

/// Creates a customer of the type `individual` or `team`.
async fn customer(acme: &Acme, kind: &str, email: &str) -> Value {
    let new = json!({"type": kind, "email": email, "name": "Someone"});
    acme.client().post("/v1/customers", new).await.expect(201).body
}

/// Renames the organization, which is one event.
async fn rename(acme: &Acme, name: &str) {
    let path = format!("/v1/organizations/{}", acme.organization.id);
    acme.client().patch(&path, json!({"name": name})).await.expect(200);
}

/// The deliveries, newest first.
async fn deliveries(acme: &Acme) -> Vec<Value> {
    let list = acme.client().get("/v1/webhooks/deliveries?limit=100").await.expect(200).body;
    list["items"].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
