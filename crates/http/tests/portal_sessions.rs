//! `POST /v1/customer-sessions` (docs/contracts/polar/portal.md, 7, and docs/contracts/polar/cases.md, 11.8).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod portal_support;

use portal_support::{World, both, conforms, seats_only};
use serde_json::{Value, json};
use tenantry_core::organization::FeatureSettings;

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_stranger_begins_nothing() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let body = json!({"customer_id": customer["id"]});
    world.post("/v1/customer-sessions/", "", body.clone()).await.fails(401, "Unauthorized");
    let other = world.tenant("other", both()).await;
    world.post("/v1/customer-sessions/", &other.token, body).await.refuses(&["value_error body.customer_id"]);
}

#[tokio::test]
async fn an_individual_by_id_and_by_external_id() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = json!({"email": "ada+x@x.dev", "external_id": "cus 1"});
    let customer = world.post("/v1/customers", &acme.token, customer).await.expect(201);
    for (path, body) in [
        ("/v1/customer-sessions/", json!({"customer_id": customer["id"]})),
        ("/v1/customer-sessions", json!({"external_customer_id": "cus 1"})),
        ("/v1/customer-sessions", json!({"customer_external_id": "cus 1", "customer_id": null})),
        ("/v1/customer-sessions", json!({"customer_id": customer["id"], "external_customer_id": "no such"})),
        ("/v1/customer-sessions", json!({"customer_id": "nonsense", "external_customer_id": "cus 1"})),
    ] {
        let session = world.post(path, &acme.token, body).await.expect(201);
        conforms("CustomerSession", &session);
        assert_eq!(
            keys(&session),
            [
                "created_at",
                "modified_at",
                "id",
                "token",
                "expires_at",
                "return_url",
                "customer_portal_url",
                "customer_id",
                "customer"
            ]
        );
        let token = session["token"].as_str().unwrap();
        assert!(token.starts_with("tenantry_mst_"), "{token}");
        let url = format!(
            "https://portal.example/acme/portal?customer_session_token={token}&email=ada%2Bx%40x.dev"
        );
        assert_eq!(session["customer_portal_url"], url);
        assert_eq!((&session["customer_id"], &session["customer"]), (&customer["id"], &customer));
        assert_eq!((&session["return_url"], &session["modified_at"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_session_lasts_an_hour() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token =
        acme.session(json!({"customer_id": customer["id"], "return_url": "https://x.dev/back"})).await;
    let seen = world.get("/v1/customer-portal/customer-session/introspect", &token).await.expect(200);
    conforms("CustomerCustomerSession", &seen);
    assert_eq!(keys(&seen), ["expires_at", "return_url"]);
    assert_eq!(seen["return_url"], "https://x.dev/back");
    world.advance(3_590);
    world.get("/v1/customer-portal/customers/me", &token).await.expect(200);
    world.advance(10);
    world.get("/v1/customer-portal/customers/me", &token).await.fails(401, "invalid_token");
    world.app.sweep().await.unwrap();
    world.get("/v1/customer-portal/customers/me", &token).await.fails(401, "invalid_token");
}

#[tokio::test]
async fn a_team_names_the_member() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let path = format!("/v1/customers/{}/members", team["id"].as_str().unwrap());
    let member = json!({"email": "Jane@x.dev", "external_id": "usr_1"});
    let member = world.post(&path, &acme.token, member).await.expect(201);
    let stranger = acme.individual("bob@x.dev").await;
    let stranger = acme.owner(&stranger).await;
    let begin = |extra: Value| {
        let mut body = json!({"customer_id": team["id"]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        acme.begin(body)
    };
    begin(json!({})).await.refuses(&["value_error body.member_id"]);
    begin(json!({"member_id": "00000000-0000-4000-8000-000000000000"}))
        .await
        .refuses(&["value_error body.member_id"]);
    begin(json!({"member_id": stranger})).await.refuses(&["value_error body.member_id"]);
    begin(json!({"external_member_id": "usr_2"})).await.refuses(&["value_error body.external_member_id"]);
    for named in [
        json!({"member_id": member["id"]}),
        json!({"external_member_id": "usr_1"}),
        json!({"member_id": member["id"], "external_member_id": "usr_2"}),
    ] {
        let session = begin(named).await.expect(201);
        assert!(session["token"].as_str().unwrap().starts_with("tenantry_mst_"));
        assert!(session["customer_portal_url"].as_str().unwrap().ends_with("&email=Jane%40x.dev"));
    }
}

#[tokio::test]
async fn without_the_member_model_it_is_the_customers_session() {
    let world = World::new();
    for (slug, features) in [("seats", seats_only()), ("nothing", FeatureSettings::default())] {
        let tenant = world.tenant(slug, features).await;
        let customer = tenant.individual("ada@x.dev").await;
        let session = tenant.begin(json!({"customer_id": customer["id"]})).await.expect(201);
        assert!(session["token"].as_str().unwrap().starts_with("tenantry_cst_"));
        assert!(session["customer_portal_url"].as_str().unwrap().ends_with("&email=ada%40x.dev"));
        let owner = tenant.owner(&customer).await;
        let named = json!({"customer_id": customer["id"], "member_id": owner});
        tenant.begin(named).await.refuses(&["value_error body.member_id"]);
        let named = json!({"customer_id": customer["id"], "external_member_id": "x"});
        tenant.begin(named).await.refuses(&["value_error body.external_member_id"]);
        let nameless = json!({"type": "team", "owner": {"email": "boss@x.dev"}});
        let nameless = world.post("/v1/customers", &tenant.token, nameless).await.expect(201);
        let session = tenant.begin(json!({"customer_id": nameless["id"]})).await.expect(201);
        assert!(!session["customer_portal_url"].as_str().unwrap().contains("email="));
        let token = session["token"].as_str().unwrap();
        world.get("/v1/customer-portal/customer-session/user", token).await.refuses(&["value_error body"]);
    }
}

#[tokio::test]
async fn what_is_malformed_is_said_at_its_field() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let both = ["missing body.customer_id", "missing body.external_customer_id"];
    acme.begin(json!({})).await.refuses(&both);
    acme.begin(json!({"customer_id": null})).await.refuses(&both);
    acme.begin(json!({"customer_id": "x"})).await.refuses(&["uuid_parsing body.customer_id"]);
    acme.begin(json!({"external_customer_id": 1})).await.refuses(&["string_type body.external_customer_id"]);
    acme.begin(json!({"external_customer_id": "no such"}))
        .await
        .refuses(&["value_error body.external_customer_id"]);
    let customer = acme.individual("ada@x.dev").await;
    acme.begin(json!({"customer_id": customer["id"], "member_id": "x", "return_url": "javascript:alert(1)"}))
        .await
        .refuses(&["uuid_parsing body.member_id", "url_scheme body.return_url"]);
}

#[tokio::test]
async fn a_person_needs_the_right_to_manage_customers() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    for (role, status) in [("Analyst", 403), ("Developer", 201)] {
        let address = format!("{role}@x.dev");
        let path = format!("/v2/accounts/{}/members", acme.id);
        world.post(&path, &acme.token, json!({"email": address, "role": role})).await.expect(201);
        let token = world.person(&address).await;
        let begun = world.post("/v1/customer-sessions", &token, json!({"customer_id": customer["id"]})).await;
        assert_eq!(begun.status, status, "{}", begun.body);
    }
}

#[tokio::test]
async fn a_shared_external_id_is_ambiguous() {
    let world = World::new();
    for slug in ["one", "two"] {
        let tenant = world.tenant(slug, both()).await;
        let customer = json!({"email": "ada@x.dev", "external_id": "same"});
        world.post("/v1/customers", &tenant.token, customer).await.expect(201);
        let member = json!({"email": "both@x.dev", "role": "Administrator"});
        world.post(&format!("/v2/accounts/{}/members", tenant.id), &tenant.token, member).await.expect(201);
    }
    let token = world.person("both@x.dev").await;
    world
        .post("/v1/customer-sessions", &token, json!({"external_customer_id": "same"}))
        .await
        .fails(409, "AmbiguousExternalCustomerID");
}
