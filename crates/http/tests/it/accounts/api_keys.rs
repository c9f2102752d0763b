//! `/v2/accounts/{account_id}/api-keys`: make, list, get, and what a key opens.

use insta::assert_snapshot;
use serde_json::{Value, json};

use tenantry_testkit::{Acme, Organization, World};

fn scopes(key: &Value) -> Vec<&str> {
    key["scopes"].as_array().unwrap().iter().map(|grant| grant["scope"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_key_is_made_and_shows_its_secret_once() {
    let acme = Acme::new().await;
    let (client, keys) = (acme.client(), acme.api_keys());
    let body = json!({
        "label": "Production",
        "scopes": ["messages:send:{Example.com.}", "accounts:read"],
        "ip_allow_list": ["203.0.113.9/24", "198.51.100.7", "203.0.113.1/24"],
        "unknown": 1
    });
    let mut made = client.post(&keys, body).await.expect(201);
    let (secret, public) = (made["secret_key"].clone(), made["public_key"].clone());
    let shape = |text: &Value, prefix: &str, length: usize| {
        let rest = text.as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
        rest.len() == length && rest.bytes().all(|letter| letter.is_ascii_alphanumeric())
    };
    assert!(shape(&secret, "aha-sk-", 64), "{secret}");
    assert!(shape(&public, "aha-pk-", 22), "{public}");
    made.body["secret_key"] = json!("aha-sk-..");
    made.body["public_key"] = json!("aha-pk-..");
    assert_snapshot!(made.transcript(), @r#"
    201
    {
      "object": "api_key",
      "id": "<id 1>",
      "created_at": "<time>",
      "updated_at": "<time>",
      "last_used_at": null,
      "account_id": "<id 2>",
      "label": "Production",
      "public_key": "aha-pk-..",
      "scopes": [
        {
          "id": "<id 3>",
          "created_at": "<time>",
          "updated_at": "<time>",
          "api_key_id": "<id 1>",
          "scope": "accounts:read",
          "domain_id": null
        },
        {
          "id": "<id 4>",
          "created_at": "<time>",
          "updated_at": "<time>",
          "api_key_id": "<id 1>",
          "scope": "messages:send:{example.com}",
          "domain_id": null
        }
      ],
      "ip_allow_list": [
        "203.0.113.0/24",
        "198.51.100.7/32"
      ],
      "secret_key": "aha-sk-.."
    }
    "#);
    let id = made.id();
    let shown = client.get(&format!("{keys}/{id}")).await.expect(200);
    made.body["public_key"] = public.clone();
    made.body.as_object_mut().unwrap().remove("secret_key");
    assert_eq!(shown.body, made.body, "all but the secret");
    assert_eq!(client.get(&keys).await.expect(200)["data"][0], shown.body);
    // The public key authenticates nothing.
    acme.world.bearer(public.as_str().unwrap()).get("/v2/ping").await.expect(401);
    acme.world.bearer(secret.as_str().unwrap()).at("203.0.113.77").get("/v2/ping").await.expect(200);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_until_it_is_deleted() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["accounts:read"]).await;
    key.get(&acme.path_v2()).await.expect(200);
    let refused = key.put(&acme.path_v2(), json!({"name": "New"})).await.expect(403);
    assert_eq!(refused.message(), "insufficient permissions for the required scope");
    let path = format!("{}/{id}", acme.api_keys());
    let deleted = acme.client().delete(&path).await.expect(200);
    assert_eq!(deleted.body, json!({"message": format!("api key {id} (key) deleted successfully")}));
    assert_eq!(key.get(&acme.path_v2()).await.expect(401).message(), "invalid API key");
    assert_eq!(acme.client().get(&path).await.expect(404).message(), "api key not found");
    assert_eq!(acme.client().delete(&path).await.expect(404).message(), "api key not found");
    assert_eq!(
        acme.client().put(&path, json!({"label": "x"})).await.expect(404).message(),
        "api key not found"
    );
}

#[tokio::test]
async fn a_key_may_end_itself() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["api-keys:delete"]).await;
    key.delete(&format!("{}/{id}", acme.api_keys())).await.expect(200);
    key.get("/v2/ping").await.expect(401);
}

#[tokio::test]
async fn what_a_new_key_cannot_be() {
    let acme = Acme::new().await;
    let (client, keys) = (acme.client(), acme.api_keys());
    let many: Vec<String> = (0..101).map(|number| format!("10.0.0.{number}")).collect();
    for (body, message) in [
        (json!({}), "label: Field required"),
        (json!({"label": "x"}), "scopes: Field required"),
        (json!({"label": "", "scopes": ["*"]}), "label: String should have at least 1 character"),
        (
            json!({"label": "x".repeat(256), "scopes": ["*"]}),
            "label: String should have at most 255 characters",
        ),
        (json!({"label": 1, "scopes": ["*"]}), "label: Input should be a valid string"),
        (json!({"label": "a\0", "scopes": ["*"]}), "label: "),
        (json!({"label": "x", "scopes": "*"}), "scopes: Input should be a valid list"),
        (json!({"label": "x", "scopes": []}), "scopes: List should have at least 1 item"),
        (json!({"label": "x", "scopes": ["*", 1]}), "scopes.1: Input should be a valid string"),
        (json!({"label": "x", "scopes": ["accounts:*"]}), "scopes.0: unknown scope \"accounts:*\""),
        (json!({"label": "x", "scopes": ["messages:send:{nodot}"]}), "scopes.0: unknown scope"),
        (
            json!({"label": "x", "scopes": ["messages:send:{a.dev}", "messages:send:{A.dev.}"]}),
            "scopes: scope \"messages:send:{a.dev}\" occurs twice",
        ),
        (json!({"label": "x", "scopes": vec!["*"; 501]}), "scopes: List should have at most 500 items"),
        (json!({"label": "x", "scopes": ["*"], "ip_allow_list": "::1"}), "ip_allow_list: "),
        (json!({"label": "x", "scopes": ["*"], "ip_allow_list": ["::1", 1]}), "ip_allow_list.1: "),
        (
            json!({"label": "x", "scopes": ["*"], "ip_allow_list": ["0.0.0.0/0"]}),
            "ip_allow_list: entry \"0.0.0.0/0\"",
        ),
        (json!({"label": "x", "scopes": ["*"], "ip_allow_list": ["::/0"]}), "ip_allow_list: entry \"::/0\""),
        (
            json!({"label": "x", "scopes": ["*"], "ip_allow_list": ["office"]}),
            "ip_allow_list: entry \"office\"",
        ),
        (json!({"label": "x", "scopes": ["*"], "ip_allow_list": many}), "ip_allow_list: "),
        (json!([]), "invalid request body"),
    ] {
        let answer = client.post(&keys, body).await.expect(400);
        assert!(answer.message().starts_with(message), "{message}: {answer}");
    }
    let longest = json!({"label": "é".repeat(255), "scopes": ["*"], "ip_allow_list": null});
    assert_eq!(client.post(&keys, longest).await.expect(201)["ip_allow_list"], json!([]));
}

#[tokio::test]
async fn a_domain_beside_all_of_them_is_dropped() {
    let acme = Acme::new().await;
    let wanted = json!(["messages:send:{a.dev}", "messages:send:all", "webhooks:read:{a.dev}"]);
    let made =
        acme.client().post(&acme.api_keys(), json!({"label": "x", "scopes": wanted})).await.expect(201);
    assert_eq!(scopes(&made.body), ["messages:send:all", "webhooks:read:{a.dev}"]);
    assert!(made["scopes"].as_array().unwrap().iter().all(|grant| grant["domain_id"].is_null()));
}

#[tokio::test]
async fn no_caller_grants_a_scope_that_it_lacks() {
    let acme = Acme::new().await;
    let (_, maker) = acme.create_api_key(&["api-keys:write", "messages:send:all", "customers:read"]).await;
    let held = json!(["messages:send:{a.dev}", "api-keys:write", "customers:read"]);
    maker.post(&acme.api_keys(), json!({"label": "x", "scopes": held})).await.expect(201);
    for wanted in ["*", "api-keys:read", "messages:read:all", "customers:write"] {
        let body = json!({"label": "x", "scopes": [wanted, "api-keys:write"]});
        let refused = maker.post(&acme.api_keys(), body).await.expect(403);
        assert_eq!(refused.message(), format!("the caller does not hold these scopes: {wanted}"));
    }
    let body = json!({"label": "x", "scopes": ["api-keys:read", "api-keys:delete"]});
    let refused = maker.post(&acme.api_keys(), body).await.expect(403);
    assert_eq!(refused.message(), "the caller does not hold these scopes: api-keys:delete, api-keys:read");
}

#[tokio::test]
async fn a_key_is_the_other_dialects_token() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (id, key) = acme.create_api_key(&["customers:read", "accounts:read"]).await;
    let tokens = client.get("/v1/organization-access-tokens").await.expect(200);
    let token = tokens["items"].as_array().unwrap().iter().find(|token| token["id"] == json!(id)).unwrap();
    assert_eq!((&token["comment"], &token["scopes"]), (&json!("key"), &json!(["customers:read"])));
    key.get("/v1/customers").await.expect(200);
    // The same for a token of /v1.
    let body = json!({"comment": "made in v1", "scopes": ["customers:read"]});
    let made = client.post("/v1/organization-access-tokens", body).await.expect(201);
    let (id, secret) = (&made["organization_access_token"]["id"], made["token"].as_str().unwrap());
    let path = format!("{}/{}", acme.api_keys(), id.as_str().unwrap());
    let shown = client.get(&path).await.expect(200);
    assert_eq!((&shown["label"], scopes(&shown.body)), (&json!("made in v1"), vec!["customers:read"]));
    assert!(shown["public_key"].as_str().unwrap().starts_with("aha-pk-"));
    acme.world.bearer(secret).get("/v2/ping").await.expect(200);
    client.put(&path, json!({"scopes": ["accounts:read"]})).await.expect(200);
    acme.world.bearer(secret).get(&acme.path_v2()).await.expect(200);
    acme.world.bearer(secret).get("/v1/customers").await.expect(403);
    client.delete(&path).await.expect(200);
    acme.world.bearer(secret).get("/v2/ping").await.expect(401);
    client.delete(&format!("/v1/organization-access-tokens/{}", id.as_str().unwrap())).await.expect(404);
}

#[tokio::test]
async fn a_creation_sent_again_makes_no_second_key() {
    let acme = Acme::new().await;
    let keyed = acme.client().key("k");
    let body = json!({"label": "x", "scopes": ["accounts:read"]});
    let first = keyed.post(&acme.api_keys(), body.clone()).await.expect(201);
    let again = keyed.post(&acme.api_keys(), body).await.expect(201);
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert_eq!(first.text, again.text);
    keyed.post(&acme.api_keys(), json!({"label": "y", "scopes": ["*"]})).await.expect(422);
    let labels = acme.client().get(&acme.api_keys()).await;
    assert_eq!(labels.each("label"), ["x", "test"]);
}

#[tokio::test]
async fn a_person_manages_keys_by_their_role() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    for (email, role, status) in
        [("admin@example.com", "Administrator", 201), ("dev@example.com", "Developer", 403)]
    {
        acme.client().post(&members, json!({"email": email, "role": role})).await.expect(201);
        let person = acme.world.user(email, "api-keys:read api-keys:write accounts:read").await;
        let body = json!({"label": "theirs", "scopes": ["accounts:read"]});
        person.post(&acme.api_keys(), body).await.expect(status);
        person.get(&acme.api_keys()).await.expect(if status == 201 { 200 } else { 403 });
    }
    let owner = acme.world.user(&acme.organization.owner, "api-keys:write").await;
    owner.post(&acme.api_keys(), json!({"label": "x", "scopes": ["accounts:read"]})).await.expect(403);
}

#[tokio::test]
async fn ids_that_are_none_and_keys_of_others() {
    let world = World::new();
    let (first, second) = (world.organization("first").await, world.organization("second").await);
    let (ours, theirs) = (world.token(&first, "*").await, world.token(&second, "*").await);
    let keys = |tenant: &Organization| format!("/v2/accounts/{}/api-keys", tenant.id);
    for method in ["GET", "DELETE"] {
        let bad = ours.send(method, &format!("{}/nope", keys(&first)), None, "").await.expect(400);
        assert_eq!(bad.message(), "invalid key_id");
        let foreign = format!("{}/{}", keys(&first), theirs.actor());
        assert_eq!(ours.send(method, &foreign, None, "").await.expect(404).message(), "api key not found");
        let foreign = format!("{}/{}", keys(&second), theirs.actor());
        assert_eq!(ours.send(method, &foreign, None, "").await.expect(401).message(), "invalid API key");
    }
    theirs.get("/v2/ping").await.expect(200);
    assert_eq!(ours.get(&keys(&first)).await.each("id"), [ours.actor().to_string()]);
}

#[tokio::test]
async fn a_weak_key_neither_changes_nor_revokes_a_strong_one() {
    let acme = Acme::new().await;
    let body = json!({"label": "strong", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let strong = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let path = format!("{}/{}", acme.api_keys(), strong["id"].as_str().unwrap());
    let (_, weak) = acme.create_api_key(&["api-keys:write", "api-keys:delete"]).await;
    for change in [json!({"ip_allow_list": []}), json!({"label": "x"}), json!({"scopes": ["api-keys:write"]})]
    {
        let refused = weak.put(&path, change).await.expect(403);
        assert_eq!(refused.message(), "the caller does not hold these scopes: *");
    }
    weak.delete(&path).await.expect(403);
    let polar = format!("/v1/organization-access-tokens/{}", strong["id"].as_str().unwrap());
    let weak = acme.world.token(&acme.organization, "organization_access_tokens:write").await;
    assert_eq!(weak.patch(&polar, json!({"comment": "x"})).await.expect(403)["error"], json!("NotPermitted"));
    assert_eq!(weak.delete(&polar).await.expect(403)["error"], json!("NotPermitted"));
    let kept = acme.client().get(&path).await.expect(200);
    assert_eq!((&kept["label"], &kept["ip_allow_list"]), (&json!("strong"), &json!(["203.0.113.0/24"])));
    acme.client().delete(&path).await.expect(200);
}

#[tokio::test]
async fn a_restricted_key_makes_no_key_for_other_networks() {
    let acme = Acme::new().await;
    let body =
        json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["127.0.0.0/8", "203.0.113.0/24"]});
    let made = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let office = acme.world.bearer(made["secret_key"].as_str().unwrap());
    let create = async |list: Value| {
        office.post(&acme.api_keys(), json!({"label": "x", "scopes": ["*"], "ip_allow_list": list})).await
    };
    assert_eq!(create(json!(["203.0.113.7"])).await.expect(201)["ip_allow_list"], json!(["203.0.113.7/32"]));
    let inherited = create(json!([])).await.expect(201);
    assert_eq!(inherited["ip_allow_list"], made["ip_allow_list"], "the list of the calling key");
    for wider in [json!(["203.0.112.0/20"]), json!(["127.0.0.1", "198.51.100.1"])] {
        create(wider.clone()).await.expect(403);
        let path = format!("{}/{}", acme.api_keys(), inherited["id"].as_str().unwrap());
        office.put(&path, json!({"ip_allow_list": wider})).await.expect(403);
    }
}
