//! Removal of the personal data of customers.

use serde_json::{Value, json};

use super::shop::{Shop, shop, text};

fn stored(shop: &Shop, needle: &str) -> bool {
    shop.world.database().holds(needle)
}

async fn secretive(shop: &Shop) -> (String, Value) {
    let customer = shop
        .customer(json!({
            "type": "team", "email": "hidden.ada@example.com", "name": "Hidden Ada", "external_id": "kept-1",
            "billing_address": {"country": "FR", "line1": "9 Hidden Street"},
            "owner": {"email": "hidden.owner@example.com", "name": "Hidden Owner"},
        }))
        .await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    let members = format!("{path}/members");
    let member = json!({"email": "hidden.bob@example.com", "name": "Hidden Bob", "external_id": "kept-2"});
    let member = shop.world.bearer(&shop.token).post(&members, member).await.expect(201).body;
    let member = format!("{members}/{}", text(&member["id"]));
    shop.world.bearer(&shop.token).patch(&member, json!({"name": "Hidden Robert"})).await.expect(200);
    let gone = shop
        .world
        .bearer(&shop.token)
        .post(&members, json!({"email": "hidden.cy@example.com"}))
        .await
        .expect(201)
        .body;
    shop.world.bearer(&shop.token).delete(&format!("{members}/{}", text(&gone["id"]))).await.expect(204);
    shop.world.bearer(&shop.token).patch(&path, json!({"email": "hidden.new@example.com"})).await.expect(200);
    assert!(stored(shop, "hidden"));
    (path, customer)
}

#[tokio::test]
async fn anonymization_removes_all_personal_data() {
    let shop = shop().await;
    let (path, customer) = secretive(&shop).await;
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=perhaps")).await.expect(422);
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "kept-1") && stored(&shop, "kept-2"));
    // The customer is not found, and a second anonymization changes nothing.
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(404);
    shop.world.bearer(&shop.token).get(&path).await.expect(404);
    let mut reader = shop.world.app.store().reader().unwrap();
    let subject = text(&customer["id"]).parse().unwrap();
    let count =
        reader.tx().unwrap().audit_count(shop.organization.id, "customer.anonymized", subject).await.unwrap();
    assert_eq!(count, 1);
    // A new customer can use the address and the external id.
    let again = json!({"email": "hidden.new@example.com", "external_id": "kept-1"});
    shop.customer(again).await;
}

#[tokio::test]
async fn a_deleted_customer_keeps_its_names_until_it_is_anonymized() {
    let shop = shop().await;
    let (path, _) = secretive(&shop).await;
    shop.world.bearer(&shop.token).delete(&path).await.expect(204);
    assert!(stored(&shop, "hidden") && stored(&shop, "kept-1"));
    shop.world.bearer(&shop.token).delete(&path).await.expect(404);
    let other = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let other = shop.world.token(&other, "*").await.secret();
    shop.world.bearer(&other).delete(&format!("{path}?anonymize=true")).await.expect(404);
    let finance = shop.person("f@example.com", "finance").await;
    shop.world.bearer(&finance).delete(&format!("{path}?anonymize=true")).await.expect(403);
    assert!(stored(&shop, "hidden"));
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(204);
    assert!(!stored(&shop, "hidden"));
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(404);
}

#[tokio::test]
async fn a_company_keeps_its_name_and_tax_number() {
    let shop = shop().await;
    shop.customer(json!({
        "email": "hidden.ada@example.com", "name": "Visible Works", "external_id": "firm",
        "billing_address": {"country": "FR"}, "tax_id": "FR61954506077",
    }))
    .await;
    shop.world.bearer(&shop.token).delete("/v1/customers/external/firm?anonymize=true").await.expect(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "FR61954506077") && stored(&shop, "Visible Works"));
    // A deleted customer is not found by external id, because a new customer can have the same one.
    shop.world.bearer(&shop.token).delete("/v1/customers/external/firm?anonymize=true").await.expect(404);
}
