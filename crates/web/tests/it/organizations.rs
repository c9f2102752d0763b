//! Organizations: a new one, its settings, its deletion and the way back.

use crate::browser::{Browser, member, world};

#[tokio::test]
async fn a_person_creates_an_organization_and_owns_it() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = member(&world, &acme, "Analyst").await;
    let form = "/console/new-organization";
    browser.get(form).await.expect(200);
    let refused = browser.post(form, &[("name", "x"), ("slug", "no slug")]).await.expect(422);
    assert!(refused.text.contains("#name") && refused.text.contains("#slug"), "{refused}");
    let taken = browser.post(form, &[("name", "Mine"), ("slug", "acme")]).await.expect(422);
    assert!(taken.text.contains("This slug is taken."), "{taken}");
    let made = browser.post(form, &[("name", "Mine"), ("slug", "Mine")]).await.expect(303);
    assert_eq!(made.header("location"), Some("/console/organizations/mine?done=created"));
    let page = browser.get("/console/organizations/mine?done=created").await.expect(200);
    assert!(page.text.contains("Created.") && page.text.contains("mine · Owner"), "{page}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn settings_are_changed() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let settings = "/console/organizations/acme/settings";
    let page = browser.get(settings).await.expect(200);
    assert!(
        page.text.contains("value=\"members\" checked")
            && !page.text.contains("value=\"invitation\" checked"),
        "{page}"
    );
    let faulty = [("name", ""), ("website", "nowhere"), ("email", "x"), ("switch", "invitation")];
    let refused = browser.post(settings, &faulty).await.expect(422);
    for kept in ["href=\"#name\"", "href=\"#website\"", "href=\"#email\"", "value=\"invitation\" checked"] {
        assert!(refused.text.contains(kept), "{kept}: {refused}");
    }
    assert!(!refused.text.contains("value=\"members\" checked"), "{refused}");
    let fields = [
        ("name", "Acme GmbH"),
        ("website", "https://acme.example/"),
        ("email", "help@acme.example"),
        ("switch", "members"),
        ("switch", "invitation"),
    ];
    browser.post(settings, &fields).await.expect(303);
    let page = browser.get(&format!("{settings}?done=saved")).await.expect(200);
    for shown in ["Saved.", "Acme GmbH", "https://acme.example/", "value=\"invitation\" checked"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    browser.post(settings, &[("name", "Acme"), ("switch", "members")]).await.expect(303);
    let token = world.token(&acme, "*").await;
    let row = token.get(&format!("/v1/organizations/{}", acme.id)).await.expect(200);
    assert_eq!(
        (&row["name"], row["website"].is_null(), row["email"].is_null()),
        (&"Acme".into(), true, true)
    );
}

#[tokio::test]
async fn an_organization_is_deleted_and_brought_back_by_its_owner() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut admin = member(&world, &acme, "Administrator").await;
    let delete = "/console/organizations/acme/delete";
    let refused = admin.post(delete, &[("confirm", "other")]).await.expect(422);
    assert!(refused.text.contains("not the name above"), "{refused}");
    world.sub_account(&acme, "child").await;
    let refused = admin.post(delete, &[("confirm", "acme")]).await.expect(422);
    assert!(refused.text.contains("has sub-accounts"), "{refused}");
    let other = world.organization_owned_by("solo", &acme.owner).await;
    let gone = owner.post("/console/organizations/solo/delete", &[("confirm", "SOLO")]).await.expect(303);
    owner.get("/console/organizations/solo").await.expect(404);
    let page = owner.get(gone.header("location").unwrap()).await.expect(200);
    assert!(page.text.contains(&other.id.to_string()), "{page}");
    let back = "/console/deleted-organization";
    let id = other.id.to_string();
    let refused = admin.post(back, &[("id", &id)]).await.expect(422);
    assert!(refused.text.contains("You own no deleted organization"), "{refused}");
    owner.post(back, &[("id", "nonsense")]).await.expect(422);
    owner.post(back, &[("id", &id)]).await.expect(303);
    owner.get("/console/organizations/solo").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}
