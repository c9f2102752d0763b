//! `/v2/accounts/{account_id}/sub-accounts/{sub_account_id}/api-keys`: a parent manages its child's keys.

use serde_json::json;
use tenantry_core::ids::OrganizationId;

use crate::support::{Client, One};

/// An account, a sub-account of it, and where the parent finds the child's keys.
async fn family() -> (One, OrganizationId, String) {
    let one = One::new().await;
    let child = one.app.sub_account(&one.tenant, "child").await;
    let keys = format!("{}/sub-accounts/{child}/api-keys", one.account());
    (one, child, keys)
}

/// A new key of the child, and a client with it.
async fn child_key<'a>(one: &'a One, keys: &str, scopes: &[&str]) -> (String, Client<'a>) {
    let made = one.client().post(keys, json!({"label": "child", "scopes": scopes})).await.expect(201);
    (made.id(), one.app.bearer(made["secret_key"].as_str().unwrap()))
}

#[tokio::test]
async fn a_childs_key_is_made_listed_changed_and_deleted_by_the_parent() {
    let (one, child, keys) = family().await;
    let client = one.client();
    let (id, key) = child_key(&one, &keys, &["*"]).await;
    let shown = client.get(&format!("{keys}/{id}")).await.expect(200);
    assert_eq!(shown["account_id"], json!(child));
    assert!(shown["secret_key"].is_null());
    assert_eq!(client.get(&keys).await.expect(200).each("id"), [id.as_str()]);
    // In the child's own eyes it is a key like any other; in the parent's own list it is not.
    let own = format!("/v2/accounts/{child}/api-keys");
    assert_eq!(key.get(&own).await.expect(200)["data"][0]["id"], json!(id));
    assert!(!client.get(&one.keys()).await.each("id").contains(&id.as_str()));
    client.get(&format!("{}/{id}", one.keys())).await.expect(404);
    let changed = client.put(&format!("{keys}/{id}"), json!({"label": "renamed"})).await.expect(200);
    assert_eq!(changed["label"], json!("renamed"));
    client.put(&format!("{keys}/{id}"), json!({"label": "renamed"})).await.expect(400);
    let deleted = client.delete(&format!("{keys}/{id}")).await.expect(200);
    assert_eq!(deleted.message(), format!("api key {id} (renamed) deleted successfully"));
    key.get("/v2/ping").await.expect(401);
    client.get(&format!("{keys}/{id}")).await.expect(404);
}

#[tokio::test]
async fn only_the_parents_own_children_are_there() {
    let (one, _, keys) = family().await;
    let other = one.app.organization("other").await;
    let theirs = one.app.sub_account(&other, "theirs").await;
    let (id, _) = child_key(&one, &keys, &["accounts:read"]).await;
    let nothing = "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e".to_owned();
    // Another's child, another account, the account itself, and nothing at all look alike.
    for child in [theirs.to_string(), other.id.to_string(), one.tenant.id.to_string(), nothing] {
        let keys = format!("{}/sub-accounts/{child}/api-keys", one.account());
        for answer in [
            one.client().get(&keys).await,
            one.client().post(&keys, json!({"label": "x", "scopes": ["*"]})).await,
            one.client().get(&format!("{keys}/{id}")).await,
            one.client().put(&format!("{keys}/{id}"), json!({"label": "x"})).await,
            one.client().delete(&format!("{keys}/{id}")).await,
        ] {
            assert_eq!(answer.expect(404).message(), "sub account not found");
        }
    }
    let bad = one.client().get(&format!("{}/sub-accounts/nope/api-keys", one.account())).await.expect(400);
    assert_eq!(bad.message(), "invalid sub_account_id");
    let bad = one.client().get(&format!("{keys}/nope")).await.expect(400);
    assert_eq!(bad.message(), "invalid key_id");
    let unknown =
        format!("{keys}/{}", one.client().get(&one.keys()).await["data"][0]["id"].as_str().unwrap());
    assert_eq!(one.client().get(&unknown).await.expect(404).message(), "api key not found");
}

#[tokio::test]
async fn a_child_does_not_reach_up() {
    let (one, child, keys) = family().await;
    let (_, key) = child_key(&one, &keys, &["*"]).await;
    assert_eq!(key.get(&one.account()).await.expect(401).message(), "invalid API key");
    key.get(&one.keys()).await.expect(401);
    key.get(&keys).await.expect(401);
    let sideways = format!("/v2/accounts/{child}/sub-accounts/{child}/api-keys");
    let body = json!({"label": "x", "scopes": ["*"]});
    for answer in [key.get(&sideways).await, key.post(&sideways, body).await] {
        assert_eq!(answer.expect(403).message(), "a sub account cannot have sub accounts");
    }
    // Nor does the parent's key reach down but by the path through the parent.
    one.client().get(&format!("/v2/accounts/{child}/api-keys")).await.expect(401);
}

#[tokio::test]
async fn the_parent_gives_what_it_holds() {
    let (one, _, keys) = family().await;
    let (_, maker) = one.key(&["sub-account-api-keys:write", "accounts:read"]).await;
    maker.post(&keys, json!({"label": "x", "scopes": ["accounts:read"]})).await.expect(201);
    let refused = maker.post(&keys, json!({"label": "x", "scopes": ["accounts:write"]})).await.expect(403);
    assert_eq!(refused.message(), "the caller does not hold these scopes: accounts:write");
    // The scope for one's own keys is another one.
    maker.post(&one.keys(), json!({"label": "x", "scopes": ["accounts:read"]})).await.expect(403);
}

#[tokio::test]
async fn a_childs_list_is_the_parents_to_set() {
    let (one, _, keys) = family().await;
    let (id, key) = child_key(&one, &keys, &["*"]).await;
    let elsewhere = json!({"ip_allow_list": ["203.0.113.0/24"]});
    one.client().put(&format!("{keys}/{id}"), elsewhere).await.expect(200);
    key.get("/v2/ping").await.expect(403);
    key.at("203.0.113.1").get("/v2/ping").await.expect(200);
}

#[tokio::test]
async fn a_creation_sent_again_makes_no_second_key() {
    let (one, _, keys) = family().await;
    let keyed = one.client().key("k");
    let body = json!({"label": "x", "scopes": ["accounts:read"]});
    let first = keyed.post(&keys, body.clone()).await.expect(201);
    let again = keyed.post(&keys, body.clone()).await.expect(201);
    assert_eq!((&first.text, again.header("idempotent-replayed")), (&again.text, Some("true")));
    keyed.post(&one.keys(), body).await.expect(422);
    assert_eq!(one.client().get(&keys).await.each("label"), ["x"]);
}

#[tokio::test]
async fn parts_of_a_childs_list() {
    let (one, child, keys) = family().await;
    for label in ["a", "b", "c"] {
        one.client().post(&keys, json!({"label": label, "scopes": ["*"]})).await.expect(201);
    }
    let first = one.client().get(&format!("{keys}?limit=2")).await.expect(200);
    assert_eq!(first.each("label"), ["c", "b"]);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = one.client().get(&format!("{keys}?limit=2&after={cursor}")).await.expect(200);
    assert_eq!(second.each("label"), ["a"]);
    one.client().get(&format!("{}?after={cursor}", one.keys())).await.expect(400);
    assert_ne!(child, one.tenant.id);
}
