//! One organization, read and changed in both dialects.

use serde_json::json;

use tenantry_testkit::{Acme, World};

#[tokio::test]
async fn a_name_and_a_website_are_the_same_in_both() {
    let acme = Acme::new().await;
    let client = acme.client();
    client
        .patch(&acme.path_v1(), json!({"name": "Acme", "website": "https://acme.example"}))
        .await
        .expect(200);
    let account = client.get(&acme.path_v2()).await.expect(200);
    assert_eq!((&account["name"], &account["website"]), (&json!("Acme"), &json!("https://acme.example/")));
    client.put(&acme.path_v2(), json!({"name": "Acme Inc.", "website": ""})).await.expect(200);
    let organization = client.get(&acme.path_v1()).await.expect(200);
    assert_eq!((&organization["name"], &organization["website"]), (&json!("Acme Inc."), &json!(null)));
    let account = client.get(&acme.path_v2()).await;
    assert_eq!(organization["modified_at"], account["updated_at"]);
    assert_eq!(organization["id"], account["id"]);
    assert_eq!(organization["created_at"], account["created_at"]);
}

#[tokio::test]
async fn a_person_added_in_one_acts_in_the_other_until_removed() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    let user = acme.world.user("jordan@example.com", "*").await;
    user.get(&acme.path_v1()).await.expect(404);
    user.get(&acme.path_v2()).await.expect(401);
    let added =
        acme.client().post(&members, json!({"email": "Jordan@Example.com", "role": "Administrator"})).await;
    assert_eq!(added.expect(201)["user_id"], json!(user.actor()));
    user.patch(&acme.path_v1(), json!({"name": "By Jordan"})).await.expect(200);
    assert_eq!(user.get(&acme.path_v2()).await.expect(200)["name"], json!("By Jordan"));
    assert_eq!(user.get("/v1/organizations").await.each("name"), ["By Jordan"]);
    acme.client().delete(&format!("{members}/{}", user.actor())).await.expect(200);
    user.get(&acme.path_v1()).await.expect(404);
    user.get(&acme.path_v2()).await.expect(401);
}

#[tokio::test]
async fn an_organization_made_in_one_has_an_account_in_the_other() {
    let world = World::new();
    let user = world.user("jane@example.com", "*").await;
    let created = user.post("/v1/organizations", json!({"name": "Acme", "slug": "acme"})).await.expect(201);
    let account = user.get(&format!("/v2/accounts/{}", created.id())).await.expect(200);
    assert_eq!((&account["name"], &account["owner_id"]), (&json!("Acme"), &json!(user.actor())));
    assert_eq!(account["parent_account_id"], json!(null));
}

/// Each step uses the other dialect than the step before.
#[tokio::test]
async fn a_token_of_one_dialect_is_shown_and_changed_by_the_other() {
    let acme = Acme::new().await;
    let client = acme.client();
    let tokens = "/v1/organization-access-tokens";
    let listed = async || client.get(tokens).await.expect(200).each("comment").join(" ");

    // A key of /v2 is a token of /v1.
    let scopes = ["customers:read", "customers:write", "accounts:read", "api-keys:read"];
    let made =
        client.post(&acme.api_keys(), json!({"label": "made in v2", "scopes": scopes})).await.expect(201);
    let key = acme.world.bearer(made["secret_key"].as_str().unwrap());
    assert!(listed().await.contains("made in v2"));
    key.post("/v1/customers", json!({"email": "c@example.com"})).await.expect(201);
    let path = format!("{tokens}/{}", made.id());
    client.patch(&path, json!({"comment": "renamed in v1"})).await.expect(200);
    let shown = key.get(&format!("{}/{}", acme.api_keys(), made.id())).await.expect(200);
    assert_eq!((&shown["label"], &shown["scopes"]), (&json!("renamed in v1"), &made["scopes"]));
    client.patch(&path, json!({"scopes": ["customers:read"]})).await.expect(200);
    key.get(&acme.path_v2()).await.expect(403);
    client.delete(&path).await.expect(204);
    key.get("/v2/ping").await.expect(401);

    // A token of /v1 is a key of /v2.
    let body = json!({"comment": "made in v1", "scopes": ["organizations:read", "customers:read"]});
    let made = client.post(tokens, body).await.expect(201);
    let token = acme.world.bearer(made["token"].as_str().unwrap());
    let path = format!("{}/{}", acme.api_keys(), made["organization_access_token"]["id"].as_str().unwrap());
    let shown = client.get(&path).await.expect(200);
    assert_eq!((&shown["label"], &shown["ip_allow_list"]), (&json!("made in v1"), &json!([])));
    client.put(&path, json!({"ip_allow_list": ["203.0.113.0/24"]})).await.expect(200);
    token.get(&acme.path_v1()).await.expect(403);
    token.at("203.0.113.1").get(&acme.path_v1()).await.expect(200);
    client.put(&path, json!({"ip_allow_list": [], "scopes": ["accounts:read"]})).await.expect(200);
    token.get("/v1/customers").await.expect(403);
    token.get(&acme.path_v2()).await.expect(200);
    client.delete(&path).await.expect(200);
    token.get(&acme.path_v1()).await.expect(401);
    assert!(!listed().await.contains("made in"));
}
