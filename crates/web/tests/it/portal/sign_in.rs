//! The ways into the portal: a mailed code, the link of a session, and out.

use serde_json::json;

use super::{People, codes};
use crate::browser::{Browser, attribute, world};

#[tokio::test]
async fn a_member_signs_in_by_a_code_once() {
    let world = world();
    let people = People::of(&world).await;
    let mut browser = Browser::new(&world);
    let sent =
        browser.post("/acme/portal/sign-in", &[("email", "Billing_Manager@x.example")]).await.expect(303);
    assert_eq!(sent.header("location").unwrap(), "/acme/portal/sign-in/code?asked=1");
    let (to, code) = codes(&world).await.remove(0);
    assert_eq!(to, "billing_manager@x.example");
    browser.get("/acme/portal/sign-in/code").await.expect(200);
    let first = if code.starts_with('A') { 'B' } else { 'A' };
    let wrong = format!("{first}{}", &code[1..]);
    browser.post("/acme/portal/sign-in/code", &[("code", &wrong)]).await.expect(422);
    let spelled = format!(" {}-{} ", &code[..3].to_lowercase(), &code[3..]);
    // Another browser has another flow: the code is of no use there.
    let mut other = Browser::new(&world);
    other.post("/acme/portal/sign-in", &[("email", "nobody@x.example")]).await.expect(303);
    other.post("/acme/portal/sign-in/code", &[("code", &code)]).await.expect(422);
    let begun = browser.post("/acme/portal/sign-in/code", &[("code", &spelled)]).await.expect(303);
    assert_eq!(begun.header("location").unwrap(), "/acme/portal?began=1");
    let page = browser.get("/acme/portal?began=1").await.expect(200);
    assert!(
        page.text.contains("Hello The billing_manager") && page.text.contains("Billing manager"),
        "{page}"
    );
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-tenantry_portal_acme"]);
    let mut again = Browser::new(&world);
    again.post("/acme/portal/sign-in", &[("email", "nobody@x.example")]).await.expect(303);
    again.post("/acme/portal/sign-in/code", &[("code", &code)]).await.expect(422);
    drop(people);
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
    let world = world();
    People::of(&world).await;
    world.mail().await;
    let mut browser = Browser::new(&world);
    let sent = browser.post("/acme/portal/sign-in", &[("email", "nobody@x.example")]).await.expect(303);
    assert_eq!(sent.header("location").unwrap(), "/acme/portal/sign-in/code?asked=1");
    assert!(browser.cookies.contains_key("__Host-tenantry_portal_sign_in_acme"));
    assert_eq!(codes(&world).await, []);
    let faulty = browser.post("/acme/portal/sign-in", &[("email", "nobody")]).await.expect(422);
    assert!(faulty.text.contains("value=\"nobody\"") && faulty.text.contains("aria-invalid"), "{faulty}");
}

#[tokio::test]
async fn a_person_of_two_customers_chooses() {
    let world = world();
    let people = People::of(&world).await;
    let token = world.token(&people.acme, "*").await;
    let new = json!({"type": "team", "email": "other@x.example", "name": "Kestrel"});
    let kestrel = token.post("/v1/customers", new).await.expect(201).id();
    let new = json!({"email": "member@x.example", "role": "billing_manager"});
    token.post(&format!("/v1/customers/{kestrel}/members"), new).await.expect(201);
    let mut browser = Browser::new(&world);
    browser.post("/acme/portal/sign-in", &[("email", "member@x.example")]).await.expect(303);
    let code = codes(&world).await.remove(0).1;
    let entered = browser.post("/acme/portal/sign-in/code", &[("code", &code)]).await.expect(303);
    assert_eq!(entered.header("location").unwrap(), "/acme/portal/choose");
    let page = browser.get("/acme/portal/choose").await.expect(200);
    for shown in ["Birchwood", "Kestrel", "Billing manager", &format!("value=\"{kestrel}\"")] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    assert!(!page.text.contains(&people.single));
    // A customer that is not offered is not chosen.
    let mut thief = Browser::new(&world);
    thief.cookies = browser.cookies.clone();
    let refused = thief.post("/acme/portal/choose", &[("customer", &people.single)]).await.expect(303);
    assert_eq!(refused.header("location").unwrap(), "/acme/portal/sign-in?after=choice");
    let chosen = browser.post("/acme/portal/choose", &[("customer", &kestrel)]).await.expect(303);
    assert_eq!(chosen.header("location").unwrap(), "/acme/portal?began=1");
    let page = browser.get("/acme/portal").await.expect(200);
    assert!(page.text.contains("Kestrel") && !page.text.contains("Birchwood"), "{page}");
    // The flow is used up.
    let over = browser.get("/acme/portal/choose").await.expect(303);
    assert_eq!(over.header("location").unwrap(), "/acme/portal/sign-in?after=choice");
}

#[tokio::test]
async fn the_link_of_a_session_is_handed_over_by_a_form() {
    let world = world();
    let people = People::of(&world).await;
    let secret = people.session(&world, "owner").await;
    let link = format!("/acme/portal?customer_session_token={secret}&email=owner%40x.example");
    let mut browser = Browser::new(&world);
    // Looking changes nothing, however often.
    for _ in 0..2 {
        let page = browser.get(&link).await.expect(200);
        assert_eq!(attribute(&page, "value", "tenantry_"), secret);
        assert!(page.text.contains("data-at-once") && browser.cookies.is_empty(), "{page}");
    }
    browser.post("/acme/portal/session", &[("customer_session_token", &secret)]).await.expect(303);
    browser.get("/acme/portal").await.expect(200);
    // The same person is let in at once, another one is asked.
    assert!(browser.get(&link).await.text.contains("data-at-once"));
    let other = people.session(&world, "member").await;
    let page = browser.get(&format!("/acme/portal?customer_session_token={other}")).await.expect(200);
    assert!(page.text.contains("owner@x.example") && !page.text.contains("data-at-once"), "{page}");
    // Secrets of others, and of another kind, are no links.
    let elsewhere = world.organization("elsewhere").await;
    let token = world.token(&elsewhere, "*").await;
    let customer = token.post("/v1/customers", json!({"email": "x@x.example"})).await.expect(201).id();
    let made = token.post("/v1/customer-sessions", json!({"customer_id": customer})).await.expect(201);
    for wrong in [made["token"].as_str().unwrap().to_owned(), token.secret(), "x".to_owned()] {
        let page = browser.get(&format!("/acme/portal?customer_session_token={wrong}")).await.expect(422);
        assert!(page.text.contains("This link no longer works"), "{page}");
        browser.post("/acme/portal/session", &[("customer_session_token", &wrong)]).await.expect(422);
        let mut forged = Browser::new(&world);
        forged.cookies.insert("__Host-tenantry_portal_acme".to_owned(), wrong);
        forged.get("/acme/portal").await.expect(303);
    }
    world.advance_s(3601);
    browser.get(&link).await.expect(422);
    let ended = browser.get("/acme/portal").await.expect(303);
    assert_eq!(ended.header("location").unwrap(), "/acme/portal/sign-in?after=session");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn a_person_signs_out_and_ends_other_sessions() {
    let world = world();
    let people = People::of(&world).await;
    let (mut one, mut two) = (people.browser(&world, "owner").await, people.browser(&world, "owner").await);
    let mut member = people.browser(&world, "member").await;
    let page = one.get("/acme/portal/sessions").await.expect(200);
    assert_eq!(page.text.matches("/end\"").count(), 1, "{page}");
    let end = attribute(&page, "action", "/end").to_owned();
    // Nobody ends a session of somebody else.
    member.post(&end, &[]).await.expect(404);
    one.post(&end, &[]).await.expect(303);
    two.get("/acme/portal").await.expect(303);
    one.get("/acme/portal").await.expect(200);
    let secret = one.cookies["__Host-tenantry_portal_acme"].clone();
    let out = one.post("/acme/portal/sign-out", &[]).await.expect(303);
    assert_eq!(out.header("location").unwrap(), "/acme/portal/sign-in?after=sign-out");
    assert!(one.cookies.is_empty());
    one.cookies.insert("__Host-tenantry_portal_acme".to_owned(), secret);
    one.get("/acme/portal").await.expect(303);
    member.get("/acme/portal").await.expect(200);
    // Without a session, signing out says the same.
    Browser::new(&world).post("/acme/portal/sign-out", &[]).await.expect(303);
}

#[tokio::test]
async fn a_cookie_that_was_not_kept_is_explained() {
    let world = world();
    People::of(&world).await;
    let mut browser = Browser::new(&world);
    for path in ["/acme/portal?began=1", "/acme/portal/sign-in/code?asked=1"] {
        let answer = browser.get(path).await.expect(303);
        let to = answer.header("location").unwrap().to_owned();
        assert_eq!(to, "/acme/portal/sign-in?after=no-cookie", "{path}");
        let page = browser.get(&to).await.expect(200);
        assert!(page.text.contains("target=\"_blank\""), "{page}");
    }
}
