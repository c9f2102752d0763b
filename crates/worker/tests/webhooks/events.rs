//! Which events a change makes, in which order, and what they say.

use serde_json::json;
use tenantry_app::customers::CustomerCreate;
use tenantry_app::{Error, Requester};
use tenantry_core::ExecutionContext;
use tenantry_core::customer::{CustomerKind, NewCustomer};
use tenantry_core::values::{EmailAddress, Metadata};
use tenantry_store::{Tx, UseCase};

use tenantry_testkit::ReceivedWebhook;

use super::{connected, customer, rename, text, worker};

#[tokio::test]
async fn a_customers_events_come_in_causal_order() {
    let (acme, mut receiver, _) = connected().await;
    let worker = worker(&acme);
    let one = customer(&acme, "individual", "one@acme.dev").await;
    let path = format!("/v1/customers/{}", text(&one["id"]));
    worker.deliver_due().await.unwrap();
    assert_eq!(receiver.kinds(), ["customer.created", "member.created", "customer.state_changed"]);

    acme.client().patch(&path, json!({"email": "other@acme.dev"})).await.expect(200).body;
    worker.deliver_due().await.unwrap();
    assert_eq!(receiver.kinds(), ["customer.updated", "member.updated", "customer.state_changed"]);

    acme.client().patch(&path, json!({"name": "Else"})).await.expect(200).body;
    worker.deliver_due().await.unwrap();
    assert_eq!(receiver.kinds(), ["customer.updated", "customer.state_changed"]);

    acme.client().delete(&path).await.expect(204);
    worker.deliver_due().await.unwrap();
    let told = receiver.all();
    let kinds: Vec<String> = told.iter().map(ReceivedWebhook::kind).collect();
    assert_eq!(kinds, ["member.deleted", "customer.deleted", "customer.state_changed"]);
    assert!(told[1].json()["data"]["deleted_at"].is_string());
    assert!(told[2].json()["data"]["deleted_at"].is_string());
}

#[tokio::test]
async fn data_is_what_the_api_shows() {
    let (acme, mut receiver, endpoint) = connected().await;
    let new = json!({"type": "team", "name": "Team", "external_id": "x/1", "metadata": {"a": 1.0, "b": "c"},
        "owner": {"email": "owner@team.dev"}, "billing_address": {"country": "FR"}, "tax_id": "FR61954506077"});
    let team = acme.client().post("/v1/customers", new).await.expect(201).body;
    rename(&acme, "Renamed").await;
    let organization =
        acme.client().get(&format!("/v1/organizations/{}", acme.organization.id)).await.expect(200).body;
    worker(&acme).deliver_due().await.unwrap();
    let told = receiver.all();

    // The text itself, so that the order of its keys is seen.
    let created = &told[0];
    let timestamp = &created.json()["timestamp"];
    assert_eq!(timestamp, &team["created_at"]);
    assert_eq!(
        created.text,
        format!(
            "{{\"type\":\"customer.created\",\"timestamp\":{timestamp},\"data\":{team},\"api_version\":\"2026-04\"}}"
        )
    );
    assert!(team["avatar_url"].is_string(), "the owner's address stands for the team's");
    let mut state = team.clone();
    for list in ["active_subscriptions", "granted_benefits", "active_meters"] {
        state[list] = json!([]);
    }
    assert_eq!(told[2].json()["data"].to_string(), state.to_string());
    assert_eq!(told[3].json()["data"].to_string(), organization.to_string());

    assert_eq!(created.header("content-type"), "application/json");
    assert_eq!(created.header("webhook-signature").split(' ').count(), 2, "for both readers of a secret");
    let signed = tenantry_outbound::webhook::headers(
        text(&endpoint["secret"]),
        created.header("webhook-id"),
        created.header("webhook-timestamp").parse().unwrap(),
        created.text.as_bytes(),
    );
    assert_eq!(signed.webhook_signature, created.header("webhook-signature"));
}

#[tokio::test]
async fn a_transfer_of_ownership_tells_of_both() {
    let (acme, mut receiver, _) = connected().await;
    let team = customer(&acme, "team", "team@acme.dev").await;
    let members = format!("/v1/customers/{}/members", text(&team["id"]));
    let heir = acme.client().post(&members, json!({"email": "heir@acme.dev"})).await.expect(201);
    let worker = worker(&acme);
    worker.deliver_due().await.unwrap();
    receiver.all();

    let path = format!("{members}/{}", text(&heir["id"]));
    acme.client().patch(&path, json!({"role": "owner"})).await.expect(200).body;
    worker.deliver_due().await.unwrap();
    let told = receiver.all();
    let roles: Vec<_> = told.iter().map(|told| (told.kind(), told.json()["data"]["role"].clone())).collect();
    let updated = |role: &str| ("member.updated".to_owned(), json!(role));
    assert_eq!(roles, [updated("billing_manager"), updated("owner")]);
}

#[tokio::test]
async fn a_change_of_nothing_tells_nothing() {
    let (acme, mut receiver, _) = connected().await;
    let one = customer(&acme, "individual", "one@acme.dev").await;
    let worker = worker(&acme);
    worker.deliver_due().await.unwrap();
    receiver.all();

    let path = format!("/v1/customers/{}", text(&one["id"]));
    for body in [json!({}), json!({"name": "Someone"}), json!({"email": "ONE@acme.dev"})] {
        acme.client().patch(&path, body).await.expect(200).body;
    }
    acme.client()
        .patch(&format!("/v1/organizations/{}", acme.organization.id), json!({}))
        .await
        .expect(200)
        .body;
    let team = customer(&acme, "team", "team@acme.dev").await;
    worker.deliver_due().await.unwrap();
    receiver.all();
    let again = json!({"customer_id": team["id"], "email": "team@acme.dev"});
    acme.client().post("/v1/members", again).await.expect(201);
    assert_eq!(worker.deliver_due().await.unwrap(), 0);
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    acme.client().patch(&path, json!({"events": ["member.created"]})).await.expect(200).body;
    customer(&acme, "individual", "one@acme.dev").await;
    worker(&acme).deliver_due().await.unwrap();
    assert_eq!(receiver.kinds(), ["member.created"]);
}

#[tokio::test]
async fn notices_for_chat_rooms() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let worker = worker(&acme);
    for (format, shown) in [("discord", "content"), ("slack", "text")] {
        acme.client().patch(&path, json!({"format": format})).await.expect(200).body;
        rename(&acme, &format!("For {format}")).await;
        worker.deliver_due().await.unwrap();
        let notice = receiver.next().await.json();
        assert_eq!(notice[shown], "organization.updated");
        assert!(notice.to_string().contains(&acme.organization.id.to_string()));
        assert!(notice.to_string().contains(&format!("For {format}")));
    }
}

/// Creates a customer and then fails.
struct Undone;

impl UseCase for Undone {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let new = NewCustomer {
            kind: CustomerKind::Individual,
            email: Some(EmailAddress::parse("undone@acme.dev").unwrap()),
            name: None,
            external_id: None,
            metadata: Metadata::default(),
            billing_address: None,
            tax_id: None,
            locale: None,
            owner: None,
        };
        let organizations = tx
            .organizations(
                &tenantry_store::OrganizationFilter::default(),
                tenantry_store::Page { offset: 0, limit: 1 },
            )
            .await?;
        let organization = organizations.items.first().map(|organization| organization.id);
        CustomerCreate { by: Requester::system(), organization, new }.run(tx, context).await?;
        Err(Error::OrganizationNotFound)
    }
}

#[tokio::test]
async fn nothing_is_told_of_what_did_not_happen() {
    let (acme, mut receiver, _) = connected().await;
    acme.world.app.write(Undone).await.unwrap_err();
    assert_eq!(worker(&acme).deliver_due().await.unwrap(), 0);
    assert!(receiver.all().is_empty());
}
