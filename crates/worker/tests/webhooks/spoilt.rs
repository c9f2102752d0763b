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

use tenantry_testkit::{Acme, WebhookReceiver};

use super::{
    acme_sending_to, connected, customer, rename, restart_with_slow_writes, subscribe, text, worker,
};

/// A acme with an endpoint at each of two receivers.
async fn two() -> (Acme, WebhookReceiver, WebhookReceiver) {
    let (spoilt, whole) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let acme = acme_sending_to(&[&spoilt, &whole]).await;
    subscribe(&acme, &spoilt).await;
    subscribe(&acme, &whole).await;
    (acme, spoilt, whole)
}

/// Which endpoint leads to the receiver, as a part of a query.
fn at(receiver: &WebhookReceiver) -> String {
    format!("(SELECT id FROM webhook_endpoints WHERE url = '{}')", receiver.url())
}

#[tokio::test]
async fn an_event_of_a_newer_program_holds_up_no_other_endpoint() {
    let (acme, mut spoilt, mut whole) = two().await;
    rename(&acme, "Told").await;
    let rename_type = |from: &str, to: &str| {
        let queue = at(&spoilt);
        acme.world.database().execute(&format!(
            "UPDATE webhook_events SET type = '{to}' WHERE type = '{from}' AND endpoint_id = {queue}"
        ));
    };
    rename_type("organization.updated", "organization.invented");
    let worker = worker(&acme);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(whole.next().await.json()["data"]["name"], "Told");
    // It is not tried all the time, and sent once it can be read.
    rename_type("organization.invented", "organization.updated");
    assert_eq!(worker.deliver_due().await.unwrap(), 0);
    acme.world.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(spoilt.next().await.json()["data"]["name"], "Told");
}

#[tokio::test]
async fn an_endpoint_whose_secret_does_not_open_is_mended_or_deleted() {
    let (acme, mut spoilt, mut whole) = two().await;
    let (one, other) = (at(&spoilt), at(&whole));
    // Sealed for the other one.
    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    rename(&acme, "Told").await;
    let worker = worker(&acme);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(whole.next().await.json()["data"]["name"], "Told");

    let list = acme.client().get("/v1/webhooks/endpoints").await.expect(200).body;
    let shown = list["items"].as_array().unwrap().iter().find(|shown| shown["url"] == spoilt.url()).unwrap();
    let path = format!("/v1/webhooks/endpoints/{}", text(&shown["id"]));
    let named = acme.client().patch(&path, json!({"name": "Spoilt"})).await.expect(200).body;
    assert_eq!(named["secret"], shown["secret"], "which says that there is none");
    let mended = acme.client().call("PATCH", &format!("{path}/secret"), None).await.expect(200).body;
    assert!(text(&mended["secret"]).starts_with("whsec_"), "{mended}");
    acme.world.advance_s(UNREADABLE_RETRY_S);
    assert_eq!(worker.deliver_due().await.unwrap(), 1);
    assert_eq!(spoilt.next().await.json()["data"]["name"], "Told");

    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE id = {one}"
    ));
    acme.client().patch(&path, json!({"enabled": false})).await.expect(200).body;
    acme.client().delete(&path).await.expect(204);
}

#[tokio::test]
async fn endpoints_that_cannot_be_read_take_nobodys_turn_however_many_they_are() {
    let (spoilt, mut whole) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let acme = acme_sending_to(&[&spoilt, &whole]).await;
    for _ in 0..WEBHOOK_DELIVERIES_PER_ORGANIZATION + 8 {
        subscribe(&acme, &spoilt).await;
    }
    // Behind all of them.
    subscribe(&acme, &whole).await;
    let other = at(&whole);
    acme.world.database().execute(&format!(
        "UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {other})
         WHERE url = '{}'",
        spoilt.url()
    ));
    let worker = worker(&acme);
    for name in ["Told", "Told again", "Told once more"] {
        rename(&acme, name).await;
        assert_eq!(worker.deliver_due().await.unwrap(), 1);
        assert_eq!(whole.next().await.json()["data"]["name"], name);
        acme.world.advance_s(UNREADABLE_RETRY_S);
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
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let mut endpoints = Vec::new();
    for _ in 0..=WEBHOOK_LEASES_PER_TRANSACTION {
        let endpoint = subscribe(&acme, &receiver).await;
        endpoints.push(WebhookEndpointId::new(text(&endpoint["id"]).parse().unwrap()));
    }
    rename(&acme, "Told").await;
    // What is due at the same time is taken in this order.
    endpoints.sort_unstable();
    let free = endpoints.pop().unwrap();
    let [held, gate] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
    let hold = Hold(acme.organization.id, endpoints, [Arc::clone(&held), Arc::clone(&gate)]);
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
async fn a_webhook_that_was_taken_slowly_is_left_to_whoever_takes_it_next() {
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Told").await;
    acme.world.advance_s(60);
    // A request may take 10 s, and the lease is 20 s long.
    let acme = restart_with_slow_writes(acme, 11).await;
    worker(&acme).deliver_due().await.unwrap();
    assert!(receiver.all().is_empty());
    acme.world.advance_s(WEBHOOK_LEASE_S);
    let acme = restart_with_slow_writes(acme, 9).await;
    worker(&acme).deliver_due().await.unwrap();
    assert_eq!(receiver.next().await.json()["data"]["name"], "Told");
}

#[tokio::test]
async fn an_endpoint_that_listens_to_what_is_unknown_keeps_listening_to_it() {
    let (acme, mut receiver, endpoint) = connected().await;
    acme.world.database().execute(
        "UPDATE webhook_endpoints SET events = '[\"organization.invented\",\"organization.updated\"]'",
    );
    rename(&acme, "Told").await;
    assert_eq!(worker(&acme).deliver_due().await.unwrap(), 1);
    assert_eq!(receiver.next().await.json()["data"]["name"], "Told");
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let named = acme.client().patch(&path, json!({"name": "Named"})).await.expect(200).body;
    assert_eq!(named["events"], json!(["organization.updated"]));
    let stored = acme.world.database().texts("SELECT events FROM webhook_endpoints");
    assert!(stored[0].contains("organization.invented"), "{stored:?}");
}

#[tokio::test]
async fn what_is_pending_for_an_endpoint_is_given_up_in_portions() {
    let (acme, receiver, endpoint) = connected().await;
    for number in 0..=WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION {
        rename(&acme, &format!("Name {number}")).await;
    }
    let pending =
        || acme.world.database().texts("SELECT state FROM webhook_events WHERE state = 'pending'").len();
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    acme.client().delete(&path).await.expect(204);
    assert_eq!(pending(), 1);
    assert_eq!(worker(&acme).deliver_due().await.unwrap(), 0);
    assert_eq!((pending(), acme.world.database().texts("SELECT queue FROM webhook_queues").len()), (0, 0));
    drop(receiver);
}

#[tokio::test]
async fn a_name_that_is_forgotten_while_it_is_sent_does_not_come_back() {
    let (acme, receiver, _) = connected().await;
    let one = customer(&acme, "individual", "forgotten@acme.dev").await;
    let claim = acme.world.app.lease_webhook_deliveries(1).await.unwrap().remove(0);
    let payload = tenantry_http::webhook_payload(&claim.event.event().unwrap()).unwrap();
    assert!(payload.contains("forgotten@acme.dev"));
    let path = format!("/v1/customers/{}?anonymize=true", text(&one["id"]));
    acme.client().delete(&path).await.expect(204);
    assert!(!acme.world.database().holds("forgotten@acme.dev"));
    let attempt = DeliveryOutcome::Failed;
    let attempted = DeliveryAttempt {
        claim,
        payload,
        attempt,
        http_code: None,
        response: None,
        retry_after_ms: Some(1_000),
    };
    acme.world.app.write(attempted).await.unwrap();
    assert!(!acme.world.database().holds("forgotten@acme.dev"), "neither sent again nor shown");
    drop(receiver);
}
