//! `/v1/members`: the deprecated routes and the list.

use insta::assert_snapshot;
use serde_json::json;
use tenantry_core::organization::FeatureSettings;

use tenantry_testkit::{Acme, World};

#[tokio::test]
async fn a_member_is_created() {
    let acme = Acme::new().await;
    let customer = acme.create_team("acme-team").await;
    let body = json!({"customer_id": customer, "email": "Jane@Example.COM", "name": " Jane Doe ", "external_id": "usr_1337"});
    let created = acme.client().post("/v1/members", body).await;
    assert_snapshot!(created.transcript(), @r#"
    201
    {
      "id": "<id 1>",
      "created_at": "<time>",
      "modified_at": null,
      "customer_id": "<id 2>",
      "email": "Jane@example.com",
      "name": "Jane Doe",
      "external_id": "usr_1337",
      "role": "member"
    }
    "#);
    assert_eq!(created["customer_id"], json!(customer));
    let seen = acme.client().get(&format!("/v1/members/{}", created.id())).await.expect(200);
    assert_eq!(seen.body, created.body);
}

#[tokio::test]
async fn roles_names_and_external_ids() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    let create = async |fields: serde_json::Value| {
        let mut body =
            json!({"customer_id": customer, "email": format!("m{}@example.com", fields.to_string().len())});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        acme.client().post("/v1/members", body).await
    };
    assert_eq!(create(json!({})).await.expect(201)["role"], json!("member"));
    assert_eq!(
        create(json!({"role": "billing_manager"})).await.expect(201)["role"],
        json!("billing_manager")
    );
    assert_eq!(create(json!({"role": "owner"})).await.violations(), ["literal_error body.role"]);
    assert_eq!(create(json!({"role": null})).await.violations(), ["literal_error body.role"]);
    let blank = create(json!({"name": "  ", "external_id": ""})).await.expect(201);
    assert_eq!((&blank["name"], &blank["external_id"]), (&json!(null), &json!(null)));
    let null = create(json!({"name": null, "external_id": null, "xx": 1})).await.expect(201);
    assert_eq!((&null["name"], &null["external_id"]), (&json!(null), &json!(null)));
    create(json!({"name": "é".repeat(256)})).await.expect(201);
    assert_eq!(create(json!({"name": "é".repeat(257)})).await.violations(), ["string_too_long body.name"]);
    assert_eq!(create(json!({"name": 7})).await.violations(), ["string_type body.name"]);
    create(json!({"external_id": "taken"})).await.expect(201);
    assert_eq!(
        create(json!({"external_id": "taken", "name": "another"})).await.violations(),
        ["value_error body.external_id"]
    );
}

#[tokio::test]
async fn every_violation_of_a_creation_is_reported() {
    let acme = Acme::new().await;
    let answer =
        acme.client().post("/v1/members", json!({"customer_id": "no", "name": 1, "role": "king"})).await;
    assert_eq!(
        answer.violations(),
        [
            "uuid_parsing body.customer_id",
            "missing body.email",
            "string_type body.name",
            "literal_error body.role"
        ]
    );
    assert_eq!(answer["error"], json!("RequestValidationError"));
    for email in ["", "nobody", "a@b", "a@@b.com", "a@b..com", "\"a b\"@example.com", "a@[127.0.0.1]"] {
        let body = json!({"customer_id": acme.organization.id, "email": email});
        assert_eq!(
            acme.client().post("/v1/members", body).await.violations(),
            ["value_error body.email"],
            "{email}"
        );
    }
    let body = json!({"customer_id": "018f4e9c-1111-7000-8000-000000000000", "email": "a@example.com"});
    assert_eq!(acme.client().post("/v1/members", body).await.violations(), ["uuid_version body.customer_id"]);
}

#[tokio::test]
async fn the_same_address_finds_the_member_who_has_it() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    let first = json!({"customer_id": customer, "email": "jane@example.com", "name": "Jane"});
    let first = acme.client().post("/v1/members", first).await.expect(201);
    let again = json!({"customer_id": customer, "email": "JANE@example.com", "name": "Other", "role": "billing_manager"});
    let again = acme.client().post("/v1/members", again).await.expect(201);
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn customers_that_accept_no_member() {
    let acme = Acme::new().await;
    let new = |customer: &str| json!({"customer_id": customer, "email": "a@example.com"});
    let unknown = acme.client().post("/v1/members", new("0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e")).await;
    assert_snapshot!(unknown.transcript(), @r#"
    404
    {
      "error": "ResourceNotFound",
      "detail": "Customer not found"
    }
    "#);
    let individual = json!({"email": "solo@example.com"});
    let individual = acme.client().post("/v1/customers", individual).await.expect(201).id();
    let full = acme.client().post("/v1/members", new(&individual)).await.expect(403);
    assert_eq!(full["error"], json!("NotPermitted"));

    let world = World::new();
    let tenant = world.organization_with("plain", FeatureSettings::default()).await;
    let client = world.token(&tenant, "*").await;
    let customer = client.post("/v1/customers", json!({"type": "team", "email": "t@example.com"})).await.id();
    let disabled = client.post("/v1/members", new(&customer)).await.expect(403);
    assert_eq!(disabled["detail"], json!("Member management is not enabled for this organization"));
}

#[tokio::test]
async fn a_member_is_changed() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    let path = format!("/v1/members/{}", acme.create_member(&customer, "m").await);
    let client = acme.client();
    let before = client.get(&path).await;
    for nothing in [
        json!({}),
        json!({"name": null, "email": null, "role": null}),
        json!({"name": "", "external_id": "x"}),
    ] {
        assert_eq!(client.patch(&path, nothing).await.expect(200).body, before.body);
    }
    let named = client.patch(&path, json!({"name": " New "})).await.expect(200);
    assert_eq!((&named["name"], &named["role"]), (&json!("New"), &json!("member")));
    assert_ne!(named["modified_at"], json!(null));
    let both =
        client.patch(&path, json!({"role": "billing_manager", "email": "NEW@Example.com"})).await.expect(200);
    assert_eq!((&both["role"], &both["email"]), (&json!("billing_manager"), &json!("NEW@example.com")));
    acme.create_member(&customer, "other").await;
    let taken = client.patch(&path, json!({"email": "OTHER@members.example.com"})).await;
    assert_eq!(taken.violations(), ["value_error body.email"]);
    assert_eq!(client.patch(&path, json!({"role": "x"})).await.violations(), ["enum body.role"]);
    assert_eq!(
        client.patch("/v1/members/x", json!({"role": "x"})).await.violations(),
        ["uuid_parsing path.id", "enum body.role"]
    );
}

#[tokio::test]
async fn ownership_passes_in_one_step() {
    let acme = Acme::new().await;
    let client = acme.client();
    let customer = acme.create_team("t").await;
    let member = acme.create_member(&customer, "m").await;
    let owners = format!("/v1/members?customer_id={customer}&role=owner");
    let owner = client.get(&owners).await["items"][0]["id"].as_str().unwrap().to_owned();
    let demoted = client.patch(&format!("/v1/members/{owner}"), json!({"role": "member"})).await;
    assert_eq!(demoted.violations(), ["value_error body.role"]);
    assert_eq!(demoted["error"], json!("PolarRequestValidationError"));
    assert_eq!(client.delete(&format!("/v1/members/{owner}")).await.violations(), ["value_error body"]);

    let promoted = client.patch(&format!("/v1/members/{member}"), json!({"role": "owner"})).await.expect(200);
    assert_eq!(promoted["role"], json!("owner"));
    assert_eq!(client.get(&owners).await.each("id"), [member.as_str()]);
    let former = client.get(&format!("/v1/members/{owner}")).await;
    assert_eq!(former["role"], json!("billing_manager"));
    client.delete(&format!("/v1/members/{owner}")).await.expect(204);
}

#[tokio::test]
async fn a_member_is_removed_and_can_come_back() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    let id = acme.create_member(&customer, "m").await;
    let path = format!("/v1/members/{id}");
    let gone = acme.client().delete(&path).await.expect(204);
    assert!(gone.text.is_empty());
    acme.client().delete(&path).await.expect(404);
    acme.client().get(&path).await.expect(404);
    acme.client().patch(&path, json!({"name": "x"})).await.expect(404);
    assert_ne!(acme.create_member(&customer, "m").await, id);
}

#[tokio::test]
async fn by_external_id_with_the_customer_in_the_query() {
    let acme = Acme::new().await;
    let client = acme.client();
    let customer = acme.create_team("t").await;
    let new = json!({"customer_id": customer, "email": "m@example.com", "external_id": "usr/1 ü"});
    let id = client.post("/v1/members", new).await.expect(201).id();
    let path = "/v1/members/external/usr%2F1%20%C3%BC";
    for query in [format!("customer_id={customer}"), "external_customer_id=t".to_owned()] {
        assert_eq!(client.get(&format!("{path}?{query}")).await.expect(200).id(), id);
        client.patch(&format!("{path}?{query}"), json!({"name": "N"})).await.expect(200);
    }
    assert_eq!(client.get(path).await.violations(), ["missing query"]);
    let both = format!("{path}?customer_id={customer}&external_customer_id=t");
    assert_eq!(client.get(&both).await.violations(), ["value_error query"]);
    assert_eq!(
        client.get(&format!("{path}?customer_id=x")).await.violations(),
        ["uuid_parsing query.customer_id"]
    );
    client.get(&format!("/v1/members/external/nobody?customer_id={customer}")).await.expect(404);
    client.delete(&format!("{path}?external_customer_id=nobody")).await.expect(404);
    client.delete(&format!("{path}?external_customer_id=t")).await.expect(204);
}

#[tokio::test]
async fn the_list_filters_sorts_and_pages() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (a, b) = (acme.create_team("a").await, acme.create_team("b").await);
    for name in ["m1", "m2", "m3"] {
        acme.create_member(&a, name).await;
    }
    let list = async |query: &str| client.get(&format!("/v1/members?{query}")).await.expect(200);
    let all = list("").await;
    assert_eq!(all["pagination"], json!({"total_count": 5, "max_page": 1}));
    assert_eq!(all.each("external_id"), ["m3", "m2", "m1", "b", "a"], "newest first");
    assert_eq!(list("sorting=created_at").await.each("external_id"), ["a", "b", "m1", "m2", "m3"]);
    assert_eq!(list(&format!("customer_id={b}")).await.each("role"), ["owner"]);
    assert_eq!(list("external_customer_id=a&role=member").await["pagination"]["total_count"], json!(3));
    let page = list("limit=2&page=3").await;
    assert_eq!(page.each("external_id"), ["a"]);
    assert_eq!(page["pagination"], json!({"total_count": 5, "max_page": 3}));
    assert_eq!(list("limit=2&page=9").await.each("id"), Vec::<&str>::new());
    assert_eq!(
        list("customer_id=0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e").await["pagination"]["max_page"],
        json!(0)
    );
    assert_eq!(client.get("/v1/members?role=king").await.violations(), ["enum query.role"]);
    assert_eq!(client.get("/v1/members?sorting=name").await.violations(), ["enum query.sorting.0"]);
    let malformed = client.get("/v1/members?customer_id=").await.expect(404);
    assert_eq!(malformed["detail"], json!("Invalid customer ID format"));
}
