//! The look and the sections of the portal, and what the portal refuses where a section is off.

use serde_json::{Value, json};
use tenantry_testkit::World;

use super::tenant::{Tenant, both, tenant};

async fn set(acme: &Tenant<'_>, change: Value) -> Value {
    let path = format!("/v1/organizations/{}/portal-settings", acme.id);
    acme.world.bearer(&acme.token).patch(&path, change).await.expect(200).body
}

#[tokio::test]
async fn settings_have_defaults_and_change_one_by_one() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let path = format!("/v1/organizations/{}/portal-settings", acme.id);
    let client = world.bearer(&acme.token);
    let all = json!({"sign_in": true, "billing_details": true, "team": true, "add_members": true, "sessions": true});
    let seen = client.get(&path).await.expect(200);
    let expected = json!({"organization_id": acme.id, "color": null, "sender_name": null, "sections": all});
    assert_eq!(seen.body, expected);
    let etag = seen.header("etag").unwrap().to_owned();
    let changed =
        json!({"color": "#1A73E8", "sender_name": " Acme ", "sections": {"team": false, "sign_in": null}});
    let changed = client.with("if-match", &etag).patch(&path, changed).await.expect(200).body;
    assert_eq!((&changed["color"], &changed["sender_name"]), (&json!("#1a73e8"), &json!("Acme")));
    assert_eq!(
        (&changed["sections"]["team"], &changed["sections"]["sign_in"]),
        (&json!(false), &json!(true))
    );
    client.with("if-match", &etag).patch(&path, json!({"color": null})).await.expect(412);
    let cleared = set(&acme, json!({"color": null, "sender_name": null})).await;
    assert_eq!((&cleared["color"], &cleared["sender_name"]), (&Value::Null, &Value::Null));
    assert_eq!(cleared["sections"]["team"], false);
    let log = client.get("/v1/audit-log?action=organization.updated").await.expect(200).body;
    assert_eq!(log["items"][1]["after"]["profile"]["portal"]["color"], "#1a73e8");
}

#[tokio::test]
async fn wrong_settings_are_refused() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let path = format!("/v1/organizations/{}/portal-settings", acme.id);
    for (change, violation) in [
        (json!({"color": "blue"}), "value_error body.color"),
        (json!({"color": "#12345"}), "value_error body.color"),
        (json!({"color": 1}), "string_type body.color"),
        (json!({"sender_name": ""}), "string_too_short body.sender_name"),
        (json!({"sender_name": "x".repeat(65)}), "string_too_long body.sender_name"),
        (json!({"sender_name": "a\nb"}), "value_error body.sender_name"),
        (json!({"sections": {"team": "perhaps"}}), "bool_parsing body.sections.team"),
        (json!({"sections": []}), "model_attributes_type body.sections"),
    ] {
        let answer = world.bearer(&acme.token).patch(&path, change).await;
        answer.assert_violations(&[violation]);
    }
}

#[tokio::test]
async fn a_section_that_is_off_is_refused() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    let session = acme.member_session(&team, &owner).await;
    let portal = world.bearer(&session);
    let one = format!("/v1/customer-portal/members/{member}");
    let list = "/v1/customer-portal/members";
    let add = |number: u32| json!({"email": format!("new{number}@x.dev")});
    let refused = |answer: tenantry_testkit::Response| answer.assert_error(403, "NotPermitted");

    set(&acme, json!({"sections": {"add_members": false}})).await;
    refused(portal.post(list, add(1)).await);
    portal.get(list).await.expect(200);
    portal.patch(&one, json!({"name": "Ada"})).await.expect(200);
    set(&acme, json!({"sections": {"add_members": true, "team": false}})).await;
    refused(portal.post(list, add(2)).await);
    refused(portal.get(list).await);
    refused(portal.patch(&one, json!({"name": "Bea"})).await);
    refused(portal.delete(&one).await);
    set(&acme, json!({"sections": {"team": true}})).await;
    portal.post(list, add(3)).await.expect(201);

    set(&acme, json!({"sections": {"billing_details": false, "sessions": false}})).await;
    refused(portal.patch("/v1/customer-portal/customers/me", json!({"billing_name": "A"})).await);
    portal.get("/v1/customer-portal/customers/me").await.expect(200);
    refused(portal.get("/v1/customer-portal/sessions").await);
    let nobody = "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e";
    refused(portal.delete(&format!("/v1/customer-portal/sessions/{nobody}")).await);
    portal.delete("/v1/customer-portal/customer-session").await.expect(204);
}

#[tokio::test]
async fn a_section_that_is_off_is_refused_before_a_condition_is_compared() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    let portal = acme.member_session(&team, &owner).await;
    let portal = world.bearer(&portal).with("if-match", "\"outdated\"");
    let one = format!("/v1/customer-portal/members/{member}");
    let me = "/v1/customer-portal/customers/me";
    portal.patch(me, json!({"billing_name": "A"})).await.expect(412);
    portal.patch(&one, json!({"name": "Ada"})).await.expect(412);
    portal.delete(&one).await.expect(412);
    set(&acme, json!({"sections": {"billing_details": false, "team": false}})).await;
    portal.patch(me, json!({"billing_name": "A"})).await.assert_error(403, "NotPermitted");
    portal.patch(&one, json!({"name": "Ada"})).await.assert_error(403, "NotPermitted");
    portal.delete(&one).await.assert_error(403, "NotPermitted");
}

#[tokio::test]
async fn what_a_member_does_names_the_member() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let portal = acme.member_session(&team, &owner).await;
    let portal = world.bearer(&portal);
    let added =
        portal.post("/v1/customer-portal/members", json!({"email": "new@x.dev"})).await.expect(201).id();
    let one = format!("/v1/customer-portal/members/{added}");
    portal.patch(&one, json!({"name": "New"})).await.expect(200);
    portal.delete(&one).await.expect(204);
    portal.patch("/v1/customer-portal/customers/me", json!({"billing_name": "A"})).await.expect(200);
    let log = world.bearer(&acme.token).get("/v1/audit-log?limit=4").await.expect(200).body;
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().collect();
    for (entry, action) in
        actions.iter().zip(["customer.updated", "member.deleted", "member.updated", "member.created"])
    {
        assert_eq!(entry["action"], action);
        assert_eq!((&entry["actor"]["type"], &entry["actor"]["id"]), (&json!("member"), &json!(owner)));
    }
}
