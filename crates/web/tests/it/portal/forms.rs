//! The forms of the portal, as customers and members send them.

use serde_json::json;
use tenantry_core::mail::MailContent;

use super::{People, set};
use crate::browser::{Browser, attribute, world};

#[tokio::test]
async fn billing_details_are_changed_and_faults_stand_at_their_fields() {
    let world = world();
    let people = People::of(&world).await;
    let mut ada = people.browser(&world, "single").await;
    for (fields, field) in [
        (vec![("line1", "Main St 1")], "country"),
        (vec![("tax_id", "DE136695976")], "country"),
        (vec![("country", "US"), ("state", "Bavaria")], "state"),
        (vec![("country", "XX")], "country"),
        (vec![("country", "DE"), ("tax_id", "nonsense")], "tax_id"),
        (vec![("billing_name", "\u{202e}x")], "billing_name"),
    ] {
        let page = ada.post("/acme/portal/billing", &fields).await.expect(422);
        let wrong = format!("id=\"{field}-wrong\"");
        assert!(page.text.contains(&wrong) && page.text.contains(&format!("href=\"#{field}\"")), "{page}");
        for (_, value) in fields.iter().filter(|(name, _)| *name != "country") {
            assert!(page.text.contains(value), "{value}: {page}");
        }
    }
    let fields = [
        ("billing_name", "Ada GmbH"),
        ("line1", "Hauptstraße 1"),
        ("postal_code", "10115"),
        ("city", "Berlin"),
        ("country", "DE"),
        ("tax_id", "DE 136 695 976"),
    ];
    let saved = ada.post("/acme/portal/billing", &fields).await.expect(303);
    let page = ada.get(saved.header("location").unwrap()).await.expect(200);
    for kept in ["Saved.", "Ada GmbH", "Hauptstraße 1", "value=\"DE\" selected", "DE136695976"] {
        assert!(page.text.contains(kept), "{kept}: {page}");
    }
    ada.post("/acme/portal/billing", &[("country", "US"), ("state", "il")]).await.expect(303);
    assert!(ada.get("/acme/portal/billing").await.text.contains("value=\"US-IL\""));
    // An address stays, a tax id goes.
    ada.post("/acme/portal/billing", &[]).await.expect(422);
    ada.post("/acme/portal/billing", &[("country", "AT")]).await.expect(303);
    let token = world.token(&people.acme, "*").await;
    let customer = token.get(&format!("/v1/customers/{}", people.single)).await.expect(200);
    assert_eq!(customer["billing_address"]["country"], "AT");
    assert_eq!((&customer["tax_id"], &customer["billing_name"]), (&json!(null), &json!("Ada")));
    assert!(ada.get("/acme/portal").await.text.contains("AT"));
}

#[tokio::test]
async fn an_address_is_changed_by_the_mail_alone() {
    let world = world();
    let people = People::of(&world).await;
    let mut ada = people.browser(&world, "single").await;
    for (email, says) in
        [("nowhere", "such as jane@example.com"), ("Ada@x.example", "This is your address already")]
    {
        let page = ada.post("/acme/portal/email", &[("email", email)]).await.expect(422);
        assert!(page.text.contains(says) && page.text.contains(email), "{page}");
    }
    ada.post("/acme/portal/email", &[("email", "new@x.example")]).await.expect(303);
    let mails = world.mail().await;
    let mail =
        mails.iter().find(|mail| matches!(mail.content, MailContent::EmailChangeRequest { .. })).unwrap();
    let secret = world.app.mail_secret(mail).unwrap();
    let mut elsewhere = Browser::new(&world);
    elsewhere.get("/acme/portal/email-update").await.expect(200);
    elsewhere.post("/acme/portal/email-update", &[("token", "x")]).await.expect(422);
    elsewhere.post("/acme/portal/email-update", &[("token", &secret)]).await.expect(303);
    assert!(elsewhere.get("/acme/portal").await.text.contains("new@x.example"));
    // The other sessions have ended, and the secret is used up.
    ada.get("/acme/portal").await.expect(303);
    let over = elsewhere.post("/acme/portal/email-update", &[("token", &secret)]).await.expect(422);
    assert!(over.text.contains("ask for another mail"), "{over}");
}

#[tokio::test]
async fn a_team_is_managed_and_handed_over() {
    let world = world();
    let people = People::of(&world).await;
    let mut owner = people.browser(&world, "owner").await;
    let faulty = owner.post("/acme/portal/team/add", &[("email", "x"), ("role", "owner")]).await.expect(422);
    assert!(
        faulty.text.contains("id=\"email-wrong\"") && faulty.text.contains("id=\"role-wrong\""),
        "{faulty}"
    );
    let new = [("email", "kim@x.example"), ("name", "Kim"), ("role", "billing_manager")];
    owner.post("/acme/portal/team/add", &new).await.expect(303);
    let page = owner.get("/acme/portal/team").await.expect(200);
    assert!(page.text.contains("Kim") && page.text.contains("4 people"), "{page}");
    let member = format!("/acme/portal/team/{}", people.member("member"));
    owner.post(&member, &[("name", "Mika"), ("role", "billing_manager")]).await.expect(303);
    let page = owner.get(&member).await.expect(200);
    assert_eq!(attribute(&page, "value", "Mika"), "Mika");
    assert!(page.text.contains("value=\"billing_manager\" checked"), "{page}");
    // The own role is not offered, and not taken.
    let own = format!("/acme/portal/team/{}", people.member("owner"));
    assert!(!owner.get(&own).await.expect(200).text.contains("name=\"role\""));
    owner.post(&own, &[("role", "member")]).await.expect(422);
    owner.post(&format!("{own}/remove"), &[("confirm", "owner@x.example")]).await.expect(422);
    let remove = format!("{member}/remove");
    owner.post(&remove, &[("confirm", "somebody")]).await.expect(422);
    owner.post(&remove, &[("confirm", "Member@x.example ")]).await.expect(303);
    owner.get(&member).await.expect(404);
    // The former owner is a billing manager, who hands nothing over.
    let manager = format!("/acme/portal/team/{}/owner", people.member("billing_manager"));
    owner.post(&manager, &[("confirm", "x")]).await.expect(422);
    owner.post(&manager, &[("confirm", "billing_manager@x.example")]).await.expect(303);
    owner.get(&manager).await.expect(403);
    owner.post(&manager, &[("confirm", "billing_manager@x.example")]).await.expect(403);
    assert!(owner.get("/acme/portal").await.text.contains("Billing manager"));
    people.browser(&world, "billing_manager").await.get(&format!("{own}/owner")).await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_organization_sees_which_member_changed_something() {
    let world = world();
    let people = People::of(&world).await;
    let mut owner = people.browser(&world, "owner").await;
    owner.post("/acme/portal/billing", &[("country", "DE")]).await.expect(303);
    let mut console = Browser::signed_in(&world, &people.acme.owner).await;
    let page = console.get("/console/organizations/acme/audit-log?action=customer.updated").await.expect(200);
    let entry = attribute(&page, "href", "/audit-log/0").to_owned();
    let page = console.get(&entry).await.expect(200);
    assert!(
        page.text.contains(people.member("owner")) && page.text.contains("member of a customer"),
        "{page}"
    );
}

#[tokio::test]
async fn a_team_without_people_to_manage_says_so() {
    let world = world();
    let people = People::of(&world).await;
    let token = world.token(&people.acme, "*").await;
    set(&token, &people.acme, json!({"customer_portal_settings": super::portal(false)})).await;
    let page = people.browser(&world, "member").await.get("/acme/portal").await.expect(200);
    assert!(page.text.contains("Nothing to do here"), "{page}");
}
