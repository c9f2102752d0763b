//! The team: people, roles, and the transfer of the ownership.

use crate::browser::{Browser, attribute, member, world};

const TEAM: &str = "/console/organizations/acme/team";

/// The path of a person's page, as the list shows it.
async fn person(browser: &mut Browser<'_>, query: &str) -> String {
    let list = browser.get(&format!("{TEAM}?query={query}")).await.expect(200);
    attribute(&list, "href", "/team/people/").to_owned()
}

#[tokio::test]
async fn a_person_is_added_gets_another_role_and_is_removed() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    for (email, role, fault) in [("x", "analyst", "#email"), ("a@x.example", "owner", "#role")] {
        let refused =
            owner.post(&format!("{TEAM}/add"), &[("email", email), ("role", role)]).await.expect(422);
        assert!(refused.text.contains(&format!("href=\"{fault}\"")), "{refused}");
    }
    let fields = [("email", "dev@x.example"), ("name", "Dev"), ("role", "developer")];
    owner.post(&format!("{TEAM}/add"), &fields).await.expect(303);
    let again = owner.post(&format!("{TEAM}/add"), &fields).await.expect(422);
    assert!(again.text.contains("in the team already"), "{again}");
    let mut dev = Browser::signed_in(&world, "dev@x.example").await;
    dev.get("/console/organizations/acme/customers/new").await.expect(200);
    let path = person(&mut owner, "dev").await;
    owner.post(&path, &[("role", "analyst")]).await.expect(303);
    dev.get("/console/organizations/acme/customers/new").await.expect(403);
    owner.post(&format!("{path}/remove"), &[("confirm", "x")]).await.expect(422);
    owner.post(&format!("{path}/remove"), &[("confirm", "dev@x.example")]).await.expect(303);
    dev.get("/console/organizations/acme").await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn nobody_removes_or_changes_the_owner_or_themselves() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut admin = member(&world, &acme, "Administrator").await;
    let own = person(&mut owner, "administrator").await;
    assert!(!admin.get(TEAM).await.expect(200).text.contains("/remove"));
    let refused =
        admin.post(&format!("{own}/remove"), &[("confirm", "administrator@x.example")]).await.expect(422);
    assert!(refused.text.contains("cannot remove yourself"), "{refused}");
    let token = world.token(&acme, "*").await;
    let people = token.get(&format!("/v1/organizations/{}/members", acme.id)).await.expect(200);
    let of_owner = people["items"][0]["user_id"].as_str().unwrap();
    for form in ["", "/remove"] {
        let path = format!("{TEAM}/people/{of_owner}{form}");
        admin.get(&path).await.expect(409);
        admin.post(&path, &[("role", "analyst"), ("confirm", &acme.owner)]).await.expect(409);
    }
    admin.get(&format!("{TEAM}/people/0d8f4b0e-0000-4000-8000-000000000000")).await.expect(404);
    // The owner cannot leave, and others can.
    let refused = owner.post("/console/organizations/acme/leave", &[("confirm", "acme")]).await.expect(422);
    assert!(refused.text.contains("Hand it over first"), "{refused}");
    admin.post("/console/organizations/acme/leave", &[("confirm", "acme")]).await.expect(303);
    admin.get("/console/organizations/acme").await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_ownership_is_offered_declined_withdrawn_and_accepted() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let transfer = format!("{TEAM}/transfer");
    let nobody = owner.get(&transfer).await.expect(200);
    assert!(nobody.text.contains("nobody else in the team"), "{nobody}");
    let mut analyst = member(&world, &acme, "Analyst").await;
    let mut admin = member(&world, &acme, "Administrator").await;
    let to = person(&mut owner, "analyst").await.rsplit('/').next().unwrap().to_owned();
    let offer = [("to", to.as_str()), ("confirm", "acme")];
    owner.post(&transfer, &[("to", &to), ("confirm", "other")]).await.expect(422);
    admin.post(&transfer, &offer).await.expect(403);
    owner.post(&transfer, &offer).await.expect(303);
    for page in ["", "/team"] {
        let page = format!("/console/organizations/acme{page}");
        let shown = owner.get(&page).await.expect(200);
        assert!(
            shown.text.contains("is offered to The Analyst") && shown.text.contains("Withdraw"),
            "{shown}"
        );
        let shown = analyst.get(&page).await.expect(200);
        assert!(shown.text.contains("You can become the owner"), "{shown}");
        let shown = admin.get(&page).await.expect(200);
        assert!(!shown.text.contains("Withdraw") && !shown.text.contains("become the owner"), "{shown}");
    }
    admin.post(&format!("{transfer}/end"), &[]).await.expect(403);
    admin.post(&format!("{transfer}/accept"), &[]).await.expect(409);
    analyst.post(&format!("{transfer}/end"), &[]).await.expect(303);
    analyst.post(&format!("{transfer}/accept"), &[]).await.expect(409);
    owner.post(&transfer, &offer).await.expect(303);
    owner.post(&format!("{transfer}/end"), &[]).await.expect(303);
    analyst.post(&format!("{transfer}/accept"), &[]).await.expect(409);
    owner.post(&transfer, &offer).await.expect(303);
    analyst.post(&format!("{transfer}/accept"), &[]).await.expect(303);
    analyst.get(&transfer).await.expect(200);
    owner.get(&transfer).await.expect(403);
    owner.get("/console/organizations/acme/settings").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}
