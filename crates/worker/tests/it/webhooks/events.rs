//! The events of a change: their types, their order and their content.

use serde_json::json;
use tenantry_app::customers::CustomerCreate;
use tenantry_app::{Error, Requester};
use tenantry_core::ExecutionContext;
use tenantry_core::customer::{CustomerKind, NewCustomer};
use tenantry_core::values::EmailAddress;
use tenantry_store::{Tx, UseCase};

use tenantry_testkit::ReceivedWebhook;

use super::{connected, customer, deliver_due, rename, text, worker};

#[tokio::test]
async fn the_events_of_a_customer_arrive_in_causal_order() {
    let (acme, mut receiver, _) = connected().await;
    let worker = worker(&acme);
    let one = customer(&acme, "individual", "one@acme.dev").await;
    let path = format!("/v1/customers/{}", text(&one["id"]));
    deliver_due(&worker).await;
    assert_eq!(receiver.kinds(), ["customer.created", "member.created", "customer.state_changed"]);

    acme.client().patch(&path, json!({"email": "other@acme.dev"})).await.expect(200);
    deliver_due(&worker).await;
    assert_eq!(receiver.kinds(), ["customer.updated", "member.updated", "customer.state_changed"]);

    acme.client().patch(&path, json!({"name": "Else"})).await.expect(200);
    deliver_due(&worker).await;
    assert_eq!(receiver.kinds(), ["customer.updated", "customer.state_changed"]);

    acme.client().delete(&path).await.expect(204);
    deliver_due(&worker).await;
    let received = receiver.all();
    let kinds: Vec<String> = received.iter().map(ReceivedWebhook::kind).collect();
    assert_eq!(kinds, ["member.deleted", "customer.deleted", "customer.state_changed"]);
    assert!(received[1].json()["data"]["deleted_at"].is_string());
    assert!(received[2].json()["data"]["deleted_at"].is_string());
}

#[tokio::test]
async fn the_data_of_an_event_equals_the_response_of_the_api() {
    let (acme, mut receiver, endpoint) = connected().await;
    let new = json!({"type": "team", "name": "Team", "external_id": "x/1", "metadata": {"a": 1.0, "b": "c"},
        "owner": {"email": "owner@team.dev"}, "billing_address": {"country": "FR"}, "tax_id": "FR61954506077"});
    let team = acme.client().post("/v1/customers", new).await.expect(201).body;
    rename(&acme, "Renamed").await;
    let organization =
        acme.client().get(&format!("/v1/organizations/{}", acme.organization.id)).await.expect(200);
    deliver_due(&worker(&acme)).await;
    let received = receiver.all();

    // The text itself, to compare the order of its keys.
    let created = &received[0];
    let timestamp = &created.json()["timestamp"];
    assert_eq!(timestamp, &team["created_at"]);
    assert_eq!(
        created.text,
        format!(
            "{{\"type\":\"customer.created\",\"timestamp\":{timestamp},\"data\":{team},\"api_version\":\"2026-04\"}}"
        )
    );
    assert!(team["avatar_url"].is_string(), "the avatar of a team is that of its owner's address");
    let mut state = team.clone();
    for list in ["active_subscriptions", "granted_benefits", "active_meters"] {
        state[list] = json!([]);
    }
    assert_eq!(received[2].json()["data"].to_string(), state.to_string());
    assert_eq!(received[3].json()["data"].to_string(), organization.body.to_string());

    assert_eq!(created.header("content-type"), "application/json");
    assert_eq!(
        created.header("webhook-signature").split(' ').count(),
        2,
        "one signature for each reading of the secret"
    );
    let signed = tenantry_outbound::webhook::sign(
        [text(&endpoint["secret"])],
        created.header("webhook-id"),
        created.header("webhook-timestamp").parse().unwrap(),
        created.text.as_bytes(),
    );
    assert_eq!(signed.webhook_signature, created.header("webhook-signature"));
}

#[tokio::test]
async fn a_transfer_of_ownership_sends_an_event_for_both_members() {
    let (acme, mut receiver, _) = connected().await;
    let team = customer(&acme, "team", "team@acme.dev").await;
    let members = format!("/v1/customers/{}/members", text(&team["id"]));
    let heir = acme.client().post(&members, json!({"email": "heir@acme.dev"})).await.expect(201);
    let worker = worker(&acme);
    deliver_due(&worker).await;
    receiver.all();

    let path = format!("{members}/{}", text(&heir["id"]));
    acme.client().patch(&path, json!({"role": "owner"})).await.expect(200);
    deliver_due(&worker).await;
    let received = receiver.all();
    let roles: Vec<_> =
        received.iter().map(|received| (received.kind(), received.json()["data"]["role"].clone())).collect();
    let updated = |role: &str| ("member.updated".to_owned(), json!(role));
    assert_eq!(roles, [updated("billing_manager"), updated("owner")]);
}

#[tokio::test]
async fn a_request_that_changes_nothing_sends_no_event() {
    let (acme, mut receiver, _) = connected().await;
    let one = customer(&acme, "individual", "one@acme.dev").await;
    let worker = worker(&acme);
    deliver_due(&worker).await;
    receiver.all();

    let path = format!("/v1/customers/{}", text(&one["id"]));
    for body in [json!({}), json!({"name": "Someone"}), json!({"email": "ONE@acme.dev"})] {
        acme.client().patch(&path, body).await.expect(200);
    }
    acme.client().patch(&format!("/v1/organizations/{}", acme.organization.id), json!({})).await.expect(200);
    let team = customer(&acme, "team", "team@acme.dev").await;
    deliver_due(&worker).await;
    receiver.all();
    let again = json!({"customer_id": team["id"], "email": "team@acme.dev"});
    acme.client().post("/v1/members", again).await.expect(201);
    assert_eq!(deliver_due(&worker).await, 0);
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn only_subscribed_event_types_are_sent() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    acme.client().patch(&path, json!({"events": ["member.created"]})).await.expect(200);
    customer(&acme, "individual", "one@acme.dev").await;
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.kinds(), ["member.created"]);
}

#[tokio::test]
async fn discord_and_slack_endpoints_receive_notices() {
    let (acme, mut receiver, endpoint) = connected().await;
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let worker = worker(&acme);
    for (format, shown) in [("discord", "content"), ("slack", "text")] {
        acme.client().patch(&path, json!({"format": format})).await.expect(200);
        rename(&acme, &format!("For {format}")).await;
        deliver_due(&worker).await;
        let notice = receiver.next().await.json();
        assert_eq!(notice[shown], "organization.updated");
        assert!(notice.to_string().contains(&acme.organization.id.to_string()));
        assert!(notice.to_string().contains(&format!("For {format}")));
    }
}

/// Creates a customer and then fails.
struct RolledBack;

impl UseCase for RolledBack {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let new =
            NewCustomer::new(CustomerKind::Individual, EmailAddress::parse("rolled-back@acme.dev").unwrap());
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
async fn a_rolled_back_change_sends_no_event() {
    let (acme, mut receiver, _) = connected().await;
    acme.world.app.write(RolledBack).await.unwrap_err();
    assert_eq!(deliver_due(&worker(&acme)).await, 0);
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn an_old_event_that_is_pending_keeps_its_payload() {
    const DAY_S: i64 = 24 * 60 * 60;
    let (acme, mut receiver, _) = connected().await;
    rename(&acme, "Late").await;
    acme.world.advance_s(91 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.kinds(), ["organization.updated"]);
}

#[tokio::test]
async fn old_payloads_and_then_old_events_are_deleted() {
    const DAY_S: i64 = 24 * 60 * 60;
    let (acme, _receiver, _) = connected().await;
    let worker = worker(&acme);
    let rows = |sql: &str| acme.world.database().texts(sql).len();
    for number in 0..120 {
        rename(&acme, &format!("Name {number}")).await;
    }
    deliver_due(&worker).await;
    acme.world.advance_s(91 * DAY_S);
    rename(&acme, "Later").await;
    deliver_due(&worker).await;
    acme.world.app.sweep().await.unwrap();
    assert_eq!(rows("SELECT 'one' FROM webhook_events WHERE data IS NOT NULL"), 1);
    assert_eq!(rows("SELECT 'one' FROM webhook_events"), 121);
    assert_eq!(rows("SELECT 'one' FROM webhook_deliveries"), 121);
    acme.world.advance_s(90 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    assert_eq!(rows("SELECT 'one' FROM webhook_events"), 1);
    assert_eq!(rows("SELECT 'one' FROM webhook_deliveries"), 1);
}

#[tokio::test]
async fn the_last_events_of_a_deleted_organization_are_delivered() {
    let (acme, mut receiver, _) = connected().await;
    customer(&acme, "individual", "one@acme.dev").await;
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    owner.delete(&format!("/v1/organizations/{}", acme.organization.id)).await.expect(200);
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.kinds(), ["customer.created", "member.created", "customer.state_changed"]);
}
