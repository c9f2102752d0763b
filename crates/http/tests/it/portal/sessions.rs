//! `POST /v1/customer-sessions` (docs/contracts/polar/portal.md, 7, and docs/contracts/polar/cases.md, 11.8).

use serde_json::{Value, json};
use tenantry_core::organization::FeatureSettings;
use tenantry_testkit::World;
use tenantry_testkit::contract::assert_schema;

use super::tenant::{both, seats_only, tenant};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_stranger_begins_nothing() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let body = json!({"customer_id": customer["id"]});
    world.anonymous().post("/v1/customer-sessions/", body.clone()).await.assert_error(401, "Unauthorized");
    let other = tenant(&world, "other", both()).await;
    world
        .bearer(&other.token)
        .post("/v1/customer-sessions/", body)
        .await
        .assert_violations(&["value_error body.customer_id"]);
}

#[tokio::test]
async fn an_individual_by_id_and_by_external_id() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let customer = json!({"email": "ada+x@x.dev", "external_id": "cus 1"});
    let customer = world.bearer(&acme.token).post("/v1/customers", customer).await.expect(201).body;
    for (path, body) in [
        ("/v1/customer-sessions/", json!({"customer_id": customer["id"]})),
        ("/v1/customer-sessions", json!({"external_customer_id": "cus 1"})),
        ("/v1/customer-sessions", json!({"customer_external_id": "cus 1", "customer_id": null})),
        ("/v1/customer-sessions", json!({"customer_id": customer["id"], "external_customer_id": "no such"})),
        ("/v1/customer-sessions", json!({"customer_id": "nonsense", "external_customer_id": "cus 1"})),
    ] {
        let session = world.bearer(&acme.token).post(path, body).await.expect(201).body;
        assert_schema("CustomerSession", &session);
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
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token =
        acme.session(json!({"customer_id": customer["id"], "return_url": "https://x.dev/back"})).await;
    let seen =
        world.bearer(&token).get("/v1/customer-portal/customer-session/introspect").await.expect(200).body;
    assert_schema("CustomerCustomerSession", &seen);
    assert_eq!(keys(&seen), ["expires_at", "return_url"]);
    assert_eq!(seen["return_url"], "https://x.dev/back");
    world.advance_s(3_590);
    world.bearer(&token).get("/v1/customer-portal/customers/me").await.expect(200);
    world.advance_s(10);
    world.bearer(&token).get("/v1/customer-portal/customers/me").await.assert_error(401, "invalid_token");
    world.app.sweep().await.unwrap();
    world.bearer(&token).get("/v1/customer-portal/customers/me").await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn a_team_names_the_member() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let path = format!("/v1/customers/{}/members", team["id"].as_str().unwrap());
    let member = json!({"email": "Jane@x.dev", "external_id": "usr_1"});
    let member = world.bearer(&acme.token).post(&path, member).await.expect(201).body;
    let stranger = acme.individual("bob@x.dev").await;
    let stranger = acme.owner(&stranger).await;
    let begin = |extra: Value| {
        let mut body = json!({"customer_id": team["id"]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        acme.begin(body)
    };
    begin(json!({})).await.assert_violations(&["value_error body.member_id"]);
    begin(json!({"member_id": "00000000-0000-4000-8000-000000000000"}))
        .await
        .assert_violations(&["value_error body.member_id"]);
    begin(json!({"member_id": stranger})).await.assert_violations(&["value_error body.member_id"]);
    begin(json!({"external_member_id": "usr_2"}))
        .await
        .assert_violations(&["value_error body.external_member_id"]);
    for named in [
        json!({"member_id": member["id"]}),
        json!({"external_member_id": "usr_1"}),
        json!({"member_id": member["id"], "external_member_id": "usr_2"}),
    ] {
        let session = begin(named).await.expect(201).body;
        assert!(session["token"].as_str().unwrap().starts_with("tenantry_mst_"));
        assert!(session["customer_portal_url"].as_str().unwrap().ends_with("&email=Jane%40x.dev"));
    }
}

#[tokio::test]
async fn without_the_member_model_it_is_the_customers_session() {
    let world = World::new();
    for (slug, features) in [("seats", seats_only()), ("nothing", FeatureSettings::default())] {
        let tenant = tenant(&world, slug, features).await;
        let customer = tenant.individual("ada@x.dev").await;
        let session = tenant.begin(json!({"customer_id": customer["id"]})).await.expect(201).body;
        assert!(session["token"].as_str().unwrap().starts_with("tenantry_cst_"));
        assert!(session["customer_portal_url"].as_str().unwrap().ends_with("&email=ada%40x.dev"));
        let owner = tenant.owner(&customer).await;
        let named = json!({"customer_id": customer["id"], "member_id": owner});
        tenant.begin(named).await.assert_violations(&["value_error body.member_id"]);
        let named = json!({"customer_id": customer["id"], "external_member_id": "x"});
        tenant.begin(named).await.assert_violations(&["value_error body.external_member_id"]);
        let nameless = json!({"type": "team", "owner": {"email": "boss@x.dev"}});
        let nameless = world.bearer(&tenant.token).post("/v1/customers", nameless).await.expect(201).body;
        let session = tenant.begin(json!({"customer_id": nameless["id"]})).await.expect(201).body;
        assert!(!session["customer_portal_url"].as_str().unwrap().contains("email="));
        let token = session["token"].as_str().unwrap();
        world
            .bearer(token)
            .get("/v1/customer-portal/customer-session/user")
            .await
            .assert_violations(&["value_error body"]);
    }
}

#[tokio::test]
async fn malformed_fields_are_reported_at_their_locations() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let both = ["missing body.customer_id", "missing body.external_customer_id"];
    acme.begin(json!({})).await.assert_violations(&both);
    acme.begin(json!({"customer_id": null})).await.assert_violations(&both);
    acme.begin(json!({"customer_id": "x"})).await.assert_violations(&["uuid_parsing body.customer_id"]);
    acme.begin(json!({"external_customer_id": 1}))
        .await
        .assert_violations(&["string_type body.external_customer_id"]);
    acme.begin(json!({"external_customer_id": "no such"}))
        .await
        .assert_violations(&["value_error body.external_customer_id"]);
    let customer = acme.individual("ada@x.dev").await;
    acme.begin(json!({"customer_id": customer["id"], "member_id": "x", "return_url": "javascript:alert(1)"}))
        .await
        .assert_violations(&["uuid_parsing body.member_id", "url_scheme body.return_url"]);
}

#[tokio::test]
async fn a_person_needs_the_right_to_manage_customers() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    for (role, status) in [("Analyst", 403), ("Developer", 201)] {
        let address = format!("{role}@x.dev");
        let path = format!("/v2/accounts/{}/members", acme.id);
        world.bearer(&acme.token).post(&path, json!({"email": address, "role": role})).await.expect(201);
        let token = world.user(&address, "*").await.secret();
        let begun =
            world.bearer(&token).post("/v1/customer-sessions", json!({"customer_id": customer["id"]})).await;
        assert_eq!(begun.status, status, "{}", begun.body);
    }
}

#[tokio::test]
async fn a_shared_external_id_is_ambiguous() {
    let world = World::new();
    for slug in ["one", "two"] {
        let tenant = tenant(&world, slug, both()).await;
        let customer = json!({"email": "ada@x.dev", "external_id": "same"});
        world.bearer(&tenant.token).post("/v1/customers", customer).await.expect(201);
        let member = json!({"email": "both@x.dev", "role": "Administrator"});
        world
            .bearer(&tenant.token)
            .post(&format!("/v2/accounts/{}/members", tenant.id), member)
            .await
            .expect(201);
    }
    let token = world.user("both@x.dev", "*").await.secret();
    world
        .bearer(&token)
        .post("/v1/customer-sessions", json!({"external_customer_id": "same"}))
        .await
        .assert_error(409, "AmbiguousExternalCustomerID");
}
