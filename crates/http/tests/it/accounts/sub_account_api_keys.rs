//! `/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys`: a parent manages the keys of a
//! sub-account.

use serde_json::json;
use tenantry_core::ids::OrganizationId;

use tenantry_testkit::{Acme, Client};

/// An account, a sub-account of it, and the path under which the parent manages the sub-account's keys.
async fn family() -> (Acme, OrganizationId, String) {
    let acme = Acme::new().await;
    let child = acme.world.sub_account(&acme.organization, "child").await;
    let keys = format!("{}/sub-accounts/{child}/api-keys", acme.path_v2());
    (acme, child, keys)
}

/// A new key of the sub-account, and a client with it.
async fn child_key<'a>(acme: &'a Acme, keys: &str, scopes: &[&str]) -> (String, Client<'a>) {
    let made = acme.client().post(keys, json!({"label": "child", "scopes": scopes})).await.expect(201);
    (made.id(), acme.world.bearer(made["secret_key"].as_str().unwrap()))
}

#[tokio::test]
async fn a_childs_key_is_made_listed_changed_and_deleted_by_the_parent() {
    let (acme, child, keys) = family().await;
    let client = acme.client();
    let (id, key) = child_key(&acme, &keys, &["*"]).await;
    let shown = client.get(&format!("{keys}/{id}")).await.expect(200);
    assert_eq!(shown["account_id"], json!(child));
    assert!(shown["secret_key"].is_null());
    assert_eq!(client.get(&keys).await.expect(200).each("id"), [id.as_str()]);
    // The sub-account's own list shows the key. The list of the parent's keys does not.
    let own = format!("/v2/accounts/{child}/api-keys");
    assert_eq!(key.get(&own).await.expect(200)["data"][0]["id"], json!(id));
    assert!(!client.get(&acme.api_keys()).await.each("id").contains(&id.as_str()));
    client.get(&format!("{}/{id}", acme.api_keys())).await.expect(404);
    let changed = client.put(&format!("{keys}/{id}"), json!({"label": "renamed"})).await.expect(200);
    assert_eq!(changed["label"], json!("renamed"));
    client.put(&format!("{keys}/{id}"), json!({"label": "renamed"})).await.expect(400);
    let deleted = client.delete(&format!("{keys}/{id}")).await.expect(200);
    assert_eq!(deleted.message(), format!("api key {id} (renamed) deleted successfully"));
    key.get("/v2/ping").await.expect(401);
    client.get(&format!("{keys}/{id}")).await.expect(404);
}

#[tokio::test]
async fn only_sub_accounts_of_the_parent_are_found() {
    let (acme, _, keys) = family().await;
    let other = acme.world.organization("other").await;
    let theirs = acme.world.sub_account(&other, "theirs").await;
    let (id, _) = child_key(&acme, &keys, &["accounts:read"]).await;
    let nothing = "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e".to_owned();
    // The same 404 for another account's sub-account, another account, the account itself and an unknown id.
    for child in [theirs.to_string(), other.id.to_string(), acme.organization.id.to_string(), nothing] {
        let keys = format!("{}/sub-accounts/{child}/api-keys", acme.path_v2());
        for answer in [
            acme.client().get(&keys).await,
            acme.client().post(&keys, json!({"label": "x", "scopes": ["*"]})).await,
            acme.client().get(&format!("{keys}/{id}")).await,
            acme.client().put(&format!("{keys}/{id}"), json!({"label": "x"})).await,
            acme.client().delete(&format!("{keys}/{id}")).await,
        ] {
            assert_eq!(answer.expect(404).message(), "sub account not found");
        }
    }
    let bad = acme.client().get(&format!("{}/sub-accounts/nope/api-keys", acme.path_v2())).await.expect(400);
    assert_eq!(bad.message(), "invalid sub_account_id");
    let bad = acme.client().get(&format!("{keys}/nope")).await.expect(400);
    assert_eq!(bad.message(), "invalid key_id");
    let unknown =
        format!("{keys}/{}", acme.client().get(&acme.api_keys()).await["data"][0]["id"].as_str().unwrap());
    assert_eq!(acme.client().get(&unknown).await.expect(404).message(), "api key not found");
}

#[tokio::test]
async fn a_sub_account_has_no_access_to_its_parent() {
    let (acme, child, keys) = family().await;
    let (_, key) = child_key(&acme, &keys, &["*"]).await;
    assert_eq!(key.get(&acme.path_v2()).await.expect(401).message(), "invalid API key");
    key.get(&acme.api_keys()).await.expect(401);
    key.get(&keys).await.expect(401);
    let sideways = format!("/v2/accounts/{child}/sub-accounts/{child}/api-keys");
    let body = json!({"label": "x", "scopes": ["*"]});
    for answer in [key.get(&sideways).await, key.post(&sideways, body).await] {
        assert_eq!(answer.expect(403).message(), "a sub account cannot have sub accounts");
    }
    // The parent's key has access to a sub-account only by the path below the parent.
    acme.client().get(&format!("/v2/accounts/{child}/api-keys")).await.expect(401);
}

#[tokio::test]
async fn the_parent_grants_only_scopes_that_it_holds() {
    let (acme, _, keys) = family().await;
    let (_, maker) = acme.create_api_key(&["sub-account-api-keys:write", "accounts:read"]).await;
    maker.post(&keys, json!({"label": "x", "scopes": ["accounts:read"]})).await.expect(201);
    let refused = maker.post(&keys, json!({"label": "x", "scopes": ["accounts:write"]})).await.expect(403);
    assert_eq!(refused.message(), "the caller does not hold these scopes: accounts:write");
    // The account's own keys need another scope.
    maker.post(&acme.api_keys(), json!({"label": "x", "scopes": ["accounts:read"]})).await.expect(403);
}

#[tokio::test]
async fn the_parent_sets_the_ip_allow_list_of_a_sub_account() {
    let (acme, _, keys) = family().await;
    let (id, key) = child_key(&acme, &keys, &["*"]).await;
    let elsewhere = json!({"ip_allow_list": ["203.0.113.0/24"]});
    acme.client().put(&format!("{keys}/{id}"), elsewhere).await.expect(200);
    key.get("/v2/ping").await.expect(403);
    key.at("203.0.113.1").get("/v2/ping").await.expect(200);
}

#[tokio::test]
async fn a_repeated_creation_makes_no_second_key() {
    let (acme, _, keys) = family().await;
    let keyed = acme.client().key("k");
    let body = json!({"label": "x", "scopes": ["accounts:read"]});
    let first = keyed.post(&keys, body.clone()).await.expect(201);
    let again = keyed.post(&keys, body.clone()).await.expect(201);
    assert_eq!((&first.text, again.header("idempotent-replayed")), (&again.text, Some("true")));
    keyed.post(&acme.api_keys(), body).await.expect(422);
    assert_eq!(acme.client().get(&keys).await.each("label"), ["x"]);
}

#[tokio::test]
async fn the_list_of_a_sub_account_has_pages() {
    let (acme, child, keys) = family().await;
    for label in ["a", "b", "c"] {
        acme.client().post(&keys, json!({"label": label, "scopes": ["*"]})).await.expect(201);
    }
    let first = acme.client().get(&format!("{keys}?limit=2")).await.expect(200);
    assert_eq!(first.each("label"), ["c", "b"]);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = acme.client().get(&format!("{keys}?limit=2&after={cursor}")).await.expect(200);
    assert_eq!(second.each("label"), ["a"]);
    acme.client().get(&format!("{}?after={cursor}", acme.api_keys())).await.expect(400);
    assert_ne!(child, acme.organization.id);
}
