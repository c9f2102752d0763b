//! Outages of a receiver or of the server: retries, leases, disabled endpoints, redelivery.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_app::limits::{WEBHOOK_DELIVERIES_PER_OWNER, WEBHOOK_LEASES_PER_TRANSACTION};
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_store::{StoreError, Tx, UseCase};
use tokio::sync::oneshot;

use tenantry_testkit::{Organization, ReceivedWebhook, WebhookReceiver};
use tenantry_worker::WorkerMeters;

use super::{
    acme_sending_to, connected, customer, deliver_due, deliveries, rename, subscribe, text, worker,
    worker_allowing,
};

/// More than there are queues.
const IN_ONE_LOOK: usize = 4 * WEBHOOK_DELIVERIES_PER_OWNER;
/// Seconds, longer than the longest pause between two attempts.
const PAUSE_S: i64 = 1201;

#[tokio::test]
async fn outcomes_are_counted() {
    let (acme, mut receiver, _) = connected().await;
    let meters = Arc::new(WorkerMeters::default());
    let worker = Arc::into_inner(worker(&acme)).unwrap().with_meters(Arc::clone(&meters));
    let worker = Arc::new(worker);
    receiver.answer_with(500);
    rename(&acme, "First").await;
    deliver_due(&worker).await;
    receiver.answer_with(204);
    rename(&acme, "Second").await;
    deliver_due(&worker).await;
    assert_eq!(receiver.all().len(), 2);
    let reading = meters.reading();
    assert_eq!(reading.webhooks, [("delivered", 1), ("failed", 1)]);
    assert_eq!(reading.endpoints_disabled, 0);
}

#[tokio::test]
async fn a_failed_event_is_sent_ten_times_unchanged_and_delays_no_other() {
    let (acme, mut receiver, endpoint) = connected().await;
    receiver.answer_with(500);
    let worker = worker(&acme);
    rename(&acme, "First").await;
    deliver_due(&worker).await;
    let first = receiver.next().await;

    receiver.answer_with(204);
    rename(&acme, "Second").await;
    deliver_due(&worker).await;
    assert_eq!(receiver.next().await.json()["data"]["name"], "Second", "before the retry of the first");

    // A retry sends the same text, even after the endpoint's format has changed.
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    acme.client().patch(&path, json!({"format": "slack"})).await.expect(200);
    receiver.answer_with(302);
    for attempt in 2..=10 {
        assert_eq!(deliver_due(&worker).await, 0, "too early for attempt {attempt}");
        acme.world.advance_s(PAUSE_S);
        assert_eq!(deliver_due(&worker).await, 1, "attempt {attempt}");
        let again = receiver.next().await;
        assert_eq!(again.text, first.text);
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_ne!(again.header("webhook-timestamp"), first.header("webhook-timestamp"));
    }
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 0, "there is no eleventh attempt");
    let attempts = deliveries(&acme).await;
    let (last, event) = (&attempts[0], &attempts[0]["webhook_event"]);
    assert_eq!((attempts.len(), &last["http_code"], &last["response"]), (11, &json!(302), &json!("noted")));
    assert_eq!((&event["succeeded"], &event["skipped"]), (&json!(false), &json!(false)));
    assert_eq!(event["payload"], first.text);
    assert!(acme.client().get(&path).await.expect(200).body["enabled"].as_bool().unwrap());
}

#[tokio::test]
async fn first_attempts_keep_their_order_when_the_clock_goes_back() {
    let (acme, mut receiver, _) = connected().await;
    for round in 0..20 {
        rename(&acme, &format!("Name {round}")).await;
        acme.world.advance_s(if round % 3 == 0 { -5 } else { 1 });
    }
    acme.world.advance_s(100);
    deliver_due(&worker(&acme)).await;
    let names: Vec<Value> =
        receiver.all().iter().map(|received| received.json()["data"]["name"].clone()).collect();
    assert_eq!(names, (0..20).map(|round| json!(format!("Name {round}"))).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_endpoint_delays_no_other_and_a_commit_wakes_the_worker() {
    let (mut slow, mut quick) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let acme = acme_sending_to(&[&slow, &quick]).await;
    subscribe(&acme, &slow).await;
    subscribe(&acme, &quick).await;
    slow.hold(true);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = worker(&acme).run(async {
        let _ = stopped.await;
    });
    let asking = async {
        for round in 0..10 {
            rename(&acme, &format!("Name {round}")).await;
            // Sooner than the worker polls.
            let received = tokio::time::timeout(Duration::from_secs(4), quick.next()).await.unwrap();
            assert_eq!(received.json()["data"]["name"], format!("Name {round}"));
        }
        assert_eq!(slow.next().await.json()["data"]["name"], "Name 0");
        assert!(slow.all().is_empty(), "one request of a queue at a time");
        slow.hold(false);
        for round in 1..10 {
            assert_eq!(slow.next().await.json()["data"]["name"], format!("Name {round}"));
        }
        stop.send(()).unwrap();
    };
    tokio::join!(running, asking);
}

#[tokio::test]
async fn a_pending_event_is_delivered_after_a_restart() {
    let (acme, mut receiver, _) = connected().await;
    customer(&acme, "individual", "one@acme.dev").await;
    let acme = acme.restart().await;
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.kinds(), ["customer.created", "member.created", "customer.state_changed"]);
}

#[tokio::test]
async fn an_event_whose_outcome_was_not_recorded_is_sent_again() {
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Once").await;
    rename(&acme, "Twice").await;
    let lost = acme.world.app.lease_webhook_deliveries(10).await.unwrap();
    assert_eq!(lost.len(), 1, "one request of a queue at a time");

    let worker = worker(&acme);
    acme.world.advance_s(19);
    assert_eq!(deliver_due(&worker).await, 0, "the lease has not ended");
    acme.world.advance_s(1);
    assert_eq!(deliver_due(&worker).await, 2);
    let received = receiver.all();
    assert_eq!(received[0].header("webhook-id"), lost[0].event.id.to_string());
    assert_eq!(received[1].json()["data"]["name"], "Twice");
}

#[tokio::test]
async fn ten_failed_events_in_a_row_disable_the_endpoint() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let worker = worker(&acme);
    receiver.answer_with(500);
    let fail = async |count: usize| {
        for round in 0..count {
            rename(&acme, &format!("DeliveryError {round}")).await;
            acme.world.advance_s(1);
        }
        for _ in 0..10 {
            deliver_due(&worker).await;
            acme.world.advance_s(PAUSE_S);
        }
    };
    fail(9).await;
    assert_eq!(acme.client().get(&path).await.expect(200).body["enabled"], true, "nine are not ten");
    receiver.answer_with(200);
    rename(&acme, "Success").await;
    deliver_due(&worker).await;
    receiver.answer_with(500);
    fail(9).await;
    assert_eq!(acme.client().get(&path).await.expect(200).body["enabled"], true, "a success among them");

    // The tenth event fails while another one is pending after one attempt.
    rename(&acme, "Tenth").await;
    for _ in 0..8 {
        deliver_due(&worker).await;
        acme.world.advance_s(PAUSE_S);
    }
    deliver_due(&worker).await;
    rename(&acme, "Pending").await;
    deliver_due(&worker).await;
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 2);
    let disabled = acme.client().get(&path).await.expect(200).body;
    assert_eq!(disabled["enabled"], false);
    assert!(text(&disabled["disabled_reason"]).contains("10 events"));
    let tried = deliveries(&acme).await;
    let of = |name| {
        tried.iter().map(|shown| &shown["webhook_event"]).find(|event| text(&event["payload"]).contains(name))
    };
    assert_eq!(of("Tenth").unwrap()["succeeded"], false);
    assert_eq!(of("Pending").unwrap()["skipped"], true);
    rename(&acme, "Not sent").await;
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 0);

    // Enabling the endpoint resets the count.
    let on = acme.client().patch(&path, json!({"enabled": true})).await.expect(200).body;
    assert_eq!((&on["enabled"], &on["disabled_reason"]), (&json!(true), &json!(null)));
    fail(1).await;
    assert_eq!(acme.client().get(&path).await.expect(200).body["enabled"], true);
    receiver.all();
}

#[tokio::test]
async fn a_redelivery_sends_an_event_once_more() {
    let (acme, mut receiver, endpoint) = connected().await;
    let worker = worker(&acme);
    rename(&acme, "Sent").await;
    deliver_due(&worker).await;
    let first = receiver.next().await;
    let path = format!("/v1/webhooks/events/{}/redeliver", first.header("webhook-id"));

    acme.world.advance_s(60);
    assert_eq!(acme.client().call("POST", &path, None).await.expect(202).body, Value::Null);
    receiver.answer_with(500);
    assert_eq!(deliver_due(&worker).await, 1);
    let again = receiver.next().await;
    assert_eq!((&again.text, again.header("webhook-id")), (&first.text, first.header("webhook-id")));
    assert_ne!(again.header("webhook-timestamp"), first.header("webhook-timestamp"));
    let shown = &deliveries(&acme).await[0];
    assert_eq!((&shown["succeeded"], &shown["webhook_event"]["succeeded"]), (&json!(false), &json!(true)));
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 0, "a failed redelivery of a delivered event is not retried");

    acme.client().delete(&format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]))).await.expect(204);
    acme.client().call("POST", &path, None).await.expect(202);
    assert_eq!(deliver_due(&worker).await, 0, "a deleted endpoint receives nothing");
    acme.client()
        .call("POST", "/v1/webhooks/events/00000000-0000-4000-8000-000000000000/redeliver", None)
        .await
        .expect(404);
}

#[tokio::test]
async fn a_disabled_or_deleted_endpoint_receives_nothing_more() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let worker = worker(&acme);
    receiver.answer_with(500);
    rename(&acme, "Tried once").await;
    deliver_due(&worker).await;
    rename(&acme, "Never tried").await;
    acme.client().patch(&path, json!({"enabled": false})).await.expect(200);
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 0);
    assert_eq!(deliveries(&acme).await[0]["webhook_event"]["skipped"], true);
    assert_eq!(receiver.all().len(), 1);

    // Once the endpoint is enabled, a redelivery makes an event pending again.
    acme.client().patch(&path, json!({"enabled": true})).await.expect(200);
    let event = deliveries(&acme).await[0]["webhook_event"]["id"].clone();
    receiver.answer_with(200);
    acme.client()
        .call("POST", &format!("/v1/webhooks/events/{}/redeliver", text(&event)), None)
        .await
        .expect(202);
    assert_eq!(deliver_due(&worker).await, 1);
    assert_eq!(deliveries(&acme).await[0]["webhook_event"]["succeeded"], true);

    rename(&acme, "Too late").await;
    acme.client().delete(&path).await.expect(204);
    assert_eq!(deliver_due(&worker).await, 0);
    assert_eq!(deliveries(&acme).await.len(), 2, "recorded attempts stay visible");
    let filtered = format!("/v1/webhooks/deliveries?endpoint_id={}", text(&endpoint["id"]));
    assert_eq!(acme.client().get(&filtered).await.expect(200).body["pagination"]["total_count"], 0);
}

#[tokio::test]
async fn the_list_of_deliveries_is_filtered() {
    let (acme, mut receiver, endpoint) = connected().await;
    let worker = worker(&acme);
    receiver.answer_with(503);
    rename(&acme, "Refused").await;
    deliver_due(&worker).await;
    let refused = receiver.next().await;
    acme.world.advance_s(1);
    receiver.answer_with(201);
    customer(&acme, "individual", "one@acme.dev").await;
    deliver_due(&worker).await;
    let all = deliveries(&acme).await;
    assert_eq!(all.len(), 4);
    let id = text(&endpoint["id"]);
    let between = text(&all[3]["created_at"]);
    let (of_event, of_delivery) = (&refused.header("webhook-id")[3..23], text(&all[0]["id"]));
    for (query, found) in [
        ("succeeded=true".to_owned(), 3),
        ("succeeded=false".to_owned(), 1),
        ("http_code_class=2xx".to_owned(), 3),
        ("http_code_class=5xx".to_owned(), 1),
        ("http_code_class=4xx".to_owned(), 0),
        ("event_type=member.created&event_type=customer.created".to_owned(), 2),
        (format!("endpoint_id={id}"), 4),
        (format!("start_timestamp={between}"), 3),
        (format!("end_timestamp={between}"), 0),
        (format!("query={of_event}"), 1),
        (format!("query={of_delivery}"), 1),
        ("query=50".to_owned(), 1),
        ("query=5_3".to_owned(), 1),
        ("query=zzz".to_owned(), 0),
        ("succeeded=true&http_code_class=5xx".to_owned(), 0),
    ] {
        let list = acme.client().get(&format!("/v1/webhooks/deliveries?{query}")).await.expect(200).body;
        if query.starts_with("query=5") {
            // An id may contain the digits of a status too.
            assert!(list["pagination"]["total_count"].as_u64().unwrap() >= found, "{query}");
        } else {
            assert_eq!(list["pagination"]["total_count"], found, "{query}");
        }
    }
    let shown = &all[3];
    assert_eq!((&shown["http_code"], &shown["webhook_event"]["last_http_code"]), (&json!(503), &json!(503)));
    assert_eq!((&shown["webhook_event"]["succeeded"], &shown["succeeded"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn old_payloads_are_deleted() {
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Old").await;
    deliver_due(&worker(&acme)).await;
    let event = receiver.next().await;
    acme.world.advance_s(90 * 24 * 60 * 60 + 60);
    rename(&acme, "New").await;
    deliver_due(&worker(&acme)).await;
    acme.world.app.sweep().await.unwrap();
    let shown = deliveries(&acme).await;
    let (new, old) = (&shown[0]["webhook_event"], &shown[1]["webhook_event"]);
    assert_eq!((&old["payload"], &old["is_archived"]), (&Value::Null, &json!(true)));
    assert_eq!((new["payload"].is_string(), &new["is_archived"]), (true, &json!(false)));
    let path = format!("/v1/webhooks/events/{}/redeliver", event.header("webhook-id"));
    acme.client().call("POST", &path, None).await.expect(202);
    receiver.all();
    assert_eq!(deliver_due(&worker(&acme)).await, 0, "an event without payload is not sent");
}

/// Deletes the payloads of a customer's events.
struct DeletePayloads(OrganizationId, CustomerId);

impl UseCase for DeletePayloads {
    type Output = usize;
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.webhook_events_delete_data(self.0, self.1).await
    }
}

#[tokio::test]
async fn the_payloads_of_a_customers_events_can_be_deleted() {
    let (acme, mut receiver, _) = connected().await;
    let one = customer(&acme, "individual", "one@acme.dev").await;
    customer(&acme, "individual", "two@acme.dev").await;
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.all().len(), 6);
    let customer = CustomerId::new(text(&one["id"]).parse().unwrap());
    assert_eq!(
        acme.world.app.store().write(DeletePayloads(acme.organization.id, customer)).await.unwrap(),
        3
    );
    let shown = deliveries(&acme).await;
    let received = shown.iter().filter(|shown| shown["webhook_event"]["payload"].is_string()).count();
    assert_eq!((shown.len(), received), (6, 3));
    assert!(!json!(shown).to_string().contains("one@acme.dev"));
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_without_a_retry() {
    let (acme, mut receiver, _) = connected().await;
    // The operator no longer allows the host.
    let worker = worker_allowing(&acme, &[]);
    rename(&acme, "Private").await;
    assert_eq!(deliver_due(&worker).await, 1);
    acme.world.advance_s(PAUSE_S);
    assert_eq!(deliver_due(&worker).await, 0);
    let attempts = deliveries(&acme).await;
    assert_eq!(attempts[0]["http_code"], Value::Null);
    assert!(text(&attempts[0]["response"]).starts_with("refused: "));
    assert_eq!(attempts[0]["webhook_event"]["succeeded"], false);
    assert_eq!(receiver.all().iter().map(ReceivedWebhook::kind).count(), 0);
}

#[tokio::test]
async fn an_organization_uses_no_more_than_its_share() {
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    for _ in 0..WEBHOOK_DELIVERIES_PER_OWNER + 3 {
        subscribe(&acme, &receiver).await;
    }
    rename(&acme, "Name").await;
    let mut taken = 0;
    loop {
        let claims = acme.world.app.lease_webhook_deliveries(IN_ONE_LOOK).await.unwrap();
        assert!(claims.len() <= WEBHOOK_LEASES_PER_TRANSACTION);
        taken += claims.len();
        if claims.is_empty() {
            break;
        }
    }
    assert_eq!(taken, WEBHOOK_DELIVERIES_PER_OWNER, "requests under way count");
}

#[tokio::test]
async fn organizations_of_one_owner_share_one_share() {
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let world = &acme.world;
    let child = world.sub_account(&acme.organization, "Child").await;
    let second = world.organization_owned_by("second", &acme.organization.owner).await;
    let stranger = world.organization("stranger").await;
    let of_child = Organization { id: child, ..second.clone() };
    // Each has more endpoints than half a share.
    for organization in [&acme.organization, &of_child, &second, &stranger] {
        let client = world.token(organization, "*").await;
        for _ in 0..WEBHOOK_DELIVERIES_PER_OWNER / 2 + 2 {
            let new = json!({"url": receiver.url(), "format": "raw", "events": ["organization.updated"]});
            client.post("/v1/webhooks/endpoints", new).await.expect(201);
        }
        let path = format!("/v1/organizations/{}", organization.id);
        client.patch(&path, json!({"name": "Another name"})).await.expect(200);
    }
    let (mut of_owner, mut of_stranger) = (0, 0);
    loop {
        let claims = world.app.lease_webhook_deliveries(IN_ONE_LOOK).await.unwrap();
        if claims.is_empty() {
            break;
        }
        let others = claims.iter().filter(|claim| claim.queue.organization == stranger.id).count();
        of_stranger += others;
        of_owner += claims.len() - others;
    }
    assert_eq!(of_owner, WEBHOOK_DELIVERIES_PER_OWNER);
    assert_eq!(of_stranger, WEBHOOK_DELIVERIES_PER_OWNER / 2 + 2);
}
