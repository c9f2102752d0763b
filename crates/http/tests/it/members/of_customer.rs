//! `/v1/customers/{id}/members` and `/v1/customers/external/{external_id}/members`.

use serde_json::json;

use tenantry_testkit::{Acme, World};

#[tokio::test]
async fn through_the_customers_id() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (customer, other) = (acme.create_team("t").await, acme.create_team("other").await);
    let members = format!("/v1/customers/{customer}/members");
    let body = json!({"email": "m@example.com", "external_id": "m", "role": "billing_manager", "customer_id": other});
    let created = client.post(&members, body).await.expect(201);
    assert_eq!((&created["customer_id"], &created["role"]), (&json!(customer), &json!("billing_manager")));
    let path = format!("{members}/{}", created.id());
    assert_eq!(client.get(&path).await.expect(200).body, created.body);
    assert_eq!(client.patch(&path, json!({"name": "N"})).await.expect(200)["name"], json!("N"));
    let elsewhere = format!("/v1/customers/{other}/members/{}", created.id());
    client.get(&elsewhere).await.expect(404);
    client.patch(&elsewhere, json!({"name": "N"})).await.expect(404);
    client.delete(&elsewhere).await.expect(404);
    client.delete(&path).await.expect(204);
    assert_eq!(
        client.post(&members, json!({"email": "x@example.com", "role": "owner"})).await.violations(),
        ["literal_error body.role"]
    );
    assert_eq!(
        client.get("/v1/customers/x/members/y").await.violations(),
        ["uuid_parsing path.id", "uuid_parsing path.member_id"]
    );
    client.get(&members).await.expect(405);
}

#[tokio::test]
async fn through_external_ids() {
    let acme = Acme::new().await;
    let client = acme.client();
    let (customer, _) = (acme.create_team("t").await, acme.create_team("other").await);
    let body = json!({"email": "m@example.com", "external_id": "m"});
    let created = client.post("/v1/customers/external/t/members", body.clone()).await.expect(201);
    assert_eq!(created["customer_id"], json!(customer));
    let path = "/v1/customers/external/t/members/m";
    assert_eq!(client.get(path).await.expect(200).body, created.body);
    assert_eq!(client.patch(path, json!({"role": "owner"})).await.expect(200)["role"], json!("owner"));
    client.get("/v1/customers/external/other/members/m").await.expect(404);
    let unknown = client.post("/v1/customers/external/nobody/members", body).await.expect(404);
    assert_eq!(unknown["detail"], json!("Customer not found"));
    let unknown = client.get("/v1/customers/external/nobody/members/m").await.expect(404);
    assert_eq!(unknown["detail"], json!("Member not found"));
    assert_eq!(client.delete(path).await.violations(), ["value_error body"], "the owner stays");
    let former = client.patch("/v1/customers/external/t/members/t", json!({"role": "owner"})).await;
    assert_eq!(former.expect(200)["role"], json!("owner"));
    client.delete(path).await.expect(204);
}

#[tokio::test]
async fn an_external_id_in_two_organizations_is_ambiguous_for_a_person() {
    let world = World::new();
    let (first, second) = (world.organization("first").await, world.organization("second").await);
    let user = world.user(&first.owner, "*").await;
    for tenant in [&first, &second] {
        let client = world.token(tenant, "*").await;
        let body = json!({"type": "team", "email": "c@example.com", "external_id": "same"});
        client.post("/v1/customers", body).await.expect(201);
    }
    user.get("/v1/customers/external/same").await.expect(200);
    let developer = json!({"email": first.owner, "role": "Developer"});
    let members = format!("/v2/accounts/{}/members", second.id);
    world.token(&second, "*").await.post(&members, developer).await.expect(201);
    let path = "/v1/customers/external/same/members";
    let answer = user.post(path, json!({"email": "m@example.com"})).await.expect(409);
    assert_eq!(answer["error"], json!("AmbiguousExternalCustomerID"));
    for answer in [
        user.get(&format!("{path}/same")).await,
        user.patch(&format!("{path}/same"), json!({"name": "x"})).await,
        user.delete(&format!("{path}/nobody")).await,
        user.get("/v1/customers/external/same").await,
        user.patch("/v1/customers/external/same", json!({"name": "x"})).await,
        user.delete("/v1/customers/external/same").await,
    ] {
        answer.expect(409);
    }
}

#[tokio::test]
async fn the_role_of_a_user_decides_what_is_permitted() {
    let world = World::new();
    let tenant = world.organization("acme").await;
    let client = world.token(&tenant, "*").await;
    let customer = client.post("/v1/customers", json!({"type": "team", "email": "c@example.com"})).await.id();
    let account = format!("/v2/accounts/{}", tenant.id);
    let members = format!("/v1/customers/{customer}/members");
    for (role, customers, organization) in [
        ("Administrator", 201, 200),
        ("Developer", 201, 403),
        ("Analyst", 403, 403),
        ("Billing Manager", 403, 403),
    ] {
        let email = format!("{}@example.com", role.replace(' ', "").to_lowercase());
        client.post(&format!("{account}/members"), json!({"email": email, "role": role})).await.expect(201);
        let user = world.user(&email, "*").await;
        user.get(&format!("/v1/customers/{customer}")).await.expect(200);
        user.post(&members, json!({"email": format!("by-{email}")})).await.expect(customers);
        let organization_path = format!("/v1/organizations/{}", tenant.id);
        user.patch(&organization_path, json!({"name": format!("by {role}")})).await.expect(organization);
        user.put(&account, json!({"name": format!("by {role}")})).await.expect(organization);
    }
}
