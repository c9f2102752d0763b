//! Webhooks from the change to the receiver: events are made through the API and delivered over loopback.

#![allow(missing_docs, unreachable_pub, reason = "nobody else uses a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod events;
mod outages;
mod receiver;
mod spoilt;
#[path = "../../../http/tests/webhook_support/mod.rs"]
mod webhook_support;

use std::sync::Arc;

use receiver::Receiver;
use serde_json::{Value, json};
use tenantry_core::webhook::EventType;
use tenantry_outbound::webhook::{Policy, Sender};
use tenantry_worker::webhooks::Webhooks;
use webhook_support::World;

/// A worker of that world.
fn worker(world: &World) -> Arc<Webhooks> {
    let policy = Policy { plain_http_hosts: world.hosts.clone(), ..Policy::default() };
    let sender = Sender::new(policy).unwrap();
    Arc::new(Webhooks::new(Arc::clone(&world.app), sender, tenantry_http::webhook_payload))
}

/// An endpoint at the receiver that is told everything; answers with it as the API shows it.
async fn subscribe(world: &World, receiver: &Receiver) -> Value {
    let new = json!({"url": receiver.url(), "format": "raw", "events": EventType::NAMES});
    world.expect(201, "POST", "/v1/webhooks/endpoints", Some(new)).await
}

/// A world, a receiver, and an endpoint that leads from one to the other.
async fn connected() -> (World, Receiver, Value) {
    let receiver = Receiver::start().await;
    let world = World::new(std::slice::from_ref(&receiver.host)).await;
    let endpoint = subscribe(&world, &receiver).await;
    (world, receiver, endpoint)
}

/// A new customer with this address, and the type `individual` or `team`.
async fn customer(world: &World, kind: &str, email: &str) -> Value {
    let new = json!({"type": kind, "email": email, "name": "Someone"});
    world.expect(201, "POST", "/v1/customers", Some(new)).await
}

/// One event: the organization's name changes.
async fn rename(world: &World, name: &str) {
    let path = format!("/v1/organizations/{}", world.organization);
    world.expect(200, "PATCH", &path, Some(json!({"name": name}))).await;
}

/// The attempts to deliver, newest first.
async fn deliveries(world: &World) -> Vec<Value> {
    let list = world.get("/v1/webhooks/deliveries?limit=100").await;
    list["items"].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
