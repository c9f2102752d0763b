//! The state of a customer and its payment methods.

use serde_json::json;

use super::shop::{NOBODY, shop, text};

#[tokio::test]
async fn the_state_is_the_customer_and_three_empty_lists() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    for state in [format!("{path}/state"), "/v1/customers/external/ada/state".to_owned()] {
        let state = shop.world.bearer(&shop.token).get(&state).await.expect(200).body;
        let mut expected = customer.clone();
        for list in ["active_subscriptions", "granted_benefits", "active_meters"] {
            expected[list] = json!([]);
        }
        assert_eq!(state.to_string(), expected.to_string());
    }
    // The response after a write shows the new state.
    shop.world.bearer(&shop.token).patch(&path, json!({"name": "Ada L."})).await.expect(200);
    let state = shop.world.bearer(&shop.token).get(&format!("{path}/state")).await.expect(200).body;
    assert_eq!(state["name"], "Ada L.");
    for path in [format!("/v1/customers/{NOBODY}/state"), "/v1/customers/external/nobody/state".to_owned()] {
        shop.world.bearer(&shop.token).get(&path).await.expect(404);
        shop.world.anonymous().get(&path).await.expect(401);
    }
    shop.world.bearer(&shop.token).get("/v1/customers/nope/state").await.expect(422);
    let narrow = shop.world.token(&shop.organization, "members:read").await.secret();
    assert_eq!(
        shop.world.bearer(&narrow).get(&format!("{path}/state")).await.expect(403)["error"],
        "insufficient_scope"
    );
}

#[tokio::test]
async fn there_are_no_payment_methods() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let by_id = format!("/v1/customers/{}/payment-methods", text(&customer["id"]));
    for path in [&by_id, "/v1/customers/external/ada/payment-methods"] {
        let listed = shop.world.bearer(&shop.token).get(path).await.expect(200).body;
        assert_eq!(listed, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
        shop.world.anonymous().get(path).await.expect(401);
    }
    shop.world.bearer(&shop.token).get(&format!("{by_id}?page=0")).await.expect(422);
    shop.world.bearer(&shop.token).get(&format!("/v1/customers/{NOBODY}/payment-methods")).await.expect(404);
    shop.world.bearer(&shop.token).get("/v1/customers/external/nobody/payment-methods").await.expect(404);
    let other = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let other = shop.world.token(&other, "*").await.secret();
    shop.world.bearer(&other).get(&by_id).await.expect(404);
}
