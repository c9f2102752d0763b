//! Access tokens.

use serde_json::json;
use tenantry_testkit::Response;

use crate::browser::{Browser, attribute, member, world};

const TOKENS: &str = "/console/organizations/acme/tokens";

/// The secret that a page shows.
fn secret(page: &Response) -> String {
    let after = page.text.split("<div class=\"secret\"><code>").nth(1).unwrap_or_else(|| panic!("{page}"));
    after.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_made_changed_rotated_and_revoked() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    assert!(browser.get(TOKENS).await.expect(200).text.contains("No tokens yet"));
    let faulty = [("label", ""), ("more_scopes", "nonsense"), ("networks", "here")];
    let refused = browser.post(&format!("{TOKENS}/new"), &faulty).await.expect(422);
    for fault in ["#label", "#scope", "#networks"] {
        assert!(refused.text.contains(&format!("href=\"{fault}\"")), "{fault}: {refused}");
    }
    let fields = [
        ("label", "billing"),
        ("scope", "customers:read"),
        ("scope", "organizations:read"),
        ("more_scopes", "api-keys:read\r\n"),
        ("expires_in", "2592000"),
    ];
    let made = browser.post(&format!("{TOKENS}/new"), &fields).await.expect(200);
    let first = secret(&made);
    assert!(made.text.contains("curl https://t.example/v1/organizations/"), "{made}");
    world.bearer(&first).get("/v1/customers").await.expect(200);
    world.bearer(&first).get("/v1/webhooks/endpoints").await.expect(403);
    let list = browser.get(TOKENS).await.expect(200);
    assert!(
        list.text.contains("billing") && list.text.contains("3 scopes") && !list.text.contains(&first),
        "{list}"
    );
    let path = attribute(&list, "href", "/tokens/0").to_owned();
    let page = browser.get(&path).await.expect(200);
    for shown in ["api-keys:read", "from everywhere", "in 30 days"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    let edit = browser.get(&format!("{path}/edit")).await.expect(200);
    assert!(
        edit.text.contains("value=\"customers:read\" checked")
            && edit.text.contains(">api-keys:read</textarea>"),
        "{edit}"
    );
    let change = [("label", "billing"), ("scope", "webhooks:read"), ("networks", "203.0.113.0/24")];
    browser.post(&format!("{path}/edit"), &change).await.expect(303);
    browser.post(&format!("{path}/edit"), &change).await.expect(303);
    world.bearer(&first).get("/v1/webhooks/endpoints").await.expect(403);
    world.bearer(&first).at("203.0.113.7").get("/v1/webhooks/endpoints").await.expect(200);
    let rotated = browser.post(&format!("{path}/rotate"), &[("overlap", "3600")]).await.expect(200);
    let second = secret(&rotated);
    assert_ne!(first, second);
    for works in [&first, &second] {
        world.bearer(works).at("203.0.113.7").get("/v1/webhooks/endpoints").await.expect(200);
    }
    assert!(browser.get(&path).await.expect(200).text.contains("Two secrets work"));
    browser.post(&format!("{path}/revoke"), &[("confirm", "other")]).await.expect(422);
    browser.post(&format!("{path}/revoke"), &[("confirm", "billing")]).await.expect(303);
    for over in [&first, &second] {
        world.bearer(over).at("203.0.113.7").get("/v1/webhooks/endpoints").await.expect(401);
    }
    browser.get(&path).await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_list_of_tokens_has_pages_and_states() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    for number in 0..51 {
        let new =
            json!({"comment": format!("t{number}"), "scopes": ["customers:read"], "expires_in": "P20D"});
        token.post("/v1/organization-access-tokens", new).await.expect(201);
    }
    let mut browser = member(&world, &acme, "Administrator").await;
    let first = browser.get(TOKENS).await.expect(200);
    assert_eq!(first.text.matches("<tr>").count(), 51, "{first}");
    let second = browser.get(&format!("{TOKENS}?page=2")).await.expect(200);
    assert!(second.text.contains("everything"), "{second}");
    world.advance_s(10 * 24 * 60 * 60);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    assert!(browser.get(TOKENS).await.expect(200).text.contains("Expires soon"));
    world.advance_s(11 * 24 * 60 * 60);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let page = browser.get(TOKENS).await.expect(200);
    assert!(page.text.contains("Expired") && !page.text.contains("Expires soon"), "{page}");
}
