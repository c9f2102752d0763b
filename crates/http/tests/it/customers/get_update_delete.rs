//! `GET`, `PATCH` and `DELETE` of one customer, by id and by external id.

use serde_json::{Value, json};

use tenantry_testkit::{Acme, changed_fields};

#[tokio::test]
async fn each_field_absent_null_and_given() {
    let acme = Acme::new().await;
    let client = acme.client();
    let start = json!({"email": "a@example.com", "name": "A", "locale": "fr", "metadata": {"k": 1}});
    let path = format!("/v1/customers/{}", client.post("/v1/customers", start).await.expect(201).id());
    let change = async |body: Value| {
        let before = client.get(&path).await;
        let after = client.patch(&path, body).await.expect(200);
        let mut changed = changed_fields(&before.body, &after.body);
        let fields = changed.as_object_mut().unwrap();
        let modified = fields.remove("modified_at").is_some();
        assert_eq!(modified, !fields.is_empty(), "modified_at tells of a change");
        changed
    };
    let nothing = json!({});
    assert_eq!(change(json!({})).await, nothing);
    assert_eq!(
        change(json!({"email": null, "external_id": null, "type": null, "billing_address": null})).await,
        nothing
    );
    assert_eq!(
        change(json!({"email": "A@EXAMPLE.com", "billing_name": "x", "organization_id": "x", "owner": 1}))
            .await,
        nothing
    );
    assert_eq!(change(json!({"name": " B "})).await, json!({"name": "B", "billing_name": "B"}));
    assert_eq!(change(json!({"name": ""})).await, json!({"name": null, "billing_name": null}));
    assert_eq!(change(json!({"locale": "de-at"})).await, json!({"locale": "de-AT"}));
    assert_eq!(change(json!({"locale": null})).await, json!({"locale": null}));
    assert_eq!(change(json!({"metadata": {"other": "x"}})).await, json!({"metadata": {"other": "x"}}));
    assert_eq!(change(json!({"metadata": {}})).await, json!({"metadata": {}}));
    assert_eq!(change(json!({"external_id": "x"})).await, json!({"external_id": "x"}));
    assert_eq!(change(json!({"external_id": "x"})).await, nothing);
    let address = change(json!({"billing_address": {"country": "ca", "state": "QC"}})).await;
    assert_eq!(address["billing_address"]["state"], json!("CA-QC"));
    assert_eq!(
        change(json!({"billing_address": {"country": "FR"}, "tax_id": "FR61954506077"})).await["tax_id"],
        json!(["FR61954506077", "eu_vat"])
    );
    assert_eq!(change(json!({"tax_id": ""})).await, json!({"tax_id": null}));
    assert_eq!(change(json!({"email": "new@example.com"})).await["email"], json!("new@example.com"));
    assert_eq!(change(json!({"type": "team"})).await, json!({"type": "team"}));
    let faults = async |body: Value| client.patch(&path, body).await.violations();
    assert_eq!(
        faults(json!({"billing_address": null, "external_id": "y", "type": "individual"})).await,
        ["value_error body.billing_address", "value_error body.external_id", "value_error body.type"]
    );
    assert_eq!(faults(json!({"external_id": null})).await, ["value_error body.external_id"]);
    assert_eq!(faults(json!({"metadata": null})).await, ["dict_type body.metadata"]);
    assert_eq!(faults(json!({"locale": ""})).await, ["value_error body.locale"]);
    assert_eq!(faults(json!({"type": "king"})).await, ["enum body.type"]);
    assert_eq!(faults(json!({"tax_id": "x"})).await, ["invalid body.tax_id"]);
}

#[tokio::test]
async fn the_address_and_external_id_of_another_customer_are_refused() {
    let acme = Acme::new().await;
    let client = acme.client();
    client.post("/v1/customers", json!({"email": "a@example.com", "external_id": "a"})).await.expect(201);
    let id = client.post("/v1/customers", json!({"email": "b@example.com"})).await.id();
    let answer = client
        .patch(&format!("/v1/customers/{id}"), json!({"email": "A@example.com", "external_id": "a"}))
        .await;
    assert_eq!(answer.violations(), ["value_error body.email", "value_error body.external_id"]);
}

#[tokio::test]
async fn the_owner_of_an_individual_follows_its_address() {
    let acme = Acme::new().await;
    let client = acme.client();
    let id = client.post("/v1/customers", json!({"email": "a@example.com"})).await.id();
    client.patch(&format!("/v1/customers/{id}"), json!({"email": "b@example.com"})).await.expect(200);
    let members = format!("/v1/members?customer_id={id}");
    let owner = client.get(&members).await;
    assert_eq!(owner.each("email"), ["b@example.com"]);
    let member = format!("/v1/members/{}", owner["items"][0]["id"].as_str().unwrap());
    assert_eq!(
        client.patch(&member, json!({"email": "c@example.com"})).await.violations(),
        ["value_error body.email"]
    );
}

#[tokio::test]
async fn by_external_id_two_fields_cannot_change() {
    let acme = Acme::new().await;
    let client = acme.client();
    let customer = json!({"email": "a@example.com", "external_id": "a/b ü"});
    let id = client.post("/v1/customers", customer).await.expect(201).id();
    let path = "/v1/customers/external/a%2Fb%20%C3%BC";
    assert_eq!(client.get(path).await.expect(200).id(), id);
    let changed =
        client.patch(path, json!({"external_id": "c", "type": "team", "name": "N"})).await.expect(200);
    assert_eq!(
        (&changed["external_id"], &changed["type"], &changed["name"]),
        (&json!("a/b ü"), &json!("individual"), &json!("N"))
    );
    client.delete(path).await.expect(204);
    client.delete(path).await.expect(404);
    client.patch(path, json!({})).await.expect(404);
    client.get("/v1/customers/external/nobody").await.expect(404);
}

#[tokio::test]
async fn deletion_deletes_the_members() {
    let acme = Acme::new().await;
    let client = acme.client();
    let customer = acme.create_team("t").await;
    let member = acme.create_member(&customer, "m").await;
    let path = format!("/v1/customers/{customer}");
    client.delete(&format!("{path}?anonymize=false")).await.expect(204);
    for gone in [path.clone(), format!("/v1/members/{member}"), format!("{path}/members/{member}")] {
        client.get(&gone).await.expect(404);
    }
    client.delete(&path).await.expect(404);
    assert_eq!(client.get("/v1/members").await["pagination"]["total_count"], json!(0));
    acme.create_team("t").await;
}

#[tokio::test]
async fn ids_in_the_path() {
    let acme = Acme::new().await;
    let id = acme.create_team("t").await;
    let plain = id.replace('-', "").to_uppercase();
    for spelling in [plain.clone(), format!("urn:uuid:{id}"), format!("%7B{id}%7D")] {
        assert_eq!(acme.client().get(&format!("/v1/customers/{spelling}")).await.expect(200).id(), id);
    }
    for (path, fault) in
        [("nope", "uuid_parsing path.id"), ("018f4e9c-1111-7000-8000-000000000000", "uuid_version path.id")]
    {
        assert_eq!(acme.client().get(&format!("/v1/customers/{path}")).await.violations(), [fault]);
    }
    let unknown = acme.client().get("/v1/customers/0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e").await.expect(404);
    assert_eq!(unknown.body, json!({"error": "ResourceNotFound", "detail": "Not found"}));
}
