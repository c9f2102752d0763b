//! Access tokens of an organization: creation, permissions, and the time of the last use.

use serde_json::{Value, json};
use tenantry_testkit::{Acme, Organization, Response, World};

const OWNER: &str = "owner@example.com";
const PATH: &str = "/v1/organization-access-tokens/";

struct Tokens {
    world: World,
    organization: Organization,
    owner: String,
    token: String,
}

async fn tokens() -> Tokens {
    let world = World::new();
    let organization = world.organization_owned_by("acme-team", OWNER).await;
    let owner = world.user(OWNER, "*").await.secret();
    let token = world.token(&organization, "*").await.secret();
    Tokens { world, organization, owner, token }
}

impl Tokens {
    async fn make(&self, by: &str, scopes: &[&str]) -> (String, String) {
        let mut body = json!({"comment": "made", "scopes": scopes});
        if by == self.owner {
            body["organization_id"] = json!(self.organization.id);
        }
        let made = self.world.bearer(by).post(PATH, body).await.expect(201).body;
        let id = made["organization_access_token"]["id"].as_str().unwrap().to_owned();
        (id, made["token"].as_str().unwrap().to_owned())
    }

    async fn find(&self, id: &str) -> Option<Value> {
        let listed = self.world.bearer(&self.token).get(&format!("{PATH}?limit=100")).await.expect(200).body;
        listed["items"].as_array().unwrap().iter().find(|item| item["id"] == id).cloned()
    }
}

#[tokio::test]
async fn a_token_is_made_and_its_secret_shown_once() {
    let tokens = tokens().await;
    for expires_in in [json!(null), json!(3600), json!("PT1H"), json!(3599.5)] {
        let body = json!({
            "organization_id": tokens.organization.id, "comment": "CI", "scopes": ["members:write", "customers:read", "customers:read"],
            "expires_in": expires_in,
        });
        let made = tokens.world.bearer(&tokens.owner).post(PATH, body).await.expect(201).body;
        let shown = &made["organization_access_token"];
        let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "created_at",
                "modified_at",
                "id",
                "scopes",
                "expires_at",
                "comment",
                "last_used_at",
                "organization_id"
            ]
        );
        assert_eq!(shown["scopes"], json!(["customers:read", "members:write"]));
        assert_eq!(
            (&shown["comment"], &shown["organization_id"]),
            (&json!("CI"), &json!(tokens.organization.id))
        );
        assert_eq!(shown["expires_at"].is_null(), expires_in.is_null());
        let secret = made["token"].as_str().unwrap();
        assert!(secret.starts_with("tenantry_oat_"));
        tokens.world.bearer(secret).get("/v1/customers/").await.expect(200);
        tokens.world.bearer(secret).get("/v1/organizations/").await.expect(403);
        let listed = tokens.world.bearer(&tokens.owner).get(&format!("{PATH}?limit=100")).await;
        assert!(!listed.text.contains(secret));
    }
    tokens.world.advance_s(3601);
    assert_eq!(
        tokens.world.bearer(&tokens.token).get(PATH).await.expect(200)["pagination"]["total_count"],
        5
    );
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let tokens = tokens().await;
    let body = json!({"comment": "", "scopes": ["customers:read"], "expires_in": "PT1M"});
    let made = tokens.world.bearer(&tokens.token).post(PATH, body).await.expect(201).body;
    let secret = made["token"].as_str().unwrap();
    tokens.world.bearer(secret).get("/v1/customers/").await.expect(200);
    tokens.world.advance_s(61);
    assert_eq!(tokens.world.bearer(secret).get("/v1/customers/").await.expect(401)["error"], "invalid_token");
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let tokens = tokens().await;
    let good = json!({"comment": "x", "scopes": ["customers:read"]});
    let faulty = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, kind, loc) in [
        (faulty("expires_in", json!(0)), "greater_than", "body.expires_in"),
        (faulty("expires_in", json!(-5)), "greater_than", "body.expires_in"),
        (faulty("expires_in", json!("-P1D")), "greater_than", "body.expires_in"),
        (faulty("expires_in", json!(1e300)), "less_than_equal", "body.expires_in"),
        (faulty("expires_in", json!("soon")), "time_delta_parsing", "body.expires_in"),
        (faulty("expires_in", json!([])), "time_delta_type", "body.expires_in"),
        (faulty("scopes", json!(["customers:read", "nope"])), "enum", "body.scopes.1"),
        (faulty("scopes", json!("customers:read")), "list_type", "body.scopes"),
        (faulty("comment", json!(null)), "string_type", "body.comment"),
        (json!({"comment": "x"}), "missing", "body.scopes"),
        (json!({"scopes": []}), "missing", "body.comment"),
        (
            faulty("organization_id", json!(tokens.organization.id)),
            "organization_token",
            "body.organization_id",
        ),
    ] {
        tokens
            .world
            .bearer(&tokens.token)
            .post(PATH, body)
            .await
            .assert_violations(&[&format!("{kind} {loc}")]);
    }
    tokens
        .world
        .bearer(&tokens.owner)
        .post(PATH, good.clone())
        .await
        .assert_violations(&["missing body.organization_id"]);
    let elsewhere = faulty("organization_id", json!("00000000-0000-4000-8000-000000000000"));
    tokens
        .world
        .bearer(&tokens.owner)
        .post(PATH, elsewhere)
        .await
        .assert_violations(&["value_error body.organization_id"]);
}

#[tokio::test]
async fn a_caller_grants_only_scopes_that_it_holds() {
    let tokens = tokens().await;
    let narrow = ["organization_access_tokens:write", "customers:read", "messages:send:all"];
    let (_, narrow) = tokens.make(&tokens.owner, &narrow).await;
    let body = json!({"comment": "more", "scopes": ["members:write", "customers:read", "*"]});
    let refused = tokens.world.bearer(&narrow).post(PATH, body).await.expect(422).body;
    assert_eq!(refused["error"], "PolarRequestValidationError");
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "scopes"]));
    assert_eq!(refused["detail"][0]["input"], json!(["*", "members:write"]));
    let (id, _) = tokens.make(&narrow, &["customers:read", "messages:send:{a.example}"]).await;
    let path = format!("{PATH}{id}");
    tokens.world.bearer(&narrow).patch(&path, json!({"scopes": ["members:read"]})).await.expect(422);
    // A token with a scope that the caller lacks is not changed, not even to less.
    tokens
        .world
        .bearer(&tokens.token)
        .patch(&path, json!({"scopes": ["members:read", "customers:read"]}))
        .await
        .expect(200);
    let change = json!({"scopes": ["members:read", "messages:send:{b.example}"]});
    tokens.world.bearer(&narrow).patch(&path, change).await.expect(403);
    tokens.world.bearer(&narrow).patch(&path, json!({"scopes": []})).await.expect(403);
    let changed =
        tokens.world.bearer(&tokens.token).patch(&path, json!({"scopes": []})).await.expect(200).body;
    assert_eq!(changed["scopes"], json!([]));
    tokens.world.bearer(&narrow).patch(&path, json!({"scopes": ["members:read"]})).await.expect(422);
}

#[tokio::test]
async fn a_change_shows_at_once_and_null_leaves() {
    let tokens = tokens().await;
    let (id, secret) = tokens.make(&tokens.owner, &["customers:read"]).await;
    let path = format!("{PATH}{id}");
    let changed =
        tokens.world.bearer(&tokens.owner).patch(&path, json!({"comment": "renamed"})).await.expect(200).body;
    assert_eq!((&changed["comment"], &changed["scopes"]), (&json!("renamed"), &json!(["customers:read"])));
    assert!(changed["modified_at"].is_string() && changed.get("token").is_none());
    let nothing = json!({"comment": null, "scopes": null, "expires_in": 5});
    assert_eq!(tokens.world.bearer(&tokens.owner).patch(&path, nothing).await.expect(200).body, changed);
    tokens.world.bearer(&secret).get("/v1/organizations/").await.expect(403);
    tokens
        .world
        .bearer(&tokens.owner)
        .patch(&path, json!({"scopes": ["organizations:read"]}))
        .await
        .expect(200);
    tokens.world.bearer(&secret).get("/v1/organizations/").await.expect(200);
    tokens.world.bearer(&secret).get("/v1/customers/").await.expect(403);
    let unknown = format!("{PATH}00000000-0000-4000-8000-000000000000");
    tokens.world.bearer(&tokens.owner).patch(&unknown, json!({})).await.expect(404);
    tokens.world.bearer(&tokens.owner).patch(&format!("{PATH}nope"), json!({})).await.expect(422);
    tokens.world.bearer(&tokens.owner).get(&unknown).await.expect(404);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let tokens = tokens().await;
    let (id, secret) = tokens.make(&tokens.token, &["customers:read"]).await;
    tokens.world.bearer(&secret).get("/v1/customers/").await.expect(200);
    let path = format!("{PATH}{id}");
    tokens.world.bearer(&tokens.owner).delete(&path).await.expect(204);
    assert_eq!(
        tokens.world.bearer(&secret).get("/v1/customers/").await.expect(401)["error"],
        "invalid_token"
    );
    tokens.world.bearer(&tokens.owner).delete(&path).await.expect(404);
    assert_eq!(tokens.find(&id).await, None);
}

#[tokio::test]
async fn everything_is_shown_by_name_and_can_be_sent_back() {
    let tokens = tokens().await;
    let listed = tokens.world.bearer(&tokens.token).get(PATH).await.expect(200).body;
    let all = &listed["items"][0];
    let names = all["scopes"].as_array().unwrap();
    assert!(names.len() > 60 && !names.contains(&json!("*")) && names.contains(&json!("customers:write")));
    assert!(names.is_sorted_by_key(|name| name.as_str()));
    let path = format!("{PATH}{}", all["id"].as_str().unwrap());
    let sent_back = json!({"scopes": names, "comment": "same"});
    tokens.world.bearer(&tokens.token).patch(&path, sent_back).await.expect(200);
    // The token still has every scope, in the other dialect as well.
    tokens
        .world
        .bearer(&tokens.token)
        .get(&format!("/v2/accounts/{}", tokens.organization.id))
        .await
        .expect(200);
}

#[tokio::test]
async fn only_managers_of_the_organization_see_its_tokens() {
    let tokens = tokens().await;
    let team = format!("/v1/organizations/{}/members", tokens.organization.id);
    for (email, role) in
        [("m@example.com", "member"), ("f@example.com", "finance"), ("a@example.com", "admin")]
    {
        tokens
            .world
            .bearer(&tokens.owner)
            .post(&team, json!({"email": email, "role": role}))
            .await
            .expect(201);
    }
    let (id, _) = tokens.make(&tokens.owner, &[]).await;
    let path = format!("{PATH}{id}");
    let body = json!({"comment": "x", "scopes": [], "organization_id": tokens.organization.id});
    for email in ["m@example.com", "f@example.com"] {
        let person = tokens.world.user(email, "*").await.secret();
        assert_eq!(tokens.world.bearer(&person).get(PATH).await.expect(200)["pagination"]["total_count"], 0);
        let refused = tokens.world.bearer(&person).post(PATH, body.clone()).await.expect(403).body;
        assert_eq!(refused["detail"], "You don't have permission to manage the organization");
        tokens.world.bearer(&person).patch(&path, json!({})).await.expect(404);
        tokens.world.bearer(&person).delete(&path).await.expect(404);
    }
    let admin = tokens.world.user("a@example.com", "*").await.secret();
    assert_eq!(tokens.world.bearer(&admin).get(PATH).await.expect(200)["pagination"]["total_count"], 2);
    tokens.world.bearer(&admin).post(PATH, body.clone()).await.expect(201);
    // A token of another organization does not find it.
    let other = tokens.world.organization_owned_by("other-team", "other@example.com").await;
    let other = tokens.world.token(&other, "*").await.secret();
    tokens.world.bearer(&other).delete(&path).await.expect(404);
    let listed = tokens
        .world
        .bearer(&other)
        .get(&format!("{PATH}?organization_id={}", tokens.organization.id))
        .await
        .expect(200)
        .body;
    assert_eq!(listed["items"], json!([]));
    // Scopes.
    tokens.world.anonymous().get(PATH).await.expect(401);
    let reader = tokens.world.token(&tokens.organization, "organization_access_tokens:read").await.secret();
    tokens.world.bearer(&reader).get(PATH).await.expect(200);
    assert_eq!(tokens.world.bearer(&reader).delete(&path).await.expect(403)["error"], "insufficient_scope");
    let without = tokens.world.token(&tokens.organization, "organizations:write").await.secret();
    assert_eq!(tokens.world.bearer(&without).get(PATH).await.expect(403)["error"], "insufficient_scope");
}

#[tokio::test]
async fn the_list_is_ordered_and_paged() {
    let tokens = tokens().await;
    for comment in ["b", "a", "c"] {
        let body = json!({"comment": comment, "scopes": []});
        tokens.world.bearer(&tokens.token).post(PATH, body).await.expect(201);
    }
    let comments = |query: &'static str| {
        let tokens = &tokens;
        async move {
            let listed =
                tokens.world.bearer(&tokens.token).get(&format!("{PATH}?{query}")).await.expect(200).body;
            let items = listed["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["comment"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(comments("").await, ["test", "b", "a", "c"]);
    assert_eq!(comments("sorting=-comment").await, ["test", "c", "b", "a"]);
    assert_eq!(comments("sorting=last_used_at&sorting=-created_at&limit=2&page=2").await, ["b", "test"]);
    tokens
        .world
        .bearer(&tokens.token)
        .get(&format!("{PATH}?sorting=scopes"))
        .await
        .assert_violations(&["enum query.sorting.0"]);
}

#[tokio::test]
async fn the_last_use_is_stored_without_a_write_for_each_request() {
    let tokens = tokens().await;
    let (id, secret) = tokens.make(&tokens.token, &["customers:read"]).await;
    let noted = || async { tokens.find(&id).await.unwrap()["last_used_at"].clone() };
    tokens.world.bearer(&secret).get("/v1/customers/").await.expect(200);
    assert_eq!(noted().await, Value::Null);
    tokens.world.app.sweep().await.unwrap();
    let first = noted().await;
    assert!(first.is_string());
    // A verified token is cached for a moment. The revocation of any token invalidates the cache.
    let forget = || async {
        let (other, _) = tokens.make(&tokens.token, &[]).await;
        tokens.world.bearer(&tokens.token).delete(&format!("{PATH}{other}")).await.expect(204);
    };
    tokens.world.advance_s(120);
    forget().await;
    tokens.world.bearer(&secret).get("/v1/customers/").await.expect(200);
    tokens.world.app.sweep().await.unwrap();
    assert_eq!(noted().await, first);
    tokens.world.advance_s(181);
    forget().await;
    tokens.world.bearer(&secret).get("/v1/customers/").await.expect(200);
    tokens.world.app.sweep().await.unwrap();
    assert!(noted().await.as_str() > first.as_str());
    assert_eq!(tokens.find(&id).await.unwrap()["modified_at"], Value::Null);
}

#[tokio::test]
async fn a_token_that_expires_makes_none_that_outlives_it() {
    let acme = Acme::new().await;
    let tokens = "/v1/organization-access-tokens";
    let short = acme.world.token_until(&acme.organization, "*", Some(3600)).await;
    let body =
        |expires_in: Value| json!({"comment": "x", "scopes": ["customers:read"], "expires_in": expires_in});
    let inherited = short.post(tokens, body(Value::Null)).await.expect(201);
    assert!(inherited["organization_access_token"]["expires_at"].is_string());
    short.post(tokens, body(json!("PT2H"))).await.expect(403);
    let sooner = short.post(tokens, body(json!("PT30M"))).await.expect(201);
    let lasting = acme.client().post(tokens, body(Value::Null)).await.expect(201);
    assert_eq!(lasting["organization_access_token"]["expires_at"], Value::Null);
    let key =
        short.post(&acme.api_keys(), json!({"label": "x", "scopes": ["customers:read"]})).await.expect(201);
    // A change by which a token gains something is a grant as well.
    let at =
        |token: &Response| format!("{tokens}/{}", token["organization_access_token"]["id"].as_str().unwrap());
    let more = json!({"scopes": ["customers:read", "customers:write"]});
    short.patch(&at(&lasting), more.clone()).await.expect(403);
    short.patch(&at(&lasting), json!({"comment": "renamed"})).await.expect(200);
    short.patch(&at(&sooner), more.clone()).await.expect(200);
    let lasting_key =
        acme.client().post(&acme.api_keys(), json!({"label": "y", "scopes": ["customers:read"]})).await;
    let lasting_key = format!("{}/{}", acme.api_keys(), lasting_key.expect(201).id());
    short.put(&lasting_key, more.clone()).await.expect(403);
    short.put(&format!("{}/{}", acme.api_keys(), key.id()), more).await.expect(200);
    // A person is the stronger right: the tokens that a person makes end with the role.
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    let by_person =
        json!({"comment": "x", "scopes": ["customers:read"], "organization_id": acme.organization.id});
    owner.post(tokens, by_person).await.expect(201);
}

#[tokio::test]
async fn a_token_that_expires_or_is_bound_to_networks_makes_no_administrator() {
    let acme = Acme::new().await;
    let expiring = acme.world.token_until(&acme.organization, "*", Some(3600)).await;
    let bound = json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["127.0.0.0/8"]});
    let bound = acme.client().post(&acme.api_keys(), bound).await.expect(201);
    let bound = acme.world.bearer(bound["secret_key"].as_str().unwrap());
    let (v1, v2) = (
        format!("/v1/organizations/{}/members", acme.organization.id),
        format!("{}/members", acme.path_v2()),
    );
    for (number, client) in [expiring, bound].into_iter().enumerate() {
        let person = |role: &str| json!({"email": format!("p{number}@example.com"), "role": role});
        client.post(&v1, person("admin")).await.expect(403);
        client.post(&v2, person("Administrator")).await.expect(403);
        let developer = client.post(&v2, person("Developer")).await.expect(201);
        let path = format!("{v1}/{}", developer["user_id"].as_str().unwrap());
        client.patch(&path, json!({"role": "admin"})).await.expect(403);
        acme.client().patch(&path, json!({"role": "admin"})).await.expect(200);
        client.patch(&path, json!({"role": "member"})).await.expect(200);
    }
}
