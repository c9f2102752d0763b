//! Webhook endpoints and deliveries, as a client sees them. Deliveries themselves are tested in the worker.

#![allow(missing_docs, unreachable_pub, reason = "nobody else uses a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod webhook_support;

use serde_json::{Value, json};
use webhook_support::World;

const ENDPOINTS: &str = "/v1/webhooks/endpoints";

async fn world() -> World {
    World::new(&["hooks.internal".to_owned()]).await
}

async fn create(world: &World, body: Value) -> Value {
    world.expect(201, "POST", ENDPOINTS, Some(body)).await
}

fn simple() -> Value {
    json!({"url": " https://Hooks.acme.dev ", "format": "raw", "events": ["member.created", "member.created"]})
}

fn path(endpoint: &Value) -> String {
    format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap())
}

/// The kinds and places of what is wrong.
fn faults(answer: &Value) -> Vec<(String, String)> {
    let faults = answer["detail"].as_array().unwrap().iter();
    faults.map(|fault| (fault["type"].as_str().unwrap().to_owned(), fault["loc"].to_string())).collect()
}

fn fault(kind: &str, place: &str) -> (String, String) {
    (kind.to_owned(), place.to_owned())
}

#[tokio::test]
async fn an_endpoint_lives() {
    let world = world().await;
    let created = create(&world, simple()).await;
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
            "disabled_reason"
        ]
    );
    assert_eq!(created["url"], "https://hooks.acme.dev/");
    assert_eq!(created["events"], json!(["member.created", "member.created"]));
    assert_eq!(created["organization_id"], world.organization.to_string());
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(world.get(&path(&created)).await, created);

    let change =
        json!({"name": "", "url": null, "format": null, "events": null, "enabled": null, "secret": null});
    let named = world.expect(200, "PATCH", &path(&created), Some(change)).await;
    assert_eq!((&named["name"], &named["url"]), (&json!(""), &created["url"]));
    let unnamed = world.expect(200, "PATCH", &path(&created), Some(json!({"name": null}))).await;
    assert_eq!(unnamed["name"], Value::Null);
    let same = world.expect(200, "PATCH", &path(&created), Some(json!({}))).await;
    assert_eq!(same, unnamed);

    let reset = world.expect(200, "PATCH", &format!("{}/secret", path(&created)), None).await;
    assert_ne!(reset["secret"], created["secret"]);
    assert_eq!(world.get(&path(&created)).await["secret"], reset["secret"]);

    let second = create(&world, simple()).await;
    let list = world.get(&format!("{ENDPOINTS}?limit=1")).await;
    assert_eq!((&list["items"][0]["id"], &list["pagination"]["total_count"]), (&second["id"], &json!(2)));
    world.expect(204, "DELETE", &path(&created), None).await;
    world.expect(404, "DELETE", &path(&created), None).await;
    world.expect(404, "GET", &path(&created), None).await;
    assert_eq!(world.get(ENDPOINTS).await["pagination"]["total_count"], 1);
}

#[tokio::test]
async fn addresses_that_may_not_be_called() {
    let world = world().await;
    for (url, kind) in [
        ("http://hooks.acme.dev/", "url_scheme"),
        ("https://10.0.0.5/x", "value_error"),
        ("https://localhost/x", "value_error"),
        ("https://[::1]/x", "value_error"),
        ("http://hooks.internal:8080/", "url_scheme"),
        ("nonsense", "url_parsing"),
    ] {
        let body = json!({"url": url, "format": "raw", "events": []});
        let answer = world.expect(422, "POST", ENDPOINTS, Some(body)).await;
        assert_eq!(faults(&answer), [fault(kind, r#"["body","url"]"#)], "{url}");
    }
    let named =
        create(&world, json!({"url": "http://hooks.internal/x", "format": "slack", "events": []})).await;
    assert_eq!(named["url"], "http://hooks.internal/x");
}

#[tokio::test]
async fn every_fault_is_named() {
    let world = world().await;
    let body = json!({"url": 1, "format": "xml", "events": ["member.created", "x"], "secret": "short"});
    let answer = world.expect(422, "POST", ENDPOINTS, Some(body)).await;
    let expected = [
        fault("url_type", r#"["body","url"]"#),
        fault("enum", r#"["body","format"]"#),
        fault("enum", r#"["body","events",1]"#),
        fault("string_too_short", r#"["body","secret"]"#),
    ];
    assert_eq!(faults(&answer), expected);
    let answer = world.expect(422, "POST", ENDPOINTS, Some(json!({}))).await;
    let missing = ["url", "format", "events"].map(|name| fault("missing", &format!(r#"["body","{name}"]"#)));
    assert_eq!(faults(&answer), missing);
}

#[tokio::test]
async fn a_secret_of_ones_own_and_who_sees_it() {
    let world = world().await;
    let secret = "0123456789abcdef0123456789abcdef";
    let mut body = simple();
    body["secret"] = json!(secret);
    let created = create(&world, body).await;
    assert_eq!(created["secret"], secret);
    let reader = world.token_with(&["webhooks:read"]).await;
    for path in [path(&created), ENDPOINTS.to_owned()] {
        let (status, shown) = world.ask(&reader, "GET", &path, None).await;
        assert_eq!(status, 200);
        assert!(!shown.to_string().contains(secret));
    }
    let (status, _) = world.ask(&reader, "PATCH", &path(&created), Some(json!({}))).await;
    assert_eq!(status, 403);
    let other = world.token_with(&["customers:write"]).await;
    assert_eq!(world.ask(&other, "GET", ENDPOINTS, None).await.0, 403);
    assert_eq!(world.ask("nothing", "GET", ENDPOINTS, None).await.0, 401);
}

#[tokio::test]
async fn a_person_needs_the_right_to_manage() {
    let world = world().await;
    let created = create(&world, simple()).await;
    let account = format!("/v2/accounts/{}/members", world.organization);
    let analyst = json!({"email": "analyst@acme.dev", "name": "A", "role": "Analyst"});
    world.expect(201, "POST", &account, Some(analyst)).await;
    let mut body = simple();
    body["organization_id"] = json!(world.organization.to_string());
    for (person, may) in [("analyst@acme.dev", false), ("owner@acme.dev", true), ("stranger@x.dev", false)] {
        let token = world.token_of(person).await;
        let (_, list) = world.ask(&token, "GET", ENDPOINTS, None).await;
        assert_eq!(list["pagination"]["total_count"], i32::from(may), "{person}");
        let (_, list) = world.ask(&token, "GET", "/v1/webhooks/deliveries", None).await;
        assert_eq!(list["pagination"]["total_count"], 0, "{person}");
        let (status, _) = world.ask(&token, "GET", &path(&created), None).await;
        assert_eq!(status, if may { 200 } else { 404 }, "{person}");
        let (status, _) = world.ask(&token, "PATCH", &path(&created), Some(json!({}))).await;
        assert_eq!(status, if may { 200 } else { 404 }, "{person}");
    }
    let token = world.token_of("analyst@acme.dev").await;
    assert_eq!(world.ask(&token, "POST", ENDPOINTS, Some(body.clone())).await.0, 403);
    let token = world.token_of("stranger@x.dev").await;
    assert_eq!(world.ask(&token, "POST", ENDPOINTS, Some(body.clone())).await.0, 422);
    let token = world.token_of("owner@acme.dev").await;
    assert_eq!(world.ask(&token, "POST", ENDPOINTS, Some(body.clone())).await.0, 201);
    assert_eq!(world.ask(&token, "POST", ENDPOINTS, Some(simple())).await.0, 422);
    // An organization's own token does not name it.
    let answer = world.expect(422, "POST", ENDPOINTS, Some(body)).await;
    assert_eq!(faults(&answer), [fault("organization_token", r#"["body","organization_id"]"#)]);
}

#[tokio::test]
async fn filters_are_read_strictly() {
    let world = world().await;
    let good = "endpoint_id=00000000-0000-4000-8000-000000000000&start_timestamp=2026-01-01T00:00:00Z\
        &end_timestamp=2027-01-01T00:00:00%2B02:00&succeeded=true&http_code_class=2xx\
        &event_type=member.created&event_type=customer.created&query=abc";
    let list = world.get(&format!("/v1/webhooks/deliveries?{good}")).await;
    assert_eq!(list, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
    for (query, kind, place) in [
        ("endpoint_id=x", "uuid_parsing", r#"["query","endpoint_id",0]"#),
        ("start_timestamp=2026-01-01T00:00:00", "timezone_aware", r#"["query","start_timestamp"]"#),
        ("end_timestamp=x", "datetime_from_date_parsing", r#"["query","end_timestamp"]"#),
        ("succeeded=x", "bool_parsing", r#"["query","succeeded"]"#),
        ("http_code_class=1xx", "enum", r#"["query","http_code_class"]"#),
        ("event_type=x", "enum", r#"["query","event_type",0]"#),
    ] {
        let answer = world.expect(422, "GET", &format!("/v1/webhooks/deliveries?{query}"), None).await;
        assert_eq!(faults(&answer), [fault(kind, place)], "{query}");
    }
    let answer = world.expect(422, "GET", &format!("{ENDPOINTS}?organization_id=x"), None).await;
    assert_eq!(faults(&answer), [fault("uuid_parsing", r#"["query","organization_id",0]"#)]);
    let nobodys = format!("{ENDPOINTS}?organization_id=00000000-0000-4000-8000-000000000000");
    assert_eq!(world.get(&nobodys).await["pagination"]["total_count"], 0);
}

#[tokio::test]
async fn an_endpoint_is_switched_on_with_a_callable_address_alone() {
    let mut world = world().await;
    let new = json!({"url": "http://hooks.internal/x", "format": "raw", "events": []});
    let created = create(&world, new).await;
    world.expect(200, "PATCH", &path(&created), Some(json!({"enabled": false}))).await;
    // The operator takes the host back.
    world.hosts.clear();
    let world = world.restart().await;
    let on = json!({"enabled": true});
    let answer = world.expect(422, "PATCH", &path(&created), Some(on)).await;
    assert_eq!(faults(&answer), [fault("value_error", r#"["body","enabled"]"#)]);
    let fixed = json!({"enabled": true, "url": "https://hooks.acme.dev/"});
    assert_eq!(world.expect(200, "PATCH", &path(&created), Some(fixed)).await["enabled"], true);
}
