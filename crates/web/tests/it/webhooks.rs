//! Webhook endpoints and their deliveries.

use std::sync::Arc;

use serde_json::json;
use tenantry_outbound::webhook::{Policy, Sender};
use tenantry_testkit::{WebhookReceiver, World};
use tenantry_worker::webhooks::{Requests, WebhookWorker};

use crate::browser::{Browser, attribute, world, world_sending_to};

const WEBHOOKS: &str = "/console/organizations/acme/webhooks";

/// Delivers what is due.
async fn deliver(world: &World) {
    let hosts = world.settings().plain_http_hosts.clone();
    let sender = Sender::new(Policy { plain_http_hosts: hosts, ..Policy::default() }).unwrap();
    let worker = Arc::new(WebhookWorker::new(Arc::clone(&world.app), sender, tenantry_http::webhook_payload));
    let mut requests = Requests::default();
    loop {
        worker.look_at_all(&mut requests).await.unwrap();
        if !requests.ended().await {
            return;
        }
    }
}

#[tokio::test]
async fn an_endpoint_is_made_tested_and_its_deliveries_are_sent_again() {
    let mut receiver = WebhookReceiver::start().await;
    let world = world_sending_to(vec![receiver.host.clone()]);
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let url = receiver.url();
    let fields = [("url", url.as_str()), ("name", "Ours"), ("format", "raw"), ("event", "customer.created")];
    let made = browser.post(&format!("{WEBHOOKS}/new"), &fields).await.expect(200);
    assert!(made.text.contains("whsec_"), "{made}");
    let path = attribute(&made, "href", "/webhooks/0").to_owned();
    let page = browser.get(&path).await.expect(200);
    assert!(page.text.contains("Nothing was delivered yet") && !page.text.contains("whsec_"), "{page}");
    browser.post(&format!("{path}/test"), &[]).await.expect(303);
    let token = world.token(&acme, "*").await;
    token.post("/v1/customers", json!({"email": "jane@x.example", "name": "<b>Jane"})).await.expect(201);
    deliver(&world).await;
    assert_eq!(receiver.all().len(), 2);
    let page = browser.get(&path).await.expect(200);
    for shown in ["webhook_endpoint.test", "customer.created", "Accepted · 200", "2 deliveries"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    let failed = browser.get(&format!("{path}?result=failed")).await.expect(200);
    assert!(failed.text.contains("No delivery matches"), "{failed}");
    let created = browser.get(&format!("{path}?type=customer.created")).await.expect(200);
    assert!(created.text.contains("1 delivery"), "{created}");
    let event = attribute(&created, "href", "/events/").to_owned();
    let page = browser.get(&event).await.expect(200);
    assert!(page.text.contains("jane@x.example") && !page.text.contains("<b>Jane"), "{page}");
    let again = attribute(&page, "action", "/redeliver").to_owned();
    browser.post(&again, &[]).await.expect(303);
    deliver(&world).await;
    assert_eq!(receiver.all().len(), 1);
    assert_eq!(browser.get(&event).await.expect(200).text.matches("Accepted · 200").count(), 2);
    // The event of one endpoint is none of another.
    let other = browser.post(&format!("{WEBHOOKS}/new"), &fields).await.expect(200);
    let other = attribute(&other, "href", "/webhooks/0").to_owned();
    browser.get(&event.replace(&path, &other)).await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_endpoint_is_changed_switched_off_rotated_and_deleted() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    assert!(browser.get(WEBHOOKS).await.expect(200).text.contains("No endpoints yet"));
    for url in ["", "http://x.example/", "https://10.0.0.1/", "javascript:alert(1)"] {
        let fields = [("url", url), ("format", "raw")];
        let refused = browser.post(&format!("{WEBHOOKS}/new"), &fields).await.expect(422);
        assert!(refused.text.contains("href=\"#url\""), "{url}: {refused}");
    }
    let token = world.token(&acme, "*").await;
    let new = json!({"url": "https://u:p@x.example/hook", "format": "raw", "events": ["order.paid", "customer.created"]});
    let id = token.post("/v1/webhooks/endpoints", new).await.expect(201).id();
    let path = format!("{WEBHOOKS}/{id}");
    let edit = browser.get(&format!("{path}/edit")).await.expect(200);
    assert!(edit.text.contains("********") && !edit.text.contains("u:p@"), "{edit}");
    let url = attribute(&edit, "value", "x.example").to_owned();
    let fields =
        [("url", url.as_str()), ("format", "slack"), ("enabled", "off"), ("event", "member.created")];
    browser.post(&format!("{path}/edit"), &fields).await.expect(303);
    let row = token.get(&format!("/v1/webhooks/endpoints/{id}")).await.expect(200);
    // What the form does not offer is kept.
    assert_eq!(row["events"], json!(["member.created", "order.paid"]));
    assert_eq!((&row["enabled"], &row["format"]), (&json!(false), &json!("slack")));
    let refused = browser.post(&format!("{path}/test"), &[]).await.expect(409);
    assert!(refused.text.contains("switched off"), "{refused}");
    let page = browser.get(&path).await.expect(200);
    let enable = attribute(&page, "action", "/enable").to_owned();
    browser.post(&enable, &[]).await.expect(303);
    let rotated = browser.post(&format!("{path}/secret"), &[("overlap", "0")]).await.expect(200);
    let row_after = token.get(&format!("/v1/webhooks/endpoints/{id}")).await.expect(200);
    assert_ne!(row["secret"], row_after["secret"]);
    assert!(rotated.text.contains(row_after["secret"].as_str().unwrap()), "{rotated}");
    browser.post(&format!("{path}/delete"), &[("confirm", "no")]).await.expect(422);
    browser.post(&format!("{path}/delete"), &[("confirm", &url)]).await.expect(303);
    browser.get(&path).await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}
