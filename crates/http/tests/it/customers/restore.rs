//! `POST /v1/customers/{id}/restore`.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::customers::CustomerRestore;
use tenantry_core::ids::CustomerId;
use tenantry_testkit::{Acme, Response};

async fn members(acme: &Acme, customer: &str) -> Vec<String> {
    let listed =
        acme.client().get(&format!("/v1/members?customer_id={customer}&limit=100")).await.expect(200);
    assert_eq!(listed["pagination"]["total_count"], listed["items"].as_array().unwrap().len());
    listed.each("id").into_iter().map(str::to_owned).collect()
}

async fn restore(acme: &Acme, customer: &str) -> Response {
    acme.client().post(&format!("/v1/customers/{customer}/restore"), json!({})).await
}

#[tokio::test]
async fn a_customer_comes_back_with_the_members_that_went_with_it() {
    let acme = Acme::new().await;
    let client = acme.client();
    let new = json!({"type": "team", "external_id": "crew", "owner": {"email": "boss@example.com"},
        "metadata": {"plan": "gold"}});
    let customer = client.post("/v1/customers", new).await.expect(201).id();
    for name in ["a", "b", "c"] {
        acme.create_member(&customer, name).await;
    }
    let path = format!("/v1/customers/{customer}");
    // This member left before and stays away.
    let left = client.get(&format!("/v1/members?customer_id={customer}")).await.expect(200);
    let left = left["items"].as_array().unwrap().iter().find(|one| one["external_id"] == "b").unwrap();
    client.delete(&format!("{path}/members/{}", left["id"].as_str().unwrap())).await.expect(204);
    let (before, people) = (client.get(&path).await.expect(200).body, members(&acme, &customer).await);
    let hook = json!({"url": "https://hooks.example.com", "format": "raw",
        "events": ["customer.created", "member.created", "customer.state_changed", "customer.updated"]});
    client.post("/v1/webhooks/endpoints", hook).await.expect(201);

    client.delete(&path).await.expect(204);
    client.get(&path).await.expect(404);
    let key = client.key("k");
    let back = key.post(&format!("{path}/restore"), json!({})).await.expect(200).body;
    assert_eq!(back, before);
    assert_eq!(key.post(&format!("{path}/restore"), json!({})).await.expect(200).body, before);
    assert_eq!(restore(&acme, &customer).await.expect(200).body, before, "it is there");
    assert_eq!(client.get(&path).await.expect(200).body, before);
    assert_eq!(client.get("/v1/customers/external/crew").await.expect(200).id(), customer);
    assert_eq!(client.get("/v1/customers?metadata[plan]=gold").await.each("id"), [customer.as_str()]);
    assert_eq!(members(&acme, &customer).await, people);
    let types = acme.world.database().texts("SELECT type FROM webhook_events ORDER BY sequence");
    let one = "member.created";
    // The deletion sent the first event, the restoration the others.
    assert_eq!(
        types,
        ["customer.state_changed", "customer.created", one, one, one, "customer.state_changed"]
    );
    let log = acme.world.audit(&acme.organization).await;
    let count = |action: &str| log.iter().filter(|entry| entry.action == action).count();
    assert_eq!((count("customer.restored"), count("member.restored")), (1, 3));
    assert_eq!(acme.world.findings().await, [""; 0]);
    // Once more, with the member that is not restored.
    client.delete(&path).await.expect(204);
    restore(&acme, &customer).await.expect(200);
    assert_eq!(members(&acme, &customer).await, people);
    assert_eq!(acme.world.findings().await, [""; 0]);
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    let acme = Acme::new().await;
    let client = acme.client();
    let new = json!({"email": "one@example.com", "external_id": "one"});
    let customer = client.post("/v1/customers", new.clone()).await.expect(201).id();
    let path = format!("/v1/customers/{customer}");
    client.delete(&path).await.expect(204);
    let heir = client.post("/v1/customers", new).await.expect(201).id();
    let refused = restore(&acme, &customer).await.expect(409);
    assert_eq!(refused["error"], "CustomerNotRestorable");
    assert_eq!(
        refused["detail"],
        "the customer cannot be restored: another customer has the email one@example.com now; another customer has \
         the external id one now"
    );
    client.delete(&format!("/v1/customers/{heir}")).await.expect(204);
    restore(&acme, &customer).await.expect(200);
    // The other one cannot come back now.
    restore(&acme, &heir).await.expect(409);
    // An anonymized customer does not come back.
    client.delete(&format!("{path}?anonymize=true")).await.expect(204);
    restore(&acme, &customer).await.expect(404);
    restore(&acme, "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e").await.expect(404);
    restore(&acme, "x").await.expect(422);
    let other = acme.world.organization("other").await;
    let stranger = acme.world.token(&other, "*").await;
    stranger.post(&format!("/v1/customers/{heir}/restore"), json!({})).await.expect(404);
    assert_eq!(acme.world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_large_customer_comes_back_in_parts() {
    let acme = Acme::new().await;
    let customer = acme.create_team("crew").await;
    for number in 0..700 {
        acme.create_member(&customer, &format!("m{number}")).await;
    }
    acme.client().delete(&format!("/v1/customers/{customer}")).await.expect(204);
    restore(&acme, &customer).await.expect(200);
    let page = acme.client().get(&format!("/v1/members?customer_id={customer}&limit=1")).await.expect(200);
    assert_eq!(page["pagination"]["total_count"], 701);
    assert_eq!(acme.world.database().texts("SELECT step FROM customer_deletions"), [""; 0]);
    assert_eq!(acme.world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_crash_between_the_parts_leaves_a_sound_customer() {
    let acme = Acme::new().await;
    let customer = acme.create_team("crew").await;
    for number in 0..400 {
        acme.create_member(&customer, &format!("m{number}")).await;
    }
    let id = CustomerId::new(customer.parse().unwrap());
    acme.client().delete(&format!("/v1/customers/{customer}")).await.expect(204);
    // The use case alone, without what follows it.
    let caller = acme.world.app.authenticate(&acme.client().secret()).await.unwrap();
    let by = Requester::caller(&caller, None);
    acme.world.app.write_as(&by, CustomerRestore { by: by.clone(), customer: id }).await.unwrap();
    assert_eq!(acme.world.database().texts("SELECT step FROM customer_deletions"), ["restore"]);
    assert_eq!(acme.world.findings().await, [""; 0]);
    // A new member takes the address of a member that is not restored yet.
    let late = json!({"email": "m399@members.example.com"});
    let taken = acme.client().post(&format!("/v1/customers/{customer}/members"), late).await.expect(201);
    assert!(taken["external_id"].is_null());
    acme.world.app.sweep().await.unwrap();
    let page = acme.client().get(&format!("/v1/members?customer_id={customer}&limit=1")).await.expect(200);
    assert_eq!(page["pagination"]["total_count"], 401);
    assert_eq!(acme.world.findings().await, [""; 0]);
    // A deletion in the middle of a restoration.
    acme.client().delete(&format!("/v1/customers/{customer}")).await.expect(204);
    assert_eq!(acme.world.findings().await, [""; 0]);
}
