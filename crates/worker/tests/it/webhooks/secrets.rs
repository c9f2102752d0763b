//! Signing secrets before and after a rotation, and credentials in URLs.

use serde_json::{Value, json};
use tenantry_outbound::webhook::sign;
use tenantry_testkit::{Acme, ReceivedWebhook, WebhookReceiver};

use super::{acme_sending_to, connected, deliver_due, rename, text, worker};

fn path(endpoint: &Value) -> String {
    format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]))
}

/// The signature header of a request with these secrets.
fn signed(received: &ReceivedWebhook, secrets: &[&Value]) -> String {
    let timestamp_s = received.header("webhook-timestamp").parse().unwrap();
    let secrets = secrets.iter().map(|secret| text(secret));
    sign(secrets, received.header("webhook-id"), timestamp_s, received.text.as_bytes()).webhook_signature
}

/// Sends an event and returns it.
async fn send(acme: &Acme, receiver: &mut WebhookReceiver, name: &str) -> ReceivedWebhook {
    rename(acme, name).await;
    deliver_due(&worker(acme)).await;
    receiver.next().await
}

#[tokio::test]
async fn a_rotated_secret_signs_on_for_the_overlap() {
    let (acme, mut receiver, first) = connected().await;
    let rotate = format!("{}/rotate", path(&first));
    let second = acme.client().post(&rotate, json!({"overlap_seconds": 3600})).await.expect(200);
    assert_ne!(second["secret"], first["secret"]);
    assert!(second["previous_secret"]["expires_at"].is_string());
    assert!(!second.text.contains(text(&first["secret"])));
    assert_eq!(acme.client().get(&path(&first)).await.expect(200).body, second.body);
    let reader = acme.world.token(&acme.organization, "webhooks:read").await;
    assert!(!reader.get(&path(&first)).await.expect(200).text.contains(text(&second["secret"])));

    let both = send(&acme, &mut receiver, "During").await;
    assert_eq!(both.header("webhook-signature"), signed(&both, &[&second["secret"], &first["secret"]]));
    // A second rotation ends the first secret at once.
    let third = acme.client().post(&rotate, json!({})).await.expect(200);
    let later = send(&acme, &mut receiver, "Again").await;
    assert_eq!(later.header("webhook-signature"), signed(&later, &[&third["secret"], &second["secret"]]));
    acme.world.advance_s(24 * 60 * 60);
    let after = send(&acme, &mut receiver, "After").await;
    assert_eq!(after.header("webhook-signature"), signed(&after, &[&third["secret"]]));

    let entries = acme.world.audit(&acme.organization).await;
    assert_eq!(entries.iter().filter(|entry| entry.action == "webhook_endpoint.rotated").count(), 2);
    for secret in [&first, &second.body, &third.body] {
        assert!(!acme.world.database().holds(text(&secret["secret"])), "secrets are sealed");
    }
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn a_reset_or_a_given_secret_ends_the_others() {
    let (acme, mut receiver, first) = connected().await;
    for (method, end, body) in [
        ("PATCH", "/secret", None),
        ("PATCH", "", Some(json!({"secret": "a secret that I have chosen myself"}))),
        ("POST", "/rotate", Some(json!({"overlap_seconds": 0}))),
    ] {
        acme.client().post(&format!("{}/rotate", path(&first)), json!({})).await.expect(200);
        let last = acme.client().call(method, &format!("{}{end}", path(&first)), body).await.expect(200);
        assert_eq!(last.body.get("previous_secret"), None, "{end}");
        let received = send(&acme, &mut receiver, &format!("After {method}{end}")).await;
        assert_eq!(received.header("webhook-signature"), signed(&received, &[&last["secret"]]), "{end}");
    }
    let refused =
        acme.client().post(&format!("{}/rotate", path(&first)), json!({"overlap_seconds": -1})).await;
    refused.assert_violations(&["greater_than_equal body.overlap_seconds"]);
}

#[tokio::test]
async fn a_rotation_is_repeated_for_its_key() {
    let (acme, _receiver, first) = connected().await;
    let client = acme.client().key("once");
    let rotate = format!("{}/rotate", path(&first));
    let once = client.post(&rotate, json!({})).await.expect(200);
    let again = client.post(&rotate, json!({})).await.expect(200);
    assert_eq!((again.replayed().0, &again.body), (Some("true"), &once.body));
    assert_eq!(again.header("etag"), once.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_during_rotations_carries_a_secret_that_the_receiver_may_have() {
    let (acme, mut receiver, first) = connected().await;
    let rotate = format!("{}/rotate", path(&first));
    let mut secrets = vec![first["secret"].clone()];
    for round in 0..10 {
        rename(&acme, &format!("Name {round}")).await;
        let (worker, client) = (worker(&acme), acme.client());
        let (_, rotated) = tokio::join!(deliver_due(&worker), client.post(&rotate, json!({})));
        // On PostgreSQL the worker passes over a queue that the rotation holds.
        deliver_due(&worker).await;
        let received = receiver.next().await;
        let known = secrets.last().unwrap().clone();
        secrets.push(rotated.expect(200)["secret"].clone());
        // The receiver has the secret that was current before the rotation began.
        let mine = signed(&received, &[&known]);
        assert!(received.header("webhook-signature").contains(&mine), "round {round}");
    }
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn credentials_in_a_url_are_sent_and_never_shown() {
    let mut receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let host = receiver.host.clone();
    let url = |userinfo: &str| format!("http://{userinfo}@{host}/hook");
    let body = json!({"url": url("ada:l0velace"), "format": "raw", "events": ["organization.updated"]});
    let created = acme.client().key("k").post("/v1/webhooks/endpoints", body.clone()).await.expect(201);
    let masked = url("********");
    assert_eq!(created["url"], masked);
    let replayed = acme.client().key("k").post("/v1/webhooks/endpoints", body).await.expect(201);
    assert_eq!((replayed.replayed().0, &replayed["url"]), (Some("true"), &json!(masked)));
    let endpoint = path(&created.body);
    // Writing back what was read keeps them.
    acme.client().patch(&endpoint, json!({"url": masked, "name": "Mine"})).await.expect(200);
    let received = send(&acme, &mut receiver, "One").await;
    assert_eq!(received.header("authorization"), "Basic YWRhOmwwdmVsYWNl");

    for text in [
        acme.client().get(&endpoint).await.expect(200).text,
        acme.client().get("/v1/webhooks/endpoints").await.expect(200).text,
        acme.client().get("/v1/webhooks/deliveries").await.expect(200).text,
        format!("{:?}", acme.world.audit(&acme.organization).await),
    ] {
        assert!(!text.contains("l0velace"), "{text}");
    }
    assert!(!acme.world.database().holds("l0velace"), "they are sealed");

    // Masked ones are refused for another host: a caller that may change the URL need not know them.
    let stolen = format!("http://********@{}.evil.example/", receiver.host);
    for url in [
        "https://********@evil.example/".to_owned(),
        stolen.replace("127.0.0.1", "x"),
        masked.replace("http:", "https:"),
    ] {
        let refused = acme.client().patch(&endpoint, json!({"url": url})).await;
        refused.clone().expect(422);
        assert!(refused.violations()[0].ends_with("body.url"), "{refused}");
    }
    let refused = json!({"url": "https://********@x.example/", "format": "raw", "events": []});
    acme.client().post("/v1/webhooks/endpoints", refused).await.assert_violations(&["value_error body.url"]);

    let other = acme.client().patch(&endpoint, json!({"url": url("token")})).await.expect(200);
    assert_eq!(other["url"], masked);
    assert_eq!(send(&acme, &mut receiver, "Two").await.header("authorization"), "Basic dG9rZW46");
    acme.client().patch(&endpoint, json!({"url": receiver.url()})).await.expect(200);
    assert_eq!(send(&acme, &mut receiver, "Three").await.headers.get("authorization"), None);
    assert!(acme.world.findings().await.is_empty());
}
