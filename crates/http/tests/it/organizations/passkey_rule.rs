//! The rule that the team of an organization signs in to the console with a passkey.

use serde_json::json;
use tenantry_testkit::World;

#[tokio::test]
async fn an_organization_requires_a_passkey_and_no_longer() {
    let world = World::new();
    let acme = world.organization("acme").await;
    let path = format!("/v1/organizations/{}/passkey-rule", acme.id);
    let token = world.token(&acme, "organizations:write").await;
    let unset = json!({"organization_id": acme.id, "required": false, "required_at": null});
    assert_eq!(token.get(&path).await.expect(200).body, unset);
    let set = token.put(&path, json!({"required": true})).await.expect(200);
    assert_eq!(set["required"], true);
    assert!(set["required_at"].is_string(), "{set}");
    // A repetition changes nothing.
    assert_eq!(token.put(&path, json!({"required": true})).await.expect(200).body, set.body);
    let actions: Vec<String> = world.audit(&acme).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions.iter().filter(|action| *action == "organization.passkey_rule_updated").count(), 1);
    let owner = world.user(&acme.owner, "*").await;
    assert_eq!(owner.put(&path, json!({"required": false})).await.expect(200).body, unset);
    for (body, violation) in [
        (json!({}), "missing body.required"),
        (json!({"required": null}), "bool_type body.required"),
        (json!({"required": "perhaps"}), "bool_parsing body.required"),
    ] {
        token.put(&path, body).await.assert_violations(&[violation]);
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_rule_is_for_people_who_manage_the_organization() {
    let world = World::new();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let path = format!("/v1/organizations/{}/passkey-rule", acme.id);
    let token = world.token(&acme, "*").await;
    let add = json!({"email": "dev@x.example", "name": "Dev", "role": "Developer"});
    token.post(&format!("/v2/accounts/{}/members", acme.id), add).await.expect(201);
    let developer = world.user("dev@x.example", "*").await;
    developer.get(&path).await.expect(403);
    assert_eq!(developer.put(&path, json!({"required": true})).await.expect(403)["error"], "NotPermitted");
    let reader = world.token(&acme, "organizations:read").await;
    reader.get(&path).await.expect(200);
    reader.put(&path, json!({"required": true})).await.expect(403);
    let stranger = world.token(&other, "*").await;
    stranger.get(&path).await.expect(404);
    stranger.put(&path, json!({"required": true})).await.expect(404);
}
