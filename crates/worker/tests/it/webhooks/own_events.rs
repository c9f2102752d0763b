//! Events that the contract does not have: an endpoint receives those that it asks for by name.

use serde_json::{Value, json};
use tenantry_app::organizations::OwnerRef;
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_core::values::SuspensionReason;
use tenantry_core::webhook::EventType;
use tenantry_testkit::{Acme, ReceivedWebhook, WebhookReceiver};

use super::{acme_sending_to, deliver_due, subscribe, text, worker};

/// Changes a team, tokens, the owner and the state of the organization.
async fn change_everything(acme: &Acme) {
    let (client, team) = (acme.client(), format!("{}/members", acme.path_v1()));
    let added = client.post(&team, json!({"email": "ada@acme.dev"})).await.expect(201);
    let ada = text(&added["user_id"]).to_owned();
    client.patch(&format!("{team}/{ada}"), json!({"role": "admin"})).await.expect(200);
    let tokens = "/v1/organization-access-tokens";
    let token = client.post(tokens, json!({"comment": "t", "scopes": ["customers:read"]})).await.expect(201);
    let token = format!("{tokens}/{}", text(&token["organization_access_token"]["id"]));
    client.patch(&token, json!({"comment": "u"})).await.expect(200);
    client.post(&format!("{token}/rotate"), json!({})).await.expect(200);
    client.delete(&token).await.expect(204);
    let owner = acme.world.user("owner@acme.example.com", "*").await;
    let former = owner.actor();
    let to = OwnerRef::User(serde_json::from_value(json!(ada)).unwrap());
    let transfer = OrganizationTransfer { organization: acme.organization.id, to };
    acme.world.app.write(transfer).await.unwrap();
    client.delete(&format!("{team}/{former}")).await.expect(204);
    let id = acme.organization.id;
    let reason = SuspensionReason::parse("a reason").unwrap();
    acme.world.app.write(OrganizationSuspend { id, reason }).await.unwrap();
    acme.world.app.write(OrganizationUnsuspend { id }).await.unwrap();
}

/// Makes invitations: one is revoked, one declined, one accepted.
async fn invite_people(acme: &Acme) {
    let (client, path) = (acme.client(), format!("{}/invitations", acme.path_v1()));
    let invite = async |email: &str| {
        let made = client.post(&path, json!({"email": email, "send_email": false})).await.expect(201);
        let token = text(&made["accept_url"]).split_once('#').unwrap().1.to_owned();
        (format!("{path}/{}", text(&made["id"])), json!({"token": token}))
    };
    let (revoked, _) = invite("bob@acme.dev").await;
    client.delete(&revoked).await.expect(204);
    let (_, declined) = invite("cy@acme.dev").await;
    acme.world.anonymous().post("/v1/invitations/decline", declined).await.expect(200);
    let (_, accepted) = invite("dee@acme.dev").await;
    let dee = acme.world.proved_user("dee@acme.dev", "*").await;
    dee.post("/v1/invitations/accept", accepted).await.expect(200);
}

#[tokio::test]
async fn the_steps_of_invitations_are_events_without_names() {
    let mut receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let events = EventType::OWN.iter().map(|kind| kind.as_str());
    let events: Vec<&str> = events.filter(|kind| kind.starts_with("invitation.")).collect();
    let new = json!({"url": receiver.url(), "format": "raw", "events": events});
    acme.client().post("/v1/webhooks/endpoints", new).await.expect(201);
    invite_people(&acme).await;
    deliver_due(&worker(&acme)).await;
    let received = receiver.all();
    let kinds: Vec<String> = received.iter().map(ReceivedWebhook::kind).collect();
    let expected = [
        "invitation.created",
        "invitation.revoked",
        "invitation.created",
        "invitation.declined",
        "invitation.created",
        "invitation.accepted",
    ];
    assert_eq!(kinds, expected);
    let data: Vec<Value> = received.iter().map(|event| event.json()["data"].clone()).collect();
    let statuses: Vec<&str> = data.iter().map(|data| text(&data["status"])).collect();
    assert_eq!(statuses, ["pending", "revoked", "pending", "declined", "pending", "accepted"]);
    assert_eq!((&data[1]["id"], &data[5]["role"]), (&data[0]["id"], &json!("member")));
    assert!(data[5]["accepted_by_id"].is_string() && data[3]["accepted_by_id"].is_null());
    assert!(received.iter().all(|event| !event.text.contains("@acme")), "no event names a person");
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_receives_the_events_that_it_asks_for_by_name() {
    let mut receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let events: Vec<&str> =
        EventType::OWN.iter().filter(|kind| kind.is_subscribable()).map(|kind| kind.as_str()).collect();
    let new = json!({"url": receiver.url(), "format": "raw", "events": events});
    let endpoint = acme.client().post("/v1/webhooks/endpoints", new).await.expect(201);
    assert_eq!(endpoint["events"], json!(events));
    change_everything(&acme).await;
    deliver_due(&worker(&acme)).await;
    let received = receiver.all();
    let kinds: Vec<String> = received.iter().map(ReceivedWebhook::kind).collect();
    assert_eq!(
        kinds,
        [
            "team_member.created",
            "team_member.updated",
            "access_token.created",
            "access_token.updated",
            "access_token.rotated",
            "access_token.deleted",
            "team_member.updated",
            "team_member.updated",
            "organization.transferred",
            "team_member.deleted",
            "organization.suspended",
            "organization.unsuspended",
        ]
    );
    let data = |number: usize| received[number].json()["data"].clone();
    assert_eq!((&data(0)["role"], &data(1)["role"]), (&json!("member"), &json!("admin")));
    assert_eq!(data(1)["organization_id"], acme.organization.id.to_string());
    assert_eq!((&data(3)["comment"], &data(3)["scopes"]), (&json!("u"), &json!(["customers:read"])));
    assert!(data(4)["previous_secret"]["expires_at"].is_string());
    assert_eq!(
        (&data(8)["owner_id"], &data(8)["former_owner_id"]),
        (&data(0)["user_id"], &data(9)["user_id"])
    );
    assert_eq!(data(10)["id"], acme.organization.id.to_string());
    let all: String = received.iter().map(|received| received.text.as_str()).collect();
    assert!(!all.contains("@acme"), "no event about a team names a person");
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_asks_for_none_of_them_never_receives_or_shows_them() {
    let mut receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    let endpoint = subscribe(&acme, &receiver).await;
    change_everything(&acme).await;
    invite_people(&acme).await;
    deliver_due(&worker(&acme)).await;
    assert_eq!(receiver.kinds(), ["organization.updated"], "of the transfer");
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint["id"]));
    let shown = acme.client().get(&path).await.expect(200);
    let deliveries = acme.client().get("/v1/webhooks/deliveries").await.expect(200);
    for kind in EventType::OWN {
        assert!(!shown.text.contains(kind.as_str()) && !deliveries.text.contains(kind.as_str()), "{kind:?}");
    }
    assert_eq!(deliveries["pagination"]["total_count"], Value::from(1));
}
