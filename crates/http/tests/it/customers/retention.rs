//! The personal data of customers that were deleted long ago.

use serde_json::json;
use tenantry_testkit::Acme;

const DAY_S: i64 = 24 * 60 * 60;

/// A deleted team customer with some members besides the owner. Returns its id.
async fn deleted(acme: &Acme, name: &str, members: usize) -> String {
    let client = acme.client();
    let new = json!({"type": "team", "external_id": name, "name": format!("Crew of {name}"),
        "owner": {"email": format!("{name}@owners.example.com"), "name": format!("Captain {name}")}});
    let customer = client.post("/v1/customers", new).await.expect(201).id();
    for number in 0..members {
        acme.create_member(&customer, &format!("{name}{number}")).await;
    }
    client.delete(&format!("/v1/customers/{customer}")).await.expect(204);
    customer
}

#[tokio::test]
async fn a_customer_that_was_deleted_long_ago_loses_its_names() {
    let acme = Acme::new().await;
    let hook = json!({"url": "https://hooks.example.com", "format": "raw",
        "events": ["customer.created", "customer.deleted", "member.created"]});
    acme.client().post("/v1/webhooks/endpoints", hook).await.expect(201);
    let old = deleted(&acme, "olga", 3).await;
    acme.world.advance_s(25 * DAY_S);
    let young = deleted(&acme, "yuri", 3).await;
    acme.world.advance_s(4 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    assert!(acme.world.database().holds("Captain olga"), "not before its time");

    acme.world.advance_s(2 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    for text in ["Captain olga", "Crew of olga", "olga@owners", "olga0@members", "olga2@members"] {
        assert!(!acme.world.database().holds(text), "{text}");
    }
    let restore = |customer: &str| format!("/v1/customers/{customer}/restore");
    acme.client().post(&restore(&old), json!({})).await.expect(404);
    acme.client().post(&restore(&young), json!({})).await.expect(200);
    assert!(acme.world.database().holds("Captain yuri"));
    let log = acme.world.audit(&acme.organization).await;
    let anonymized: Vec<_> = log.iter().filter(|entry| entry.action == "customer.anonymized").collect();
    assert_eq!(anonymized.len(), 1);
    assert_eq!((anonymized[0].actor_kind.as_str(), anonymized[0].subject.to_string()), ("system", old));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
    // Nothing is done twice.
    acme.world.app.sweep().await.unwrap();
    assert_eq!(acme.world.audit(&acme.organization).await.len(), log.len());
}

#[tokio::test]
async fn a_large_customer_loses_its_names_in_parts() {
    let acme = Acme::new().await;
    deleted(&acme, "large", 150).await;
    acme.world.advance_s(31 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    assert!(!acme.world.database().holds("@members.example.com"));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_restored_customer_keeps_its_names() {
    let acme = Acme::new().await;
    let customer = deleted(&acme, "rita", 1).await;
    acme.client().post(&format!("/v1/customers/{customer}/restore"), json!({})).await.expect(200);
    acme.world.advance_s(100 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    assert_eq!(
        acme.client().get(&format!("/v1/customers/{customer}")).await.expect(200)["name"],
        "Crew of rita"
    );
}
