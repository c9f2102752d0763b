//! The people of an imported organization: they are created in bounded parts, and need no passkeys of elsewhere.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::console::PasskeyRuleSet;
use tenantry_testkit::{Acme, Settings};

use super::{export, import, other_world};

#[tokio::test]
async fn many_people_are_created_in_several_transactions() {
    let acme = Acme::new().await;
    for round in 0..2 {
        for number in 0..60 {
            let body = json!({"email": format!("p{round}.{number}@team.example.com"), "role": "Developer"});
            acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
        }
    }
    let file = export(&acme).await;
    let world = other_world().await;
    let known = world.user("p0.1@team.example.com", "*").await.actor();
    // By this clock every transaction takes a second.
    let settings = Settings { write_duration_s: 1, ..world.settings().clone() };
    let world = world.restart_with(settings).await;
    let summary = import(&world, &file).await.unwrap().unwrap();
    // The person who was known stays, and the owner is one of the new ones.
    assert_eq!(summary.people_created, 120);
    let created = "SELECT DISTINCT CAST(created_at AS TEXT) FROM users
        WHERE email_key LIKE 'p%' AND email_key <> 'p0.1@team.example.com'";
    assert_eq!(world.database().texts(created).len(), 3, "transactions");
    let token = world.token(&acme.organization, "*").await;
    let team = token.get(&format!("/v1/organizations/{}/members", acme.organization.id)).await.expect(200);
    assert_eq!(team["pagination"]["total_count"], 121);
    let ids = team["items"].as_array().unwrap().iter().map(|member| member["user_id"].as_str().unwrap());
    assert!(ids.into_iter().any(|id| id == known.to_string()));
    assert_eq!(world.findings().await, [""; 0]);
}

/// Passkeys are for the installation that they were made at. A rule that requires one would shut everybody out.
#[tokio::test]
async fn the_rule_that_requires_passkeys_stays_behind() {
    let (acme, world) = (Acme::new().await, other_world().await);
    let (by, id) = (Requester::operator(), acme.organization.id);
    let rule = PasskeyRuleSet { by: by.clone(), organization: id, is_required: true };
    acme.world.app.write(rule).await.unwrap();
    let file = export(&acme).await;
    import(&world, &file).await.unwrap().unwrap();
    assert!(acme.world.app.passkey_required_at(&by, id).await.unwrap().is_some());
    assert!(world.app.passkey_required_at(&by, id).await.unwrap().is_none());
}
