//! The profile: name, language, change of the address, deletion of oneself.

use serde_json::json;
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::user::Language;

use crate::browser::{Browser, code, codes, due_mails, other_than, world};
use crate::passkeys::{SESSION, person};

#[tokio::test]
async fn a_person_has_a_name_and_a_language() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    browser.get("/console/profile").await.expect(200);
    let refused = browser.post("/console/profile", &[("name", "https://evil.example/x")]).await;
    assert!([303, 422].contains(&refused.status), "{refused}");
    let saved =
        browser.post("/console/profile", &[("name", "Jane <b>"), ("language", "de")]).await.expect(303);
    assert_eq!(saved.header("location"), Some("/console/profile?after=save"));
    let page = browser.get("/console/profile?after=save").await.expect(200);
    assert!(page.text.contains("Gespeichert.") && page.text.contains("Jane &#60;b&#62;"), "{page}");
    assert!(!page.text.contains("Jane <b>"), "{page}");
    browser.post("/console/profile", &[("name", "x".repeat(300).as_str())]).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_language_goes_with_the_person() {
    let world = world();
    let acme = world.organization("acme").await;
    let language = |browser: &Browser<'_>| browser.cookies.get("__Host-tenantry_language").cloned();
    // The language of the first page is the person's, until the person chooses another one.
    let mut first = Browser::new(&world);
    first.headers.push(("accept-language", "de".to_owned()));
    first.ask(&acme.owner).await;
    let of_mail = |mail: &QueuedMail| {
        assert!(matches!(mail.content, MailContent::SignInCode { .. }), "{:?}", mail.content);
        mail.language == Some(Language::German)
    };
    let mails = due_mails(&world).await;
    assert!(of_mail(&mails[0]));
    first.enter(&world.app.mail_secret(&mails[0]).unwrap()).await.expect(303);
    assert_eq!(language(&first).as_deref(), Some("de"));
    let mut second = Browser::new(&world);
    second.ask(&acme.owner).await;
    let mails = due_mails(&world).await;
    assert!(of_mail(&mails[0]), "a mail is in the person's language");
    second.enter(&world.app.mail_secret(&mails[0]).unwrap()).await.expect(303);
    assert_eq!(language(&second).as_deref(), Some("de"));
    second.post("/console/profile", &[("name", ""), ("language", "en")]).await.expect(303);
    // A form without a language, or with one that does not exist, keeps it.
    second.post("/console/profile", &[("name", "Jane"), ("language", "fr")]).await.expect(303);
    let mut third = Browser::new(&world);
    third.headers.push(("accept-language", "de".to_owned()));
    third.ask(&acme.owner).await;
    let mails = due_mails(&world).await;
    assert!(!of_mail(&mails[0]));
    third.enter(&world.app.mail_secret(&mails[0]).unwrap()).await.expect(303);
    assert_eq!(language(&third).as_deref(), Some("en"));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_new_address_is_proved_and_the_old_one_is_told() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let mut other = Browser::signed_in(&world, &acme.owner).await;
    let refused = browser.post("/console/profile/address", &[("email", "x")]).await.expect(422);
    assert!(refused.text.contains("Enter an e-mail address"), "{refused}");
    browser.post("/console/profile/address", &[("email", "Jane@New.example")]).await.expect(303);
    let mails = due_mails(&world).await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.key(), "jane@new.example");
    let right = world.app.mail_secret(&mails[0]).unwrap();
    let wrong =
        browser.post("/console/profile/address/code", &[("code", &other_than(&right))]).await.expect(422);
    assert!(wrong.text.contains("This code is not right."), "{wrong}");
    // It signs nobody in, and confirms nobody.
    browser.post("/console/step-up/code", &[("code", &right)]).await.expect(422);
    let mut elsewhere = Browser { cookies: browser.cookies.clone(), ..Browser::new(&world) };
    elsewhere.cookies.remove(SESSION);
    elsewhere.enter(&right).await.expect(422);
    browser.post("/console/profile/address/code", &[("code", &right)]).await.expect(303);
    let told = due_mails(&world).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].to.as_str(), acme.owner);
    assert!(matches!(told[0].content, MailContent::AddressChanged { .. }), "{:?}", told[0].content);
    // The sessions go on, and the new address signs in.
    for browser in [&mut browser, &mut other] {
        let page = browser.get("/console/profile").await.expect(200);
        assert!(page.text.to_lowercase().contains("jane@new.example"), "{page}");
    }
    Browser::signed_in(&world, "jane@new.example").await;
    let mut old = Browser::new(&world);
    old.ask(&acme.owner).await;
    assert!(codes(&world).await.is_empty());
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn nothing_is_told_about_the_addresses_of_others() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let taken = browser.post("/console/profile/address", &[("email", &other.owner)]).await.expect(303);
    assert!(codes(&world).await.is_empty());
    let refused = browser.post("/console/profile/address/code", &[("code", "00000000")]).await.expect(422);
    let free = browser.post("/console/profile/address", &[("email", "free@x.example")]).await.expect(303);
    let right = code(&world).await;
    let wrong =
        browser.post("/console/profile/address/code", &[("code", &other_than(&right))]).await.expect(422);
    assert_eq!(taken.header("location"), free.header("location"));
    let same = |page: &tenantry_testkit::Response| page.text.replace(page.request_id(), "");
    assert_eq!(same(&refused), same(&wrong));
    // Somebody takes the address before the code is entered.
    crate::browser::set_email(&world, &other.owner, "free@x.example").await;
    browser.post("/console/profile/address/code", &[("code", &right)]).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_code_of_another_person_or_an_old_proof_changes_no_address() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let mut theirs = Browser::signed_in(&world, &other.owner).await;
    browser.post("/console/profile/address", &[("email", "new@x.example")]).await.expect(303);
    let right = code(&world).await;
    let flow = browser.cookies["__Host-tenantry_sign_in"].clone();
    theirs.cookies.insert("__Host-tenantry_sign_in".to_owned(), flow);
    theirs.post("/console/profile/address/code", &[("code", &right)]).await.expect(422);
    world.advance_s(10 * 60);
    for path in ["/console/profile/address", "/console/profile/address/code", "/console/profile/delete"] {
        let asked = browser.get(path).await.expect(303);
        assert_eq!(asked.header("location"), Some(format!("/console/step-up?next={path}").as_str()));
        browser.post(path, &[("email", "new@x.example"), ("confirm", &acme.owner)]).await.expect(307);
    }
    assert!(codes(&world).await.is_empty());
    browser.get("/console/organizations/acme").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_person_mails_five_new_addresses_an_hour() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for number in 0..8 {
        let email = format!("n{number}@x.example");
        browser.post("/console/profile/address", &[("email", &email)]).await.expect(303);
    }
    assert_eq!(codes(&world).await.len(), 5);
}

#[tokio::test]
async fn a_person_deletes_oneself() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let members = format!("/v1/organizations/{}/members/invite", acme.id);
    owner.post(&members, json!({"email": "dev@x.example", "role": "member"})).await.expect(201);
    let (mut browser, mut device) = person(&world, "dev@x.example").await;
    let wrong = browser.post("/console/profile/delete", &[("confirm", "other@x.example")]).await.expect(422);
    assert!(wrong.text.contains("This is not your address."), "{wrong}");
    browser.get("/console/profile/delete").await.expect(200);
    let kept = browser.cookies.clone();
    let gone = browser.post("/console/profile/delete", &[("confirm", "DEV@x.example")]).await.expect(200);
    assert!(gone.text.contains("Your account is deleted"), "{gone}");
    assert!(!browser.cookies.contains_key(SESSION));
    Browser { cookies: kept, ..Browser::new(&world) }.get("/console/profile").await.expect(303);
    crate::passkeys::sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    let mut asks = Browser::new(&world);
    asks.ask("dev@x.example").await;
    assert!(codes(&world).await.is_empty());
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_owner_gives_the_ownership_away_first() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let refused = browser.post("/console/profile/delete", &[("confirm", &acme.owner)]).await.expect(422);
    assert!(refused.text.contains("You own acme."), "{refused}");
    browser.get("/console/organizations/acme").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}
