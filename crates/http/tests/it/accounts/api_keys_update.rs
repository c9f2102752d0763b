//! `PUT /v2/accounts/{account_id}/api-keys/{key_id}`: the fields in the body are replaced.

use serde_json::{Value, json};

use tenantry_testkit::{Acme, changed_fields};

/// The grant of a scope in a response.
fn grant<'a>(key: &'a Value, scope: &str) -> &'a Value {
    key["scopes"].as_array().unwrap().iter().find(|grant| grant["scope"] == json!(scope)).unwrap()
}

#[tokio::test]
async fn only_fields_in_the_body_change() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (id, _) = acme.create_api_key(&["accounts:read"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let before = client.get(&path).await.expect(200);
    let body = json!({"label": "renamed", "scopes": null, "ip_allow_list": null, "unknown": 1});
    let after = client.put(&path, body).await.expect(200);
    let changed = changed_fields(&before.body, &after.body);
    assert_eq!(changed["label"], json!("renamed"));
    assert_eq!(changed.as_object().unwrap().len(), 2, "and the time: {changed}");
    assert_eq!(client.get(&path).await.body, after.body);
    let listed = client.put(&path, json!({"ip_allow_list": ["10.1.2.3/8", "2001:DB8::1"]})).await.expect(200);
    assert_eq!(listed["ip_allow_list"], json!(["10.0.0.0/8", "2001:db8::1/128"]));
    assert_eq!(listed["label"], json!("renamed"));
    let cleared = client.put(&path, json!({"ip_allow_list": []})).await.expect(200);
    assert_eq!(cleared["ip_allow_list"], json!([]));
}

#[tokio::test]
async fn a_scope_that_stays_is_the_same_grant() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (id, _) = acme.create_api_key(&["accounts:read", "accounts:write"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let first = client.get(&path).await.expect(200);
    let second = client.put(&path, json!({"scopes": ["accounts:read", "domains:read"]})).await.expect(200);
    assert_eq!(grant(&first.body, "accounts:read"), grant(&second.body, "accounts:read"));
    assert_eq!(grant(&second.body, "domains:read")["created_at"], second["updated_at"]);
    assert_eq!(grant(&second.body, "domains:read")["api_key_id"], json!(id));
    let third = client.put(&path, json!({"scopes": ["accounts:read", "accounts:write"]})).await.expect(200);
    assert_eq!(grant(&third.body, "accounts:read"), grant(&first.body, "accounts:read"));
    let again = (grant(&third.body, "accounts:write"), grant(&first.body, "accounts:write"));
    assert!(again.0["id"] != again.1["id"] && again.0["created_at"] != again.1["created_at"]);
    // A change in the other dialect keeps the grants as well.
    let renamed = format!("/v1/organization-access-tokens/{id}");
    client.patch(&renamed, json!({"comment": "renamed"})).await.expect(200);
    assert_eq!(client.get(&path).await["scopes"], third["scopes"]);
    let ids: Vec<_> = third["scopes"].as_array().unwrap().iter().map(|grant| grant["id"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_body_without_a_change_is_refused() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (id, _) = acme.create_api_key(&["accounts:read", "messages:send:all"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    client.put(&path, json!({"ip_allow_list": ["10.0.0.0/8", "192.0.2.1"]})).await.expect(200);
    let before = client.get(&path).await.expect(200);
    for nothing in [json!({}), json!({"label": null, "scopes": null, "ip_allow_list": null}), json!({"x": 1})]
    {
        let refused = client.put(&path, nothing).await.expect(400);
        assert_eq!(refused.message(), "one of label, scopes and ip_allow_list must be given");
    }
    for same in [
        json!({"label": "key"}),
        json!({"scopes": ["messages:send:all", "accounts:read"]}),
        json!({"scopes": ["messages:send:all", "accounts:read", "messages:send:{a.dev}"]}),
        json!({"ip_allow_list": ["192.0.2.1/32", "10.9.9.9/8", "192.0.2.1"]}),
        json!({"label": "key", "scopes": null, "ip_allow_list": ["10.0.0.0/8", "192.0.2.1"]}),
    ] {
        let refused = client.put(&path, same).await.expect(400);
        assert_eq!(refused.message(), "at least one value must differ from the current one");
    }
    let refused = client.put(&path, json!({"scopes": []})).await.expect(400);
    assert!(refused.message().starts_with("scopes: List should have at least 1 item"), "{refused}");
    assert!(client.put(&path, json!({"label": ""})).await.expect(400).message().starts_with("label: "));
    assert_eq!(client.get(&path).await.body, before.body);
    let audit = acme.world.audit(&acme.organization).await;
    let updates = audit.iter().filter(|line| line.action == "access_token.updated");
    assert_eq!(updates.count(), 1, "a no-op is not written down");
}

#[tokio::test]
async fn a_change_needs_the_scopes_before_and_after() {
    let acme = Acme::new().await;
    let (id, _) = acme.create_api_key(&["accounts:read", "accounts:write"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let (_, weak) = acme.create_api_key(&["api-keys:write", "accounts:read"]).await;
    let less = json!({"scopes": ["accounts:read"], "label": "less"});
    let refused = weak.put(&path, less.clone()).await.expect(403);
    assert_eq!(refused.message(), "the caller does not hold these scopes: accounts:write");
    acme.client().put(&path, less).await.expect(200);
    let refused = weak.put(&path, json!({"scopes": ["accounts:read", "accounts:write"]})).await.expect(403);
    assert_eq!(refused.message(), "the caller does not hold these scopes: accounts:write");
    weak.put(&path, json!({"scopes": ["accounts:read", "api-keys:write"]})).await.expect(200);
}

#[tokio::test]
async fn a_change_takes_effect_at_once() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["accounts:read"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    key.get(&acme.path_v2()).await.expect(200);
    acme.client().put(&path, json!({"scopes": ["domains:read"]})).await.expect(200);
    key.get(&acme.path_v2()).await.expect(403);
    acme.client().put(&path, json!({"ip_allow_list": ["203.0.113.1"]})).await.expect(200);
    key.get("/v2/ping").await.expect(403);
    key.at("203.0.113.1").get("/v2/ping").await.expect(200);
}
