//! `/v1/webhooks/endpoints` and `/v1/webhooks/deliveries`. The sending of webhooks is tested in `crates/worker/tests`.

use serde_json::{Value, json};
use tenantry_testkit::{Acme, Settings, World};

const ENDPOINTS: &str = "/v1/webhooks/endpoints";

/// The operator allows `hooks.internal` to be called over plain HTTP.
async fn acme() -> Acme {
    let plain_http_hosts = vec!["hooks.internal".to_owned()];
    Acme::within(World::with(Settings { plain_http_hosts, ..Settings::default() })).await
}

async fn create(acme: &Acme, body: Value) -> Value {
    acme.client().post(ENDPOINTS, body).await.expect(201).body
}

fn simple() -> Value {
    json!({"url": " https://Hooks.acme.dev ", "format": "raw", "events": ["member.created", "member.created"]})
}

fn path(endpoint: &Value) -> String {
    format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_refused_plain_http_url_names_the_option_that_allows_it() {
    let acme = acme().await;
    for url in ["http://localhost:3000/hook", "http://127.0.0.1/", "http://example.com"] {
        let body = json!({"url": url, "format": "raw", "events": ["member.created"]});
        let answer = acme.client().post(ENDPOINTS, body).await.expect(422);
        assert!(answer.body.to_string().contains("--webhook-http-host"), "{answer}");
    }
}

const YEAR_S: i64 = 365 * 24 * 60 * 60;

#[tokio::test]
async fn large_changes_with_many_endpoints_have_a_budget_of_bytes() {
    let acme = acme().await;
    let keys = format!(
        "{}/sub-accounts/{}/api-keys",
        acme.path_v2(),
        acme.world.sub_account(&acme.organization, "Child").await
    );
    let child = acme
        .client()
        .post(&keys, json!({"label": "x", "scopes": ["*"], "ip_allow_list": []}))
        .await
        .expect(201);
    let child = acme.world.bearer(child["secret_key"].as_str().unwrap());
    let mut endpoints = Vec::new();
    for _ in 0..50 {
        let body = json!({"url": "https://hooks.acme.dev", "format": "raw", "events": ["customer.created"]});
        child.post(ENDPOINTS, body.clone()).await.expect(201);
        endpoints.push(create(&acme, body).await);
    }
    let metadata: serde_json::Map<String, Value> =
        (0..50).map(|number| (format!("key_{number}"), json!("x".repeat(500)))).collect();
    let large = |number: i32| json!({"email": format!("large-{number}@example.com"), "metadata": metadata});
    let small = |number: i32| json!({"email": format!("small-{number}@example.com")});
    let mut refused = None;
    for number in 0..100 {
        let answer = acme.client().post("/v1/customers/", large(number)).await;
        if answer.status != 201 {
            refused = Some((number, answer.expect(429)));
            break;
        }
    }
    let (number, answer) = refused.expect("the budget ends");
    assert!(number > 40, "only {number} changes");
    let retry_after_s: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&retry_after_s), "{retry_after_s}");
    // A sub-account has no budget of its own.
    child.post("/v1/customers/", large(number)).await.expect(429);
    // Small changes, and those of other owners, go on. Nothing of the refused one remains.
    acme.client().post("/v1/customers/", small(0)).await.expect(201);
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await;
    other.post("/v1/customers/", large(number)).await.expect(201);
    acme.world.advance_s(retry_after_s);
    acme.client().post("/v1/customers/", large(number)).await.expect(201);
    acme.client().post("/v1/customers/", large(number + 1)).await.expect(429);
    // A budget that was used while the clock was wrong does not stay empty.
    acme.world.advance_s(YEAR_S);
    acme.client().post("/v1/customers/", large(number + 1)).await.expect(201);
    acme.world.advance_s(-YEAR_S);
    acme.client().post("/v1/customers/", large(number + 2)).await.expect(201);
    // With fewer endpoints the same changes are free.
    for endpoint in &endpoints[3..] {
        acme.client().delete(&path(endpoint)).await.expect(204);
    }
    acme.client().post("/v1/customers/", large(number + 3)).await.expect(201);
}

#[tokio::test]
async fn an_endpoint_is_created_shown_updated_and_deleted() {
    let acme = acme().await;
    let created = create(&acme, simple()).await;
    let keys: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "created_at",
            "modified_at",
            "id",
            "url",
            "name",
            "format",
            "secret",
            "organization_id",
            "events",
            "enabled",
            "disabled_reason",
            "api_version",
            "uses_standard_webhook_signature"
        ]
    );
    assert_eq!(created["url"], "https://hooks.acme.dev/");
    assert_eq!(created["events"], json!(["member.created", "member.created"]));
    assert_eq!(created["organization_id"], acme.organization.id.to_string());
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(acme.client().get(&path(&created)).await.expect(200).body, created);

    let change =
        json!({"name": "", "url": null, "format": null, "events": null, "enabled": null, "secret": null});
    let named = acme.client().patch(&path(&created), change).await.expect(200).body;
    assert_eq!((&named["name"], &named["url"]), (&json!(""), &created["url"]));
    let unnamed = acme.client().patch(&path(&created), json!({"name": null})).await.expect(200).body;
    assert_eq!(unnamed["name"], Value::Null);
    let same = acme.client().patch(&path(&created), json!({})).await.expect(200).body;
    assert_eq!(same, unnamed);

    let reset =
        acme.client().call("PATCH", &format!("{}/secret", path(&created)), None).await.expect(200).body;
    assert_ne!(reset["secret"], created["secret"]);
    assert_eq!(acme.client().get(&path(&created)).await.expect(200).body["secret"], reset["secret"]);

    let second = create(&acme, simple()).await;
    let list = acme.client().get(&format!("{ENDPOINTS}?limit=1")).await.expect(200).body;
    assert_eq!((&list["items"][0]["id"], &list["pagination"]["total_count"]), (&second["id"], &json!(2)));
    acme.client().delete(&path(&created)).await.expect(204);
    acme.client().delete(&path(&created)).await.expect(404);
    acme.client().get(&path(&created)).await.expect(404);
    assert_eq!(acme.client().get(ENDPOINTS).await.expect(200).body["pagination"]["total_count"], 1);
}

#[tokio::test]
async fn a_url_that_must_not_be_called_is_rejected() {
    let acme = acme().await;
    for (url, kind) in [
        ("http://hooks.acme.dev/", "url_scheme"),
        ("https://10.0.0.5/x", "value_error"),
        ("https://localhost/x", "value_error"),
        ("https://[::1]/x", "value_error"),
        ("http://hooks.internal:8080/", "url_scheme"),
        ("nonsense", "url_parsing"),
    ] {
        let body = json!({"url": url, "format": "raw", "events": []});
        let response = acme.client().post(ENDPOINTS, body).await;
        response.assert_violations(&[&format!("{kind} body.url")]);
    }
    let named =
        create(&acme, json!({"url": "http://hooks.internal/x", "format": "slack", "events": []})).await;
    assert_eq!(named["url"], "http://hooks.internal/x");
}

#[tokio::test]
async fn every_violation_is_reported() {
    let acme = acme().await;
    let body = json!({"url": 1, "format": "xml", "events": ["member.created", "x"], "secret": "short"});
    acme.client().post(ENDPOINTS, body).await.assert_violations(&[
        "url_type body.url",
        "enum body.format",
        "enum body.events.1",
        "string_too_short body.secret",
    ]);
    let missing = ["missing body.url", "missing body.format", "missing body.events"];
    acme.client().post(ENDPOINTS, json!({})).await.assert_violations(&missing);
}

#[tokio::test]
async fn a_secret_can_be_given_and_only_writers_see_it() {
    let acme = acme().await;
    let secret = "0123456789abcdef0123456789abcdef";
    let mut body = simple();
    body["secret"] = json!(secret);
    let created = create(&acme, body).await;
    assert_eq!(created["secret"], secret);
    let reader = acme.world.token(&acme.organization, "webhooks:read").await;
    for path in [path(&created), ENDPOINTS.to_owned()] {
        let shown = reader.get(&path).await;
        assert!(!shown.expect(200).text.contains(secret));
    }
    let response = reader.patch(&path(&created), json!({})).await;
    assert_eq!(response.status, 403);
    let other = acme.world.token(&acme.organization, "customers:write").await;
    assert_eq!(other.get(ENDPOINTS).await.status, 403);
    assert_eq!(acme.world.bearer("nothing").get(ENDPOINTS).await.status, 401);
}

#[tokio::test]
async fn a_user_needs_a_role_that_manages_webhooks() {
    let acme = acme().await;
    let created = create(&acme, simple()).await;
    let account = format!("/v2/accounts/{}/members", acme.organization.id);
    let analyst = json!({"email": "analyst@acme.dev", "name": "A", "role": "Analyst"});
    acme.client().post(&account, analyst).await.expect(201);
    let mut body = simple();
    body["organization_id"] = json!(acme.organization.id.to_string());
    for (user, may) in
        [("analyst@acme.dev", false), ("owner@acme.example.com", true), ("stranger@x.dev", false)]
    {
        let token = acme.world.user(user, "*").await;
        let list = token.get(ENDPOINTS).await;
        assert_eq!(list["pagination"]["total_count"], i32::from(may), "{user}");
        let list = token.get("/v1/webhooks/deliveries").await;
        assert_eq!(list["pagination"]["total_count"], 0, "{user}");
        let response = token.get(&path(&created)).await;
        assert_eq!(response.status, if may { 200 } else { 404 }, "{user}");
        let response = token.patch(&path(&created), json!({})).await;
        assert_eq!(response.status, if may { 200 } else { 404 }, "{user}");
    }
    let token = acme.world.user("analyst@acme.dev", "*").await;
    assert_eq!(token.post(ENDPOINTS, body.clone()).await.status, 403);
    let token = acme.world.user("stranger@x.dev", "*").await;
    assert_eq!(token.post(ENDPOINTS, body.clone()).await.status, 422);
    let token = acme.world.user("owner@acme.example.com", "*").await;
    assert_eq!(token.post(ENDPOINTS, body.clone()).await.status, 201);
    assert_eq!(token.post(ENDPOINTS, simple()).await.status, 422);
    // A token of the organization must not send `organization_id`.
    let response = acme.client().post(ENDPOINTS, body).await;
    response.assert_violations(&["organization_token body.organization_id"]);
}

#[tokio::test]
async fn malformed_filters_are_rejected() {
    let acme = acme().await;
    let good = "endpoint_id=00000000-0000-4000-8000-000000000000&start_timestamp=2026-01-01T00:00:00Z\
        &end_timestamp=2027-01-01T00:00:00%2B02:00&succeeded=true&http_code_class=2xx\
        &event_type=member.created&event_type=customer.created&query=abc";
    let list = acme.client().get(&format!("/v1/webhooks/deliveries?{good}")).await.expect(200).body;
    assert_eq!(list, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
    for (query, kind, place) in [
        ("endpoint_id=x", "uuid_parsing", "query.endpoint_id.0"),
        ("start_timestamp=2026-01-01T00:00:00", "timezone_aware", "query.start_timestamp"),
        ("end_timestamp=x", "datetime_from_date_parsing", "query.end_timestamp"),
        ("succeeded=x", "bool_parsing", "query.succeeded"),
        ("http_code_class=1xx", "enum", "query.http_code_class"),
        ("event_type=x", "enum", "query.event_type.0"),
    ] {
        let response = acme.client().get(&format!("/v1/webhooks/deliveries?{query}")).await;
        response.assert_violations(&[&format!("{kind} {place}")]);
    }
    let response = acme.client().get(&format!("{ENDPOINTS}?organization_id=x")).await;
    response.assert_violations(&["uuid_parsing query.organization_id.0"]);
    let unknown = format!("{ENDPOINTS}?organization_id=00000000-0000-4000-8000-000000000000");
    assert_eq!(acme.client().get(&unknown).await.expect(200).body["pagination"]["total_count"], 0);
}

#[tokio::test]
async fn an_endpoint_is_enabled_only_with_a_url_that_may_be_called() {
    let acme = acme().await;
    let new = json!({"url": "http://hooks.internal/x", "format": "raw", "events": []});
    let created = create(&acme, new).await;
    acme.client().patch(&path(&created), json!({"enabled": false})).await.expect(200);
    // The operator no longer allows the host.
    let acme = acme.restart_with(Settings::default()).await;
    let on = json!({"enabled": true});
    let response = acme.client().patch(&path(&created), on).await;
    response.assert_violations(&["value_error body.enabled"]);
    let fixed = json!({"enabled": true, "url": "https://hooks.acme.dev/"});
    assert_eq!(acme.client().patch(&path(&created), fixed).await.expect(200).body["enabled"], true);
}
