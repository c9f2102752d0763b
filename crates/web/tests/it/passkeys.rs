//! Passkeys: adding, signing in, naming and removing.

use tenantry_testkit::{Response, World};

use crate::authenticator::Authenticator;
use crate::browser::{Browser, ORIGIN, code, due_mails, world};

pub(crate) const SESSION: &str = "__Host-tenantry_session";
const FLOW: &str = "__Host-tenantry_passkey";

/// Adds a passkey to the person of a browser. Returns the response to the form.
pub(crate) async fn add(browser: &mut Browser<'_>, device: &mut Authenticator) -> Response {
    let options = browser.post("/console/passkeys/options", &[]).await.expect(200);
    browser.post("/console/passkeys", &[("answer", &device.create(&options.text))]).await
}

/// A person who has signed in and added the first passkey, with the passkey.
pub(crate) async fn person<'a>(world: &'a World, email: &str) -> (Browser<'a>, Authenticator) {
    let mut browser = Browser::signed_in(world, email).await;
    let mut device = Authenticator::at(ORIGIN);
    add(&mut browser, &mut device).await.expect(200);
    (browser, device)
}

/// Signs in by a passkey.
pub(crate) async fn sign_in(browser: &mut Browser<'_>, device: &mut Authenticator, next: &str) -> Response {
    let options = browser.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    browser.post("/console/sign-in/passkey", &[("answer", &answer), ("next", next)]).await
}

#[tokio::test]
async fn a_passkey_signs_in_from_the_page_that_was_asked_for() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut first = Browser::signed_in(&world, &acme.owner).await;
    let empty = first.get("/console/passkeys").await.expect(200);
    assert!(empty.text.contains("Add your first passkey"), "{empty}");
    let before = first.cookies[SESSION].clone();
    let mut device = Authenticator::at(ORIGIN);
    let codes = add(&mut first, &mut device).await.expect(200);
    assert_eq!(codes.text.matches("<li><code>").count(), 10, "{codes}");
    // The proof of a new factor gives the session a new secret.
    assert_ne!(first.cookies[SESSION], before);
    let listed = first.get("/console/passkeys").await.expect(200);
    for shown in ["Firefox · Linux", "Not used yet", "10 of 10 are left"] {
        assert!(listed.text.contains(shown), "{shown}: {listed}");
    }
    let mut second = Browser::new(&world);
    let form = second.get("/console/sign-in").await.expect(200);
    assert!(form.text.contains("Continue with a passkey"), "{form}");
    let entered = sign_in(&mut second, &mut device, "/console/organizations/acme/team").await.expect(303);
    assert_eq!(entered.header("location"), Some("/console/organizations/acme/team"));
    assert!(!second.cookies.contains_key(FLOW), "{:?}", second.cookies);
    second.get("/console/organizations/acme/team").await.expect(200);
    assert!(due_mails(&world).await.is_empty());
    let listed = second.get("/console/passkeys").await.expect(200);
    assert!(!listed.text.contains("Not used yet"), "{listed}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn several_passkeys_are_named_and_removed() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let (mut browser, mut laptop) = person(&world, &acme.owner).await;
    let mut phone = Authenticator::at(ORIGIN);
    let added = add(&mut browser, &mut phone).await.expect(303);
    assert_eq!(added.header("location"), Some("/console/passkeys"));
    let listed = browser.get("/console/passkeys").await.expect(200);
    let links = |listed: &Response| -> Vec<String> {
        let parts = listed.text.split('"').filter(|part| part.starts_with("/console/passkeys/"));
        parts.filter(|part| part.ends_with("/remove")).map(|part| part.replace("/remove", "")).collect()
    };
    let found = links(&listed);
    assert_eq!(found.len(), 2, "{listed}");
    // The newest is the first.
    let (of_phone, of_laptop) = (&found[0], &found[1]);
    let refused = browser.post(of_phone, &[("name", " ")]).await.expect(422);
    assert!(refused.text.contains("Enter a name."), "{refused}");
    browser.post(of_phone, &[("name", "Phone <b>")]).await.expect(303);
    let named = browser.get("/console/passkeys").await.expect(200);
    assert!(named.text.contains("Phone &#60;b&#62;") && !named.text.contains("Phone <b>"), "{named}");
    // Nobody else sees or changes it, and it looks like one that does not exist.
    let mut stranger = Browser::signed_in(&world, &other.owner).await;
    let unknown = "/console/passkeys/0d8f4b0e-0000-4000-8000-000000000000";
    for path in [of_phone.as_str(), unknown, "/console/passkeys/x"] {
        stranger.get(path).await.expect(404);
        stranger.get(&format!("{path}/remove")).await.expect(404);
        stranger.post(path, &[("name", "Mine")]).await.expect(404);
        stranger.post(&format!("{path}/remove"), &[]).await.expect(404);
    }
    let asked = browser.get(&format!("{of_laptop}/remove")).await.expect(200);
    assert!(!asked.text.contains("It is your last one"), "{asked}");
    browser.post(&format!("{of_laptop}/remove"), &[]).await.expect(303);
    let refused = sign_in(&mut Browser::new(&world), &mut laptop, "").await.expect(422);
    assert!(refused.text.contains("does not work here"), "{refused}");
    sign_in(&mut Browser::new(&world), &mut phone, "").await.expect(303);
    let asked = browser.get(&format!("{of_phone}/remove")).await.expect(200);
    assert!(asked.text.contains("It is your last one"), "{asked}");
    browser.post(&format!("{of_phone}/remove"), &[]).await.expect(303);
    let empty = browser.get("/console/passkeys").await.expect(200);
    assert!(empty.text.contains("Add your first passkey"), "{empty}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_answer_counts_once_in_its_browser_and_for_five_minutes() {
    let world = world();
    let acme = world.organization("acme").await;
    let (_, mut device) = person(&world, &acme.owner).await;
    let mut browser = Browser::new(&world);
    let options = browser.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    let flow = browser.cookies.clone();
    // In another browser it has no challenge, or another one.
    Browser::new(&world).post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    let mut other = Browser::new(&world);
    other.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    other.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    browser.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(303);
    let mut again = Browser { cookies: flow, ..Browser::new(&world) };
    again.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    // One faulty answer is the end of a challenge.
    let mut browser = Browser::new(&world);
    let options = browser.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    let flow = browser.cookies.clone();
    browser.post("/console/sign-in/passkey", &[("answer", "{}")]).await.expect(422);
    let mut again = Browser { cookies: flow, ..Browser::new(&world) };
    let answer = device.get(&options.text);
    again.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    let mut late = Browser::new(&world);
    let options = late.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    world.advance_s(5 * 60);
    let answer = device.get(&options.text);
    late.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    world.app.sweep().await.unwrap();
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_passkey_of_another_origin_or_without_verification_is_refused() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    for origin in
        ["https://evil.example", "http://t.example", "https://t.example:8443", "https://sub.t.example"]
    {
        device.origin = origin.to_owned();
        sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
        add(&mut browser, &mut Authenticator::at(origin)).await.expect(422);
    }
    device.origin = ORIGIN.to_owned();
    device.rp_id = Some("evil.example".to_owned());
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    device.rp_id = None;
    device.verifies = false;
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    let mut careless = Authenticator::at(ORIGIN);
    careless.verifies = false;
    add(&mut browser, &mut careless).await.expect(422);
    device.verifies = true;
    device.is_framed = true;
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    let mut framed = Authenticator::at(ORIGIN);
    framed.is_framed = true;
    add(&mut browser, &mut framed).await.expect(422);
    device.is_framed = false;
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(303);
    let listed = browser.get("/console/passkeys").await.expect(200);
    assert_eq!(listed.text.matches("Firefox · Linux").count(), 1 + 1, "{listed}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_copy_of_a_passkey_is_known_by_its_counter() {
    let world = world();
    let acme = world.organization("acme").await;
    let (_, mut device) = person(&world, &acme.owner).await;
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(303);
    // The next answer says the same number as the latest one, or a lower one.
    let latest = device.counter;
    for copied in [latest - 1, 0] {
        device.counter = copied;
        sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    }
    device.counter = latest;
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_challenge_for_one_purpose_serves_no_other() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    let (mut theirs, mut their_device) = person(&world, &other.owner).await;
    // The challenge of a sign-in proves nobody, and one of a proof signs nobody in.
    let options = browser.post("/console/sign-in/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    browser.post("/console/step-up/passkey", &[("answer", &answer)]).await.expect(422);
    let options = browser.post("/console/step-up/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    browser.post("/console/sign-in/passkey", &[("answer", &answer)]).await.expect(422);
    // Nobody proves to be another person.
    let options = browser.post("/console/step-up/passkey/options", &[]).await.expect(200);
    let answer = their_device.get(&options.text);
    browser.post("/console/step-up/passkey", &[("answer", &answer)]).await.expect(422);
    // The challenge of one person adds no passkey to another.
    let options = theirs.post("/console/passkeys/options", &[]).await.expect(200);
    let flow = theirs.cookies["__Host-tenantry_passkey"].clone();
    browser.cookies.insert("__Host-tenantry_passkey".to_owned(), flow);
    let answer = Authenticator::at(ORIGIN).create(&options.text);
    browser.post("/console/passkeys", &[("answer", &answer)]).await.expect(422);
    // A passkey that a person has is added to nobody else.
    let taken = {
        let options = theirs.post("/console/passkeys/options", &[]).await.expect(200);
        let known: serde_json::Value = serde_json::from_str(&options.text).unwrap();
        assert_eq!(known["publicKey"]["excludeCredentials"].as_array().unwrap().len(), 1, "{options}");
        their_device.create(&options.text)
    };
    theirs.post("/console/passkeys", &[("answer", &taken)]).await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn after_a_change_of_the_address_a_code_proves_the_new_one_first() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    crate::browser::set_email(&world, &acme.owner, "new@acme.example").await;
    browser.get("/console/passkeys").await.expect(303);
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(422);
    let mut browser = Browser::new(&world);
    browser.ask("new@acme.example").await;
    let code = code(&world).await;
    browser.enter(&code).await.expect(303);
    sign_in(&mut Browser::new(&world), &mut device, "").await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_person_has_at_most_twenty_passkeys() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, _) = person(&world, &acme.owner).await;
    for _ in 1..20 {
        add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(303);
    }
    browser.post("/console/passkeys/options", &[]).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_host_name_of_passkeys_does_not_change_silently() {
    let world = world();
    let acme = world.organization("acme").await;
    let set = async |id: Option<&str>, replaces| world.app.set_relying_party(id, replaces).await.unwrap();
    // Without passkeys nothing is lost.
    set(Some("old.example"), false).await.unwrap();
    set(Some("t.example"), false).await.unwrap();
    let (mut browser, _) = person(&world, &acme.owner).await;
    for other in [None, Some("evil.example")] {
        let refused = set(other, false).await.unwrap_err();
        assert!(refused.to_string().contains("people have passkeys for t.example"), "{refused}");
    }
    set(Some("t.example"), false).await.unwrap();
    set(Some("new.example"), true).await.unwrap();
    let empty = browser.get("/console/passkeys").await.expect(200);
    assert!(empty.text.contains("Add your first passkey"), "{empty}");
    assert_eq!(world.findings().await, [""; 0]);
}
