//! `Polar-Organization`: a person of several organizations acts on one of them alone.

use serde_json::{Value, json};
use tenantry_testkit::{Client, Organization, World};

const OWNER: &str = "owner@example.com";
const HEADER: &str = "polar-organization";

struct Two {
    world: World,
    acme: Organization,
    other: Organization,
}

async fn two() -> Two {
    let world = World::new();
    let acme = world.organization_owned_by("acme", OWNER).await;
    let other = world.organization_owned_by("other", OWNER).await;
    Two { world, acme, other }
}

async fn customer(client: &Client<'_>, email: &str) -> Value {
    client.post("/v1/customers", json!({"email": email})).await.expect(201).body
}

fn of_items<'a>(page: &'a Value, field: &str) -> Vec<&'a Value> {
    page["items"].as_array().unwrap().iter().map(|item| &item[field]).collect()
}

#[tokio::test]
async fn only_rows_of_the_organization_are_shown_and_changed() {
    let Two { world, acme, other } = two().await;
    let owner = world.user(OWNER, "*").await;
    let (in_acme, in_other) =
        (owner.with(HEADER, acme.id.to_string()), owner.with(HEADER, other.id.to_string().to_uppercase()));
    // The header stands for the field organization_id of a body.
    let here = customer(&in_acme, "a@example.com").await;
    let there = customer(&in_other, "b@example.com").await;
    assert_eq!((&here["organization_id"], &there["organization_id"]), (&json!(acme.id), &json!(other.id)));
    let webhook = json!({"url": "https://example.com/", "format": "raw", "events": ["customer.created"]});
    in_acme.post("/v1/webhooks/endpoints", webhook).await.expect(201);
    for (path, field, count) in [
        ("/v1/customers", "organization_id", 1),
        ("/v1/webhooks/endpoints", "organization_id", 1),
        ("/v1/organizations", "id", 1),
    ] {
        let listed = in_acme.get(path).await.expect(200).body;
        assert_eq!(of_items(&listed, field), vec![&json!(acme.id); count], "{path}");
        assert_eq!(listed["pagination"]["total_count"], count, "{path}");
    }
    let foreign = format!("/v1/customers?organization_id={}", other.id);
    assert_eq!(in_acme.get(&foreign).await.expect(200)["items"], json!([]));
    assert_eq!(owner.get("/v1/customers").await.expect(200)["pagination"]["total_count"], 2);
    let path = format!("/v1/customers/{}", there["id"].as_str().unwrap());
    in_acme.get(&path).await.expect(404);
    in_acme.patch(&path, json!({"name": "X"})).await.expect(404);
    in_acme.delete(&path).await.expect(404);
    in_acme.get(&format!("/v1/organizations/{}", other.id)).await.expect(404);
    in_other.patch(&path, json!({"name": "X"})).await.expect(200);
    let export = in_acme.get("/v1/customers/export").await.expect(200).text;
    assert!(export.contains("a@example.com") && !export.contains("b@example.com"), "{export}");
    // The other organization cannot be named in the body either.
    let body = json!({"email": "c@example.com", "organization_id": other.id});
    in_acme.post("/v1/customers", body).await.expect(422);
}

#[tokio::test]
async fn an_unknown_or_malformed_organization_is_refused_and_the_header_is_named() {
    let Two { world, acme, other } = two().await;
    let stranger = world.user("stranger@example.com", "*").await;
    let token = world.token(&acme, "*").await;
    token.with(HEADER, acme.id.to_string()).get("/v1/customers").await.expect(200);
    for (client, value, kind) in [
        (&stranger, acme.id.to_string(), "value_error"),
        (&token, other.id.to_string(), "value_error"),
        (&token, "acme".to_owned(), "uuid_parsing"),
        (&token, String::new(), "uuid_parsing"),
    ] {
        for (method, path) in
            [("GET", "/v1/customers"), ("DELETE", "/v1/customers/x"), ("POST", "/v1/customers")]
        {
            let body = (method == "POST").then(|| json!({"email": "a@example.com"}));
            let refused = client.with(HEADER, &value).call(method, path, body).await.expect(422);
            let violation = &refused["detail"][0];
            assert_eq!(violation["loc"], json!(["header", "Polar-Organization"]), "{refused}");
            assert_eq!(violation["type"], kind, "{refused}");
        }
    }
    let twice = token.with(HEADER, acme.id.to_string()).with(HEADER, acme.id.to_string());
    twice.get("/v1/customers").await.expect(422);
    world.anonymous().with(HEADER, "x").get("/v1/customers").await.expect(401);
    // The other dialect names the account in its paths.
    token.with(HEADER, other.id.to_string()).get("/v2/ping").await.expect(200);
}

#[tokio::test]
async fn a_key_belongs_to_one_organization() {
    let Two { world, acme, other } = two().await;
    let owner = world.user(OWNER, "*").await.key("k");
    let body = json!({"email": "a@example.com"});
    let first = owner.with(HEADER, acme.id.to_string());
    let made = first.post("/v1/customers", body.clone()).await.expect(201);
    let again = first.post("/v1/customers", body.clone()).await.expect(201);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&made.body, Some("true")));
    owner.with(HEADER, other.id.to_string()).post("/v1/customers", body).await.expect(422);
}

#[tokio::test]
async fn an_operation_for_people_says_so_to_other_tokens() {
    let Two { world, acme, .. } = two().await;
    let token = world.token(&acme, "*").await;
    let refused = token.post("/v1/organizations", json!({"name": "New", "slug": "new"})).await.expect(401);
    assert_eq!(refused["error"], "Unauthorized");
    assert!(refused.header("www-authenticate").unwrap().contains("token of a person"), "{refused}");
}
