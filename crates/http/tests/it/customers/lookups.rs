//! Look-ups by external id, e-mail address and text: a row is found in every spelling in which a write accepts it.

use serde_json::json;

use tenantry_testkit::Acme;

/// Spellings of the external id ` u1 ` in a path or a query string.
const U1: [&str; 4] = ["u1", "%20u1%20", "%09u1", "u1%C2%A0"];
/// Spellings of the external id ` m1` in a path.
const M1: [&str; 3] = ["m1", "%20m1", "m1%0A"];

/// An organization with a team that has the external id ` u1 `, and a member with ` m1`.
async fn team() -> (Acme, String, String) {
    let acme = Acme::new().await;
    let client = acme.client();
    let new = json!({"type": "team", "email": "zo\u{eb}@b\u{fc}cher.example", "name": "Zo\u{eb} AG", "external_id": " u1 "});
    let customer = client.post("/v1/customers", new).await.expect(201);
    assert_eq!(customer["external_id"], json!("u1"));
    let customer = customer.id();
    let new = json!({"email": "m@example.com", "external_id": " m1"});
    let member = client.post(&format!("/v1/customers/{customer}/members"), new).await.expect(201).id();
    (acme, customer, member)
}

#[tokio::test]
async fn a_customer_by_external_id() {
    let (acme, customer, member) = team().await;
    let client = acme.client();
    for id in U1 {
        let path = format!("/v1/customers/external/{id}");
        assert_eq!(client.get(&path).await.expect(200).id(), customer, "{id}");
        assert_eq!(client.patch(&path, json!({"name": "Zo\u{eb} AG"})).await.expect(200).id(), customer);
        assert_eq!(client.get(&format!("{path}/state")).await.expect(200).id(), customer);
        client.get(&format!("{path}/payment-methods")).await.expect(200);
        let listed = client.get(&format!("/v1/members?external_customer_id={id}")).await.expect(200);
        assert_eq!(listed["pagination"]["total_count"], json!(2), "{id}");
        let again = json!({"email": "m@example.com"});
        assert_eq!(client.post(&format!("{path}/members"), again).await.expect(201).id(), member);
    }
    client.delete("/v1/customers/external/%20u1").await.expect(204);
    client.get("/v1/customers/external/u1").await.expect(404);
}

#[tokio::test]
async fn a_member_by_external_id() {
    let (acme, customer, member) = team().await;
    let client = acme.client();
    for (of, id) in U1.into_iter().zip(M1) {
        for path in [
            format!("/v1/customers/external/{of}/members/{id}"),
            format!("/v1/members/external/{id}?external_customer_id={of}"),
            format!("/v1/members/external/{id}?customer_id={customer}"),
        ] {
            assert_eq!(client.get(&path).await.expect(200).id(), member, "{path}");
            assert_eq!(client.patch(&path, json!({"name": "M"})).await.expect(200).id(), member, "{path}");
        }
    }
    client.delete("/v1/customers/external/%20u1/members/m1%20").await.expect(204);
}

#[tokio::test]
async fn a_session_by_external_ids() {
    let (acme, customer, _) = team().await;
    let client = acme.client();
    for (of, id) in [("u1", "m1"), (" u1 ", " m1"), ("\tu1", "m1\n")] {
        let body = json!({"external_customer_id": of, "external_member_id": id});
        let session = client.post("/v1/customer-sessions", body).await.expect(201);
        assert_eq!(session["customer_id"], json!(customer), "{of:?}");
    }
}

#[tokio::test]
async fn a_customer_by_address_and_by_text() {
    let (acme, customer, _) = team().await;
    let client = acme.client();
    client.post("/v1/customers", json!({"email": "other@example.com"})).await.expect(201);
    for query in [
        "email=zo%C3%AB@b%C3%BCcher.example",
        "email=ZO%C3%8B@B%C3%9CCHER.example",
        "email=zoe%CC%88@xn--bcher-kva.example",
        "email=%20zo%C3%AB@xn--bcher-kva.example%20",
        "query=zo%C3%AB",
        "query=ZOE%CC%88",
        "query=zo%C3%8B%20ag",
        "query=%20u1",
        "query=zo%C3%AB@xn--bcher-kva.example",
        "query=B%C3%9CCHER",
    ] {
        let found = client.get(&format!("/v1/customers?{query}")).await.expect(200);
        assert_eq!(found.each("id"), [customer.as_str()], "{query}");
    }
    let all = client.get("/v1/customers?query=%20").await.expect(200);
    assert_eq!(all["pagination"]["total_count"], json!(2), "a blank text does not narrow the list");
    let none: Vec<&str> = Vec::new();
    assert_eq!(client.get("/v1/customers?email=nobody").await.expect(200).each("id"), none);
}
