//! Recovery codes.

use tenantry_testkit::Response;

use crate::authenticator::Authenticator;
use crate::browser::{Browser, ORIGIN, world};
use crate::passkeys::add;

/// The codes that a page shows.
pub(crate) fn codes(page: &Response) -> Vec<String> {
    let parts = page.text.split("<li><code>").skip(1);
    parts.map(|part| part.split('<').next().unwrap().to_owned()).collect()
}

async fn sign_in(browser: &mut Browser<'_>, code: &str) -> Response {
    browser.post("/console/sign-in/recovery-code", &[("code", code), ("next", "/console/passkeys")]).await
}

#[tokio::test]
async fn each_recovery_code_signs_in_once() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let shown = add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(200);
    let codes = codes(&shown);
    assert_eq!(codes.len(), 10, "{shown}");
    // They are shown once.
    let page = browser.get("/console/passkeys").await.expect(200);
    assert!(!codes.iter().any(|code| page.text.contains(code)), "{page}");
    let mut lost = Browser::new(&world);
    lost.get("/console/sign-in/recovery-code").await.expect(200);
    let wrong = sign_in(&mut lost, "0000-0000-0000-0000").await.expect(422);
    assert!(wrong.text.contains("This code is not right, or it was used."), "{wrong}");
    sign_in(&mut lost, "x").await.expect(422);
    let entered = sign_in(&mut lost, &codes[0].to_uppercase().replace('-', " ")).await.expect(303);
    assert_eq!(entered.header("location"), Some("/console/passkeys"));
    // It is as good as a passkey: a new one can be added at once.
    let page = lost.get("/console/passkeys").await.expect(200);
    assert!(page.text.contains("9 of 10 are left"), "{page}");
    add(&mut lost, &mut Authenticator::at(ORIGIN)).await.expect(303);
    sign_in(&mut Browser::new(&world), &codes[0]).await.expect(422);
    sign_in(&mut Browser::new(&world), &codes[9]).await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn new_codes_replace_the_old_ones() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    // Without a passkey there are none.
    browser.post("/console/passkeys/recovery-codes", &[]).await.expect(404);
    let old = codes(&add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(200));
    let new = codes(&browser.post("/console/passkeys/recovery-codes", &[]).await.expect(200));
    assert_eq!(new.len(), 10);
    assert!(!new.iter().any(|code| old.contains(code)));
    sign_in(&mut Browser::new(&world), &old[3]).await.expect(422);
    sign_in(&mut Browser::new(&world), &new[3]).await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_codes_go_with_the_last_passkey() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let old = codes(&add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(200));
    let listed = browser.get("/console/passkeys").await.expect(200);
    let remove = listed.text.split('"').find(|part| part.ends_with("/remove")).unwrap().to_owned();
    browser.post(&remove, &[]).await.expect(303);
    sign_in(&mut Browser::new(&world), &old[0]).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_entries_of_a_code_one_begins_a_session() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let codes = codes(&add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(200));
    let enter = async || sign_in(&mut Browser::new(&world), &codes[0]).await.status;
    let (a, b, c, d) = tokio::join!(enter(), enter(), enter(), enter());
    let mut statuses = [a, b, c, d];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422, 422, 422]);
    assert_eq!(world.findings().await, [""; 0]);
}
