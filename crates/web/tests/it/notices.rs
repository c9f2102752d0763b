//! The notices that a person switches off, and those that nobody does.

use tenantry_testkit::World;

use crate::browser::{Browser, attribute, member, world};

const NOTICES: &str = "/console/notices";
const DAY_S: i64 = 24 * 60 * 60;

/// The recipients of the mails of a kind since the last call.
async fn told(world: &World, kind: &str) -> Vec<String> {
    let mails = world.mail().await.into_iter().filter(|mail| mail.content.kind() == kind);
    let mut to: Vec<String> = mails.map(|mail| mail.to.to_string()).collect();
    to.sort();
    to
}

/// The recipients of the notice, seven days before, that a new token of an organization expires.
async fn told_of_token(world: &World, acme: &tenantry_testkit::Organization) -> Vec<String> {
    world.token_until(acme, "*", Some(10 * DAY_S)).await;
    world.advance_s(5 * DAY_S);
    world.app.sweep().await.unwrap();
    told(world, "tokens_expiring").await
}

#[tokio::test]
async fn notices_are_switched_off_and_on_again() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    member(&world, &acme, "Administrator").await;
    let box_of = |topic: &str, is_on: bool| {
        format!("name=\"notice\" value=\"{topic}\"{}>", if is_on { " checked" } else { "" })
    };
    let page = owner.get(NOTICES).await.expect(200);
    assert!(page.text.contains(&acme.owner) && page.text.contains("Always sent"), "{page}");
    for topic in ["token_expiry", "webhooks"] {
        assert!(page.text.contains(&box_of(topic, true)), "{page}");
    }
    // A name that is none changes nothing.
    let saved = owner.post(NOTICES, &[("notice", "webhooks"), ("notice", "x")]).await.expect(303);
    let shown = owner.get(saved.header("location").unwrap()).await.expect(200);
    assert!(shown.text.contains("Saved."), "{shown}");
    assert!(shown.text.contains(&box_of("token_expiry", false)), "{shown}");
    assert!(shown.text.contains(&box_of("webhooks", true)), "{shown}");
    // The profile is another form, and leaves them as they are.
    owner.post("/console/profile", &[("name", "Jane"), ("language", "de")]).await.expect(303);
    let german = owner.get(NOTICES).await.expect(200);
    assert!(german.text.contains("Mitteilungen") && german.text.contains("Immer gesendet"), "{german}");
    assert!(german.text.contains(&box_of("token_expiry", false)), "{german}");
    assert_eq!(told_of_token(&world, &acme).await, ["administrator@x.example"]);
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    owner.post(NOTICES, &[("notice", "webhooks"), ("notice", "token_expiry")]).await.expect(303);
    assert_eq!(told_of_token(&world, &acme).await, ["administrator@x.example", acme.owner.as_str()]);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn mails_that_protect_an_account_are_always_sent() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut admin = member(&world, &acme, "Administrator").await;
    for browser in [&mut owner, &mut admin] {
        browser.post(NOTICES, &[]).await.expect(303);
    }
    assert_eq!(told_of_token(&world, &acme).await, [""; 0]);
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    assert_eq!(told(&world, "new_sign_in").await, [acme.owner.as_str()]);
    let team = owner.get("/console/organizations/acme/team?query=administrator").await.expect(200);
    let to = attribute(&team, "href", "/team/people/").rsplit('/').next().unwrap();
    let transfer = "/console/organizations/acme/team/transfer";
    owner.post(transfer, &[("to", to), ("confirm", "acme")]).await.expect(303);
    let mut admin = Browser::signed_in(&world, "administrator@x.example").await;
    admin.post(&format!("{transfer}/accept"), &[]).await.expect(303);
    assert_eq!(told(&world, "ownership_moved").await, ["administrator@x.example", acme.owner.as_str()]);
    assert_eq!(world.findings().await, [""; 0]);
}
