//! The mail about a sign-in in a new browser.

use tenantry_app::console::UserRecover;
use tenantry_core::mail::MailContent;
use tenantry_core::user::Language;
use tenantry_core::values::EmailAddress;
use tenantry_testkit::World;

use crate::browser::{Browser, world};

const MARK: &str = "__Host-tenantry_browser";

/// Signs in, as with an address that the operator printed.
async fn sign_in(browser: &mut Browser<'_>, email: &str) {
    let app = &browser.world.app;
    let email = EmailAddress::parse(email).unwrap();
    let user = app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap().unwrap().id;
    let secret = app.write(UserRecover { user, hash_key: app.hash_key().clone() }).await.unwrap();
    browser.post("/console/recover", &[("token", secret.expose())]).await.expect(303);
}

/// The browsers and addresses of the mails about a new sign-in since the last call, and their languages.
async fn told(world: &World) -> Vec<(String, Option<String>, Option<Language>)> {
    let mails = world.mail().await.into_iter();
    mails
        .filter_map(|mail| match mail.content {
            MailContent::NewSignIn { browser, address, .. } => Some((browser, address, mail.language)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_person_is_told_of_a_new_browser_once() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut first = Browser::new(&world);
    first.headers.push(("accept-language", "de".to_owned()));
    sign_in(&mut first, &acme.owner).await;
    let mark = first.cookies[MARK].clone();
    first.post("/console/sign-out", &[]).await.expect(303);
    sign_in(&mut first, &acme.owner).await;
    assert_eq!(first.cookies[MARK], mark);
    assert_eq!(told(&world).await, []);
    let mut second = Browser::new(&world);
    sign_in(&mut second, &acme.owner).await;
    let mails = told(&world).await;
    let [(browser, _, language)] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((browser.as_str(), *language), ("Firefox · Linux", Some(Language::German)));
    sign_in(&mut second, &acme.owner).await;
    sign_in(&mut first, &acme.owner).await;
    assert_eq!(told(&world).await, []);
    // Whatever a browser sends as its mark is never a known one.
    for forged in ["", "x", &"0".repeat(64), &"z".repeat(64), &"0".repeat(3_000)] {
        let mut browser = Browser::new(&world);
        browser.cookies.insert(MARK.to_owned(), forged.to_owned());
        sign_in(&mut browser, &acme.owner).await;
        assert_eq!(told(&world).await.len(), 1, "{forged:.70}");
    }
    assert!(!world.database().traces(&mark), "the mark is stored as a hash alone");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_browser_of_several_people_is_new_to_each() {
    let world = world();
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let mut mine = Browser::new(&world);
    sign_in(&mut mine, &acme.owner).await;
    let mut shared = Browser::new(&world);
    sign_in(&mut shared, &other.owner).await;
    let mark = shared.cookies[MARK].clone();
    assert_eq!(told(&world).await, []);
    sign_in(&mut shared, &acme.owner).await;
    assert_eq!((told(&world).await.len(), &shared.cookies[MARK]), (1, &mark));
    sign_in(&mut shared, &other.owner).await;
    assert_eq!(told(&world).await, []);
}

#[tokio::test]
async fn the_browsers_of_a_person_are_bounded() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut first = Browser::new(&world);
    sign_in(&mut first, &acme.owner).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        world.advance_s(60);
        let mut browser = Browser::new(&world);
        sign_in(&mut browser, &acme.owner).await;
        others.push(browser);
    }
    // A recipient gets ten mails of a kind a day, and further ones on the days after.
    for _ in 0..4 {
        world.advance_s(2 * 24 * 60 * 60);
        told(&world).await;
    }
    assert_eq!(world.database().texts("SELECT 'one' FROM known_browsers").len(), 20);
    sign_in(&mut others[0], &acme.owner).await;
    assert_eq!(told(&world).await, []);
    sign_in(&mut first, &acme.owner).await;
    assert_eq!(told(&world).await.len(), 1, "the browser that was unused for the longest time is forgotten");
    assert_eq!(world.findings().await, [""; 0]);
}
