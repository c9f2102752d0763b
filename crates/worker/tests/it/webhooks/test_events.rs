//! Test events, and the mails about endpoints that fail.

use serde_json::{Value, json};
use tenantry_core::mail::MailContent;
use tenantry_testkit::Acme;

use super::{connected, deliver_due, deliveries, rename, text, worker};

const TEST: &str = "webhook_endpoint.test";
/// Seconds, longer than the longest pause between two attempts.
const PAUSE_S: i64 = 1201;

fn path(endpoint: &Value) -> String {
    format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]))
}

/// Delivers until every event has succeeded or failed.
async fn exhaust(acme: &Acme) {
    let worker = worker(acme);
    for _ in 0..10 {
        deliver_due(&worker).await;
        acme.world.advance_s(PAUSE_S);
    }
}

#[tokio::test]
async fn a_test_is_delivered_recorded_and_marked() {
    let (acme, mut receiver, endpoint) = connected().await;
    // It needs no subscription.
    acme.client().patch(&path(&endpoint), json!({"events": []})).await.expect(200);
    let client = acme.client().key("once");
    let test = client.post(&format!("{}/test", path(&endpoint)), json!({})).await.expect(202);
    assert_eq!((&test["type"], &test["succeeded"]), (&json!(TEST), &Value::Null));
    let again = client.post(&format!("{}/test", path(&endpoint)), json!({})).await.expect(202);
    assert_eq!((again.replayed().0, again.id()), (Some("true"), test.id()));

    deliver_due(&worker(&acme)).await;
    let received = receiver.all();
    assert_eq!(received.len(), 1);
    let sent = received[0].json();
    assert_eq!((received[0].header("webhook-id"), &sent["type"]), (test.id().as_str(), &json!(TEST)));
    assert_eq!(
        sent["data"],
        json!({
            "webhook_endpoint_id": endpoint["id"],
            "organization_id": acme.organization.id.to_string(),
            "is_test": true
        })
    );
    // Published clients refuse the type, so a list has it only where it is asked for.
    assert!(deliveries(&acme).await.is_empty());
    let listed = acme.client().get(&format!("/v1/webhooks/deliveries?event_type={TEST}")).await.expect(200);
    assert_eq!(listed["items"][0]["webhook_event"]["payload"], received[0].text);
    let redeliver = format!("/v1/webhooks/events/{}/redeliver", test.id());
    acme.client().post(&redeliver, json!({})).await.expect(202);
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.all()[0].text, received[0].text);
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn tests_need_an_enabled_endpoint_of_ones_own_and_the_right() {
    let (acme, _receiver, endpoint) = connected().await;
    let test = format!("{}/test", path(&endpoint));
    let reader = acme.world.token(&acme.organization, "webhooks:read").await;
    reader.post(&test, json!({})).await.expect(403);
    let other = acme.world.organization("other").await;
    acme.world.token(&other, "*").await.post(&test, json!({})).await.expect(404);
    let names = json!({"events": [TEST]});
    acme.client().patch(&path(&endpoint), names).await.assert_violations(&["enum body.events.0"]);
    acme.client().patch(&path(&endpoint), json!({"enabled": false})).await.expect(200);
    acme.client().post(&test, json!({})).await.assert_error(409, "WebhookEndpointDisabled");
    acme.client().delete(&path(&endpoint)).await.expect(204);
    acme.client().post(&test, json!({})).await.expect(404);
}

#[tokio::test]
async fn tests_have_a_limit() {
    let (acme, _receiver, endpoint) = connected().await;
    let test = format!("{}/test", path(&endpoint));
    let mut sent = 0;
    let refused = loop {
        let answer = acme.client().post(&test, json!({})).await;
        if answer.status != 202 {
            break answer.expect(429);
        }
        sent += 1;
        assert!(sent < 1_000);
    };
    assert!(sent >= 256, "{sent}");
    acme.world.advance_s(refused.header("retry-after").unwrap().parse().unwrap());
    acme.client().post(&test, json!({})).await.expect(202);
}

#[tokio::test]
async fn failing_tests_disable_no_endpoint_and_do_not_interrupt_the_count() {
    let (acme, receiver, endpoint) = connected().await;
    receiver.answer_with(500);
    for _ in 0..11 {
        acme.client().post(&format!("{}/test", path(&endpoint)), json!({})).await.expect(202);
    }
    exhaust(&acme).await;
    let listed = acme.client().get(&format!("/v1/webhooks/deliveries?event_type={TEST}&limit=1")).await;
    assert_eq!(listed.expect(200)["items"][0]["webhook_event"]["succeeded"], false);
    assert_eq!(acme.client().get(&path(&endpoint)).await.expect(200)["enabled"], true);
    assert!(acme.world.mail().await.is_empty());
    for round in 0..9 {
        rename(&acme, &format!("Name {round}")).await;
    }
    exhaust(&acme).await;
    receiver.answer_with(200);
    acme.client().post(&format!("{}/test", path(&endpoint)), json!({})).await.expect(202);
    deliver_due(&worker(&acme)).await;
    receiver.answer_with(500);
    rename(&acme, "The tenth").await;
    exhaust(&acme).await;
    assert_eq!(acme.client().get(&path(&endpoint)).await.expect(200)["enabled"], false);
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn administrators_are_told_before_and_when_an_endpoint_is_disabled() {
    let (acme, receiver, endpoint) = connected().await;
    let members = format!("/v2/accounts/{}/members", acme.organization.id);
    for (email, role) in [
        ("admin@acme.dev", "Administrator"),
        ("dev@acme.dev", "Developer"),
        ("off@acme.dev", "Administrator"),
    ] {
        acme.client().post(&members, json!({"email": email, "role": role})).await.expect(201);
    }
    let mute = "UPDATE users SET muted_notices = 'webhooks' WHERE email_key = 'off@acme.dev'";
    acme.world.database().execute(mute);
    acme.client().patch(&path(&endpoint), json!({"name": "Orders"})).await.expect(200);
    acme.world.mail().await;
    receiver.answer_with(500);
    let mut told = Vec::new();
    for round in 0..10 {
        rename(&acme, &format!("Name {round}")).await;
        exhaust(&acme).await;
        let mails = acme.world.mail().await;
        let mut to: Vec<String> = mails.iter().map(|mail| mail.to.to_string()).collect();
        to.sort();
        if mails.is_empty() {
            continue;
        }
        assert_eq!(to, ["admin@acme.dev", "owner@acme.example.com"], "round {round}");
        told.push((round + 1, mails[0].content.clone()));
    }
    // The organization was renamed by the events themselves.
    let organization = |number: u32| format!("Name {}", number - 1);
    let endpoint = "Orders".to_owned();
    let failing = MailContent::WebhookEndpointFailing {
        organization: organization(5),
        endpoint: endpoint.clone(),
        failures: 5,
        most: 10,
    };
    let disabled =
        MailContent::WebhookEndpointDisabled { organization: organization(10), endpoint, failures: 10 };
    assert_eq!(told, [(5, failing), (10, disabled)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_and_a_deletion_at_the_same_time_leave_nothing_pending() {
    for _ in 0..10 {
        let (acme, mut receiver, endpoint) = connected().await;
        let (client, test) = (acme.client(), format!("{}/test", path(&endpoint)));
        let deleted = path(&endpoint);
        let (tested, deleted) = tokio::join!(client.post(&test, json!({})), client.delete(&deleted));
        assert!([202, 404].contains(&tested.status), "{tested}");
        deleted.expect(204);
        deliver_due(&worker(&acme)).await;
        assert!(receiver.all().is_empty(), "nothing is sent to a deleted endpoint");
        assert!(acme.world.findings().await.is_empty());
    }
}
