//! What cannot be read, is too much at once, or was taken back keeps nothing else from being delivered.

use std::sync::Arc;

use serde_json::json;
use tenantry_app::limits::{
    UNREADABLE_RETRY_S, WEBHOOK_DELIVERIES_PER_ORGANIZATION, WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION,
    WEBHOOK_LEASE_S, WEBHOOK_LEASES_PER_TRANSACTION,
};
use tenantry_app::webhooks::DeliveryAttempt;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId};
use tenantry_core::webhook::DeliveryOutcome;
use tenantry_store::{StoreError, Tx, UseCase};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::receiver::Receiver;
use super::webhook_support::World;
use super::{connected, customer, rename, subscribe, text, worker};

/// A world with an endpoint at each of two receivers.
async fn two() -> (World, Receiver, Receiver) {
    let (spoilt, whole) = (Receiver::start().await, Receiver::start().await);
    let world = World::new(&[spoilt.host.clone(), whole.host.clone()]).await;
    subscribe(&world, &spoilt).await;
    subscribe(&world, &whole).await;
    (world, spoilt, whole)
}

/// Which endpoint leads to the receiver, as a part of a query.
fn at(receiver: &Receiver) -> String {
    format!("(SELECT id FROM webhook_endpoints WHERE url = '{}')", receiver.url())
}

#[tokio::test]
async fn an_event_of_a_newer_program_holds_up_no_other_endpoint() {
    let (world, mut spoilt, mut whole) = two().await;
    rename(&world, "Told").await;
    let rename_type = |from: &str, to: &str| {
        let queue = at(&spoilt);
        world.texts(&format!(
            "UPDATE webhook_events SET type = '{to}' WHERE type = '{from}' AND endpoint_id = {queue}"
        ));
    };
    rename_type("organization.updated", "organization.invented");
    let worker = worker(&world);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(whole.next().await.json()["data"]["name"], "Told");
    // It is not tried all the time, and sent once it can be read.
    rename_type("organization.invented", "organization.updated");
    assert_eq!(worker.deliver_due().await.unwrap(), 0);
    world.clock.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(spoilt.next().await.json()["data"]["name"], "Told");
}

#[tokio::test]
async fn an_endpoint_whose_secret_does_not_open_is_mended_or_deleted() {
    let (world, mut spoilt, mut whole) = two().await;
    let (one, other) = (at(&spoilt), at(&whole));
    // Sealed for the other one.
    world.texts(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    rename(&world, "Told").await;
    let worker = worker(&world);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(whole.next().await.json()["data"]["name"], "Told");

    let list = world.get("/v1/webhooks/endpoints").await;
    let shown = list["items"].as_array().unwrap().iter().find(|shown| shown["url"] == spoilt.url()).unwrap();
    let path = format!("/v1/webhooks/endpoints/{}", text(&shown["id"]));
    let named = world.expect(200, "PATCH", &path, Some(json!({"name": "Spoilt"}))).await;
    assert_eq!(named["secret"], shown["secret"], "which says that there is none");
    let mended = world.expect(200, "PATCH", &format!("{path}/secret"), None).await;
    assert!(text(&mended["secret"]).starts_with("whsec_"), "{mended}");
    world.clock.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(spoilt.next().await.json()["data"]["name"], "Told");

    world.texts(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    world.expect(200, "PATCH", &path, Some(json!({"enabled": false}))).await;
    world.expect(204, "DELETE", &path, None).await;
}

#[tokio::test]
async fn endpoints_that_cannot_be_read_take_nobodys_turn_however_many_they_are() {
    let (spoilt, mut whole) = (Receiver::start().await, Receiver::start().await);
    let world = World::new(&[spoilt.host.clone(), whole.host.clone()]).await;
    for _ in 0..WEBHOOK_DELIVERIES_PER_ORGANIZATION + 8 {
        subscribe(&world, &spoilt).await;
    }
    // Behind all of them.
    subscribe(&world, &whole).await;
    let other = at(&whole);
    world.texts(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE url = '{}'",
        spoilt.url()
    ));
    let worker = worker(&world);
    for name in ["Told", "Told again", "Told once more"] {
        rename(&world, name).await;
        assert_eq!(worker.deliver_due().await.unwrap(), 1);
        assert_eq!(whole.next().await.json()["data"]["name"], name);
        world.clock.advance_s(UNREADABLE_RETRY_S);
    }
}

/// Holds the queues of these endpoints until the second opens, and opens the first when it does.
struct Hold(OrganizationId, Vec<WebhookEndpointId>, [Arc<Semaphore>; 2]);

impl UseCase for Hold {
    type Output = ();
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        let Self(organization, endpoints, [held, gate]) = self;
        for endpoint in endpoints {
            tx.webhook_queues_lock(*organization, *endpoint).await?;
        }
        held.add_permits(1);
        drop(gate.acquire().await);
        Ok(())
    }
}

/// SQLite has one writer: there nobody else is busy.
#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_somebody_is_busy_with_keep_no_other_waiting() {
    if std::env::var("TENANTRY_TEST_ENGINE").as_deref() != Ok("postgres") {
        return;
    }
    let receiver = Receiver::start().await;
    let world = World::new(std::slice::from_ref(&receiver.host)).await;
    let mut endpoints = Vec::new();
    for _ in 0..=WEBHOOK_LEASES_PER_TRANSACTION {
        let endpoint = subscribe(&world, &receiver).await;
        endpoints.push(WebhookEndpointId::new(text(&endpoint["id"]).parse().unwrap()));
    }
    rename(&world, "Told").await;
    // What is due at the same time is taken in this order.
    endpoints.sort_unstable();
    let free = endpoints.pop().unwrap();
    let [held, gate] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
    let hold = Hold(world.organization, endpoints, [Arc::clone(&held), Arc::clone(&gate)]);
    let (app, mut holding) = (Arc::clone(&world.app), JoinSet::new());
    holding.spawn(async move { app.store().write(hold).await });
    drop(held.acquire().await);
    let claims = world.app.lease_webhook_deliveries(WEBHOOK_LEASES_PER_TRANSACTION).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.endpoint.id).collect::<Vec<_>>(), [free]);
    gate.add_permits(1);
    holding.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(
        world.app.lease_webhook_deliveries(WEBHOOK_LEASES_PER_TRANSACTION).await.unwrap().len(),
        WEBHOOK_LEASES_PER_TRANSACTION
    );
}

#[tokio::test]
async fn a_webhook_that_was_taken_slowly_is_left_to_whoever_takes_it_next() {
    let (world, mut receiver, _) = connected().await;
    rename(&world, "Told").await;
    world.clock.advance_s(60);
    // A request may take 10 s, and the lease is 20 s long.
    let world = world.restart_slow(11).await;
    worker(&world).deliver_due().await.unwrap();
    assert!(receiver.all().is_empty());
    world.clock.advance_s(WEBHOOK_LEASE_S);
    let world = world.restart_slow(9).await;
    worker(&world).deliver_due().await.unwrap();
    assert_eq!(receiver.next().await.json()["data"]["name"], "Told");
}

#[tokio::test]
async fn an_endpoint_that_listens_to_what_is_unknown_keeps_listening_to_it() {
    let (world, mut receiver, endpoint) = connected().await;
    world.texts(
        "UPDATE webhook_endpoints SET events = '[\"organization.invented\",\"organization.updated\"]'",
    );
    rename(&world, "Told").await;
    assert_eq!(worker(&world).deliver_due().await.unwrap(), 1);
    assert_eq!(receiver.next().await.json()["data"]["name"], "Told");
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let named = world.expect(200, "PATCH", &path, Some(json!({"name": "Named"}))).await;
    assert_eq!(named["events"], json!(["organization.updated"]));
    let stored = world.texts("SELECT events FROM webhook_endpoints");
    assert!(stored[0].contains("organization.invented"), "{stored:?}");
}

#[tokio::test]
async fn what_is_pending_for_an_endpoint_is_given_up_in_portions() {
    let (world, receiver, endpoint) = connected().await;
    for number in 0..=WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION {
        rename(&world, &format!("Name {number}")).await;
    }
    let pending = || world.texts("SELECT state FROM webhook_events WHERE state = 'pending'").len();
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    world.expect(204, "DELETE", &path, None).await;
    assert_eq!(pending(), 1);
    assert_eq!(worker(&world).deliver_due().await.unwrap(), 0);
    assert_eq!((pending(), world.texts("SELECT queue FROM webhook_queues").len()), (0, 0));
    drop(receiver);
}

#[tokio::test]
async fn a_name_that_is_forgotten_while_it_is_sent_does_not_come_back() {
    let (world, receiver, _) = connected().await;
    let one = customer(&world, "individual", "forgotten@acme.dev").await;
    let claim = world.app.lease_webhook_deliveries(1).await.unwrap().remove(0);
    let payload = tenantry_http::webhook_payload(&claim.event.event().unwrap()).unwrap();
    assert!(payload.contains("forgotten@acme.dev"));
    let path = format!("/v1/customers/{}?anonymize=true", text(&one["id"]));
    world.expect(204, "DELETE", &path, None).await;
    assert!(!world.holds("forgotten@acme.dev"));
    let attempt = DeliveryOutcome::Failed;
    let attempted = DeliveryAttempt {
        claim,
        payload,
        attempt,
        http_code: None,
        response: None,
        retry_after_ms: Some(1_000),
    };
    world.app.write(attempted).await.unwrap();
    assert!(!world.holds("forgotten@acme.dev"), "neither sent again nor shown");
    drop(receiver);
}
