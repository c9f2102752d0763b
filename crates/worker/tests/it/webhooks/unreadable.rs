//! Rows that cannot be read, locked queues and large backlogs delay no other delivery.

use std::sync::Arc;

use serde_json::json;
use tenantry_app::limits::{
    UNREADABLE_RETRY_S, WEBHOOK_DELIVERIES_PER_OWNER, WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION,
    WEBHOOK_LEASE_S, WEBHOOK_LEASES_PER_TRANSACTION,
};
use tenantry_app::webhooks::DeliveryAttempt;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId};
use tenantry_core::webhook::DeliveryOutcome;
use tenantry_store::{StoreError, Tx, UseCase};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use tenantry_testkit::{Acme, WebhookReceiver};

use super::{
    acme_sending_to, connected, customer, deliver_due, deliveries, rename, restart_with_slow_writes,
    subscribe, text, worker,
};

/// An organization with an endpoint at each of two receivers.
async fn two() -> (Acme, WebhookReceiver, WebhookReceiver) {
    let (unreadable, readable) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let acme = acme_sending_to(&[&unreadable, &readable]).await;
    subscribe(&acme, &unreadable).await;
    subscribe(&acme, &readable).await;
    (acme, unreadable, readable)
}

/// A subquery for the id of the endpoint at the receiver.
fn at(receiver: &WebhookReceiver) -> String {
    format!("(SELECT id FROM webhook_endpoints WHERE url = '{}')", receiver.url())
}

#[tokio::test]
async fn an_event_of_a_newer_version_delays_no_other_endpoint() {
    let (acme, mut unreadable, mut readable) = two().await;
    rename(&acme, "Sent").await;
    let rename_type = |from: &str, to: &str| {
        let queue = at(&unreadable);
        acme.world.database().execute(&format!(
            "UPDATE webhook_events SET type = '{to}' WHERE type = '{from}' AND endpoint_id = {queue}"
        ));
    };
    rename_type("organization.updated", "organization.invented");
    let worker = worker(&acme);
    assert_eq!(deliver_due(&worker).await, 1);
    assert_eq!(readable.next().await.json()["data"]["name"], "Sent");
    // The queue is retried after PUT_OFF_S, and sends the event once it can be read.
    rename_type("organization.invented", "organization.updated");
    assert_eq!(deliver_due(&worker).await, 0);
    acme.world.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(deliver_due(&worker).await, 1);
    assert_eq!(unreadable.next().await.json()["data"]["name"], "Sent");
}

#[tokio::test]
async fn an_endpoint_with_an_unreadable_secret_gets_a_new_one_or_is_deleted() {
    let (acme, mut unreadable, mut readable) = two().await;
    let (one, other) = (at(&unreadable), at(&readable));
    // This secret is sealed for the other endpoint.
    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    rename(&acme, "Sent").await;
    let worker = worker(&acme);
    assert_eq!(deliver_due(&worker).await, 1);
    assert_eq!(readable.next().await.json()["data"]["name"], "Sent");

    let list = acme.client().get("/v1/webhooks/endpoints").await.expect(200).body;
    let shown =
        list["items"].as_array().unwrap().iter().find(|shown| shown["url"] == unreadable.url()).unwrap();
    let path = format!("/v1/webhooks/endpoints/{}", text(&shown["id"]));
    let named = acme.client().patch(&path, json!({"name": "Unreadable"})).await.expect(200).body;
    assert_eq!(named["secret"], shown["secret"], "an empty secret");
    let mended = acme.client().call("PATCH", &format!("{path}/secret"), None).await.expect(200).body;
    assert!(text(&mended["secret"]).starts_with("whsec_"), "{mended}");
    acme.world.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(deliver_due(&worker).await, 1);
    assert_eq!(unreadable.next().await.json()["data"]["name"], "Sent");

    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    acme.client().patch(&path, json!({"enabled": false})).await.expect(200);
    acme.client().delete(&path).await.expect(204);
}

#[tokio::test]
async fn many_unreadable_endpoints_delay_no_other_endpoint() {
    let (unreadable, mut readable) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let acme = acme_sending_to(&[&unreadable, &readable]).await;
    for _ in 0..WEBHOOK_DELIVERIES_PER_OWNER + 8 {
        subscribe(&acme, &unreadable).await;
    }
    // This endpoint is the last in the order of queues.
    subscribe(&acme, &readable).await;
    let other = at(&readable);
    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE url = '{}'",
        unreadable.url()
    ));
    let worker = worker(&acme);
    for name in ["Sent", "Sent again", "Sent once more"] {
        rename(&acme, name).await;
        assert_eq!(deliver_due(&worker).await, 1);
        assert_eq!(readable.next().await.json()["data"]["name"], name);
        acme.world.advance_s(UNREADABLE_RETRY_S);
    }
}

#[tokio::test]
async fn an_event_without_data_fails_and_is_not_sent() {
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Lost").await;
    acme.world.database().execute("UPDATE webhook_events SET data = NULL");
    deliver_due(&worker(&acme)).await;
    assert!(receiver.all().is_empty());
    assert_eq!(acme.world.database().texts("SELECT state FROM webhook_events"), ["failed"]);
    assert_eq!(deliveries(&acme).await[0]["response"], "the event has no data");
    rename(&acme, "Sent").await;
    assert_eq!(deliver_due(&worker(&acme)).await, 1);
    assert_eq!(receiver.next().await.json()["data"]["name"], "Sent");
}

/// Holds the queues of these endpoints until the second opens, and opens the first when it does.
struct LockQueues(OrganizationId, Vec<WebhookEndpointId>, [Arc<Semaphore>; 2]);

impl UseCase for LockQueues {
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

/// PostgreSQL only: SQLite has one writer, so that no lock is ever waited for.
#[tokio::test(flavor = "multi_thread")]
async fn locked_queues_delay_no_other_queue() {
    if std::env::var("TENANTRY_TEST_ENGINE").as_deref() != Ok("postgres") {
        return;
    }
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let mut endpoints = Vec::new();
    for _ in 0..=WEBHOOK_LEASES_PER_TRANSACTION {
        let endpoint = subscribe(&acme, &receiver).await;
        endpoints.push(WebhookEndpointId::new(text(&endpoint["id"]).parse().unwrap()));
    }
    rename(&acme, "Sent").await;
    // Queues that are due at the same time are leased in this order.
    endpoints.sort_unstable();
    let free = endpoints.pop().unwrap();
    let [held, gate] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
    let hold = LockQueues(acme.organization.id, endpoints, [Arc::clone(&held), Arc::clone(&gate)]);
    let (app, mut holding) = (Arc::clone(&acme.world.app), JoinSet::new());
    holding.spawn(async move { app.store().write(hold).await });
    drop(held.acquire().await);
    let claims = acme.world.app.lease_webhook_deliveries(WEBHOOK_LEASES_PER_TRANSACTION).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.endpoint.id).collect::<Vec<_>>(), [free]);
    gate.add_permits(1);
    holding.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(
        acme.world.app.lease_webhook_deliveries(WEBHOOK_LEASES_PER_TRANSACTION).await.unwrap().len(),
        WEBHOOK_LEASES_PER_TRANSACTION
    );
}

#[tokio::test]
async fn an_event_is_left_to_the_next_lease_when_too_little_of_the_lease_is_left() {
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Sent").await;
    acme.world.advance_s(60);
    // A request may take 10 s, and the lease is 20 s long.
    let acme = restart_with_slow_writes(acme, 11).await;
    deliver_due(&worker(&acme)).await;
    assert!(receiver.all().is_empty());
    acme.world.advance_s(WEBHOOK_LEASE_S);
    let acme = restart_with_slow_writes(acme, 9).await;
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.next().await.json()["data"]["name"], "Sent");
}

#[tokio::test]
async fn an_endpoint_keeps_its_subscription_to_an_unknown_event_type() {
    let (acme, mut receiver, endpoint) = connected().await;
    acme.world.database().execute(
        "UPDATE webhook_endpoints SET events = '[\"organization.invented\",\"organization.updated\"]'",
    );
    rename(&acme, "Sent").await;
    assert_eq!(deliver_due(&worker(&acme)).await, 1);
    assert_eq!(receiver.next().await.json()["data"]["name"], "Sent");
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let named = acme.client().patch(&path, json!({"name": "Named"})).await.expect(200).body;
    assert_eq!(named["events"], json!(["organization.updated"]));
    let stored = acme.world.database().texts("SELECT events FROM webhook_endpoints");
    assert!(stored[0].contains("organization.invented"), "{stored:?}");
}

#[tokio::test]
async fn the_pending_events_of_a_deleted_endpoint_are_skipped_in_batches() {
    let (acme, receiver, endpoint) = connected().await;
    for number in 0..=WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION {
        rename(&acme, &format!("Name {number}")).await;
    }
    let pending =
        || acme.world.database().texts("SELECT state FROM webhook_events WHERE state = 'pending'").len();
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    acme.client().delete(&path).await.expect(204);
    assert_eq!(pending(), 1);
    assert_eq!(deliver_due(&worker(&acme)).await, 0);
    assert_eq!((pending(), acme.world.database().texts("SELECT queue FROM webhook_queues").len()), (0, 0));
    drop(receiver);
}

#[tokio::test]
async fn a_customer_anonymized_during_a_delivery_leaves_no_payload() {
    let (acme, receiver, _) = connected().await;
    let one = customer(&acme, "individual", "anonymized@acme.dev").await;
    let claim = acme.world.app.lease_webhook_deliveries(1).await.unwrap().remove(0);
    let payload = tenantry_http::webhook_payload(&claim.event.event().unwrap()).unwrap();
    assert!(payload.contains("anonymized@acme.dev"));
    let path = format!("/v1/customers/{}?anonymize=true", text(&one["id"]));
    acme.client().delete(&path).await.expect(204);
    assert!(!acme.world.database().holds("anonymized@acme.dev"));
    let attempt = DeliveryOutcome::Failed;
    let attempted = DeliveryAttempt {
        claim,
        payload: Some(payload),
        attempt,
        http_code: None,
        response: None,
        retry_after_ms: Some(1_000),
    };
    acme.world.app.write(attempted).await.unwrap();
    assert!(!acme.world.database().holds("anonymized@acme.dev"), "the payload is neither stored nor shown");
    drop(receiver);
}
