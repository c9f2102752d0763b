//! Signing in by a mailed code.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_testkit::{Organization, World};

use crate::browser::{Browser, code, codes, other_than, world};

#[tokio::test]
async fn a_mailed_code_opens_the_page_that_was_asked_for() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::new(&world);
    let page = browser.get("/console/organizations/acme/team").await.expect(303);
    assert_eq!(
        page.header("location"),
        Some("/console/sign-in?next=%2Fconsole%2Forganizations%2Facme%2Fteam")
    );
    let form =
        browser.get("/console/sign-in?next=%2Fconsole%2Forganizations%2Facme%2Fteam").await.expect(200);
    assert!(form.text.contains("Sign in to continue."), "{form}");
    let fields = [("email", acme.owner.as_str()), ("next", "/console/organizations/acme/team")];
    let asked = browser.post("/console/sign-in", &fields).await.expect(303);
    assert_eq!(asked.header("location"), Some("/console/sign-in/code?next=/console/organizations/acme/team"));
    let code = code(&world).await;
    assert!(code.len() == 8 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
    let spaced = format!(" {} {}", &code[..4], &code[4..]);
    let fields = [("code", spaced.as_str()), ("next", "/console/organizations/acme/team")];
    let entered = browser.post("/console/sign-in/code", &fields).await.expect(303);
    assert_eq!(entered.header("location"), Some("/console/organizations/acme/team"));
    let page = browser.get("/console/organizations/acme/team").await.expect(200);
    assert!(page.text.contains(&acme.owner), "{page}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_invited_newcomer_signs_in_and_sees_what_waits() {
    let world = world();
    let acme = world.organization("acme").await;
    let client = world.token(&acme, "*").await;
    let path = format!("/v1/organizations/{}/invitations", acme.id);
    let body = serde_json::json!({"email": "Ada@example.com", "send_email": false});
    let made = client.post(&path, body.clone()).await.expect(201);
    let (mut newcomer, mut stranger) = (Browser::new(&world), Browser::new(&world));
    let answers = [newcomer.ask("ada@example.com").await, stranger.ask("eve@example.com").await];
    assert_eq!(answers[0].header("location"), answers[1].header("location"));
    let code = code(&world).await;
    stranger.enter(&code).await.expect(422);
    newcomer.enter(&code).await.expect(303);
    // The person has proved the address, and accepts as any other requester.
    let by = world.user("ada@example.com", "*").await;
    let waiting = by.get("/v1/users/me/invitations").await.expect(200);
    assert_eq!(waiting.each("id"), [made.id()]);
    // Once nothing waits, a person without an organization gets no further code.
    client.delete(&format!("{path}/{}", made.id())).await.expect(204);
    Browser::new(&world).ask("ada@example.com").await;
    assert!(codes(&world).await.is_empty());
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answers_and_no_mail() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut known, mut unknown) = (Browser::new(&world), Browser::new(&world));
    let answers = [known.ask(&acme.owner).await, unknown.ask("nobody@x.example").await];
    assert_eq!(answers[0].header("location"), answers[1].header("location"));
    let names = |browser: &Browser<'_>| browser.cookies.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));
    let code = code(&world).await;
    for browser in [&mut known, &mut unknown] {
        for _ in 0..4 {
            let refused = browser.enter(&other_than(&code)).await.expect(422);
            assert!(refused.text.contains("This code is not right."), "{refused}");
        }
        let last = browser.enter(&other_than(&code)).await.expect(422);
        assert!(last.text.contains("This code no longer works."), "{last}");
    }
    // After five tries the right code is refused as well.
    let late = known.enter(&code).await.expect(422);
    assert!(late.text.contains("This code no longer works."), "{late}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_code_works_in_its_browser_alone_and_once_and_for_ten_minutes() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut mine, mut theirs) = (Browser::new(&world), Browser::new(&world));
    mine.ask(&acme.owner).await;
    let code = code(&world).await;
    theirs.ask("eve@x.example").await;
    theirs.enter(&code).await.expect(422);
    Browser::new(&world).enter(&code).await.expect(422);
    // What a mail scanner does uses nothing up.
    for path in ["/console/sign-in", "/console/sign-in/code", "/console/claim"] {
        mine.get(path).await.expect(200);
    }
    let flow = mine.cookies.clone();
    mine.enter(&code).await.expect(303);
    let mut again = Browser { cookies: flow, ..Browser::new(&world) };
    again.enter(&code).await.expect(422);
    let mut late = Browser::new(&world);
    late.ask(&acme.owner).await;
    let code = crate::browser::code(&world).await;
    world.advance_s(10 * 60);
    late.enter(&code).await.expect(422);
    world.app.sweep().await.unwrap();
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_address_gets_three_codes_an_hour() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::new(&world);
    for email in [&acme.owner, &acme.owner.to_uppercase(), &acme.owner, &acme.owner, &acme.owner] {
        browser.ask(email).await;
    }
    assert_eq!(codes(&world).await.len(), 3);
    world.advance_s(20 * 60);
    browser.ask(&acme.owner).await;
    assert_eq!(codes(&world).await.len(), 1);
}

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let world = world();
    let acme = world.organization("acme").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/organizations/"] {
        let mut browser = Browser::new(&world);
        browser.post("/console/sign-in", &[("email", &acme.owner), ("next", next)]).await.expect(303);
        let code = code(&world).await;
        let entered =
            browser.post("/console/sign-in/code", &[("code", &code), ("next", next)]).await.expect(303);
        assert_eq!(entered.header("location"), Some("/console"), "{next}");
        world.advance_s(60 * 60);
    }
}

#[tokio::test]
async fn the_form_keeps_what_was_entered_and_names_the_field() {
    let world = world();
    let mut browser = Browser::new(&world);
    let refused = browser.post("/console/sign-in", &[("email", "jane@<b>")]).await.expect(422);
    assert!(refused.text.contains("value=\"jane@&#60;b&#62;\""), "{refused}");
    assert!(
        refused.text.contains("Enter an e-mail address") && refused.text.contains("aria-invalid"),
        "{refused}"
    );
    let german = browser.get("/console/sign-in?lang=de").await.expect(200);
    assert!(german.text.contains("<html lang=\"de\">") && german.text.contains("Anmelden"), "{german}");
    // The choice is kept.
    assert!(browser.get("/console/sign-in").await.expect(200).text.contains("Anmelden"));
    browser.cookies.clear();
    browser.headers.push(("accept-language", "de-DE,en;q=0.5".to_owned()));
    assert!(browser.get("/console/sign-in").await.expect(200).text.contains("Anmelden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_entries_of_a_code_one_begins_a_session() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::new(&world);
    browser.ask(&acme.owner).await;
    let code = code(&world).await;
    let enter = async |code: String| {
        let mut tab = Browser { cookies: browser.cookies.clone(), ..Browser::new(&world) };
        tab.enter(&code).await.status
    };
    let same = || enter(code.clone());
    let (a, b, c, d) = tokio::join!(same(), same(), same(), same());
    let mut statuses = [a, b, c, d];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422, 422, 422]);
    // Wrong codes are counted, each one.
    browser.ask(&acme.owner).await;
    let code = crate::browser::code(&world).await;
    let flow = browser.cookies.clone();
    let wrong = async || {
        let mut tab = Browser { cookies: flow.clone(), ..Browser::new(&world) };
        tab.enter(&other_than(&code)).await.status
    };
    tokio::join!(wrong(), wrong(), wrong(), wrong(), wrong());
    browser.enter(&code).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_code_proves_only_the_address_to_which_it_was_mailed() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::new(&world);
    browser.ask(&acme.owner).await;
    let old = code(&world).await;
    let email = acme.owner.parse().unwrap();
    let user = world.app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap();
    let (by, new) = (Requester::operator(), "owner@new.example");
    world.app.set_user_email(&by, user.unwrap().id, new.parse().unwrap()).await.unwrap();
    let refused = browser.enter(&old).await.expect(422);
    assert!(refused.text.contains("This code no longer works."), "{refused}");
    browser.ask(new).await;
    let code = code(&world).await;
    browser.enter(&code).await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

/// A sub-account of an organization, which the organization has suspended, with this person in its team or invited.
async fn closed_child(world: &World, parent: &Organization, number: usize, path: &str, email: &str) {
    let parent_token = world.token(parent, "*").await;
    let id = world.sub_account(parent, &format!("Child {number}")).await;
    let child = Organization { id, slug: String::new(), owner: parent.owner.clone() };
    let body = json!({"email": email, "send_email": false});
    world.token(&child, "*").await.post(&format!("/v1/organizations/{id}/{path}"), body).await.expect(201);
    let suspend = format!("/v2/accounts/{}/sub-accounts/{id}/suspend", parent.id);
    parent_token.post(&suspend, json!({"reason": "closed"})).await.expect(200);
}

#[tokio::test]
async fn closed_organizations_keep_nobody_from_signing_in() {
    let world = world();
    let other = world.organization("other").await;
    // Older than the person's own organization.
    for number in 0..25 {
        closed_child(&world, &other, number, "members", "owner@acme.example.com").await;
    }
    let acme = world.organization("acme").await;
    world.mail().await;
    let mut browser = Browser::new(&world);
    browser.ask(&acme.owner).await;
    browser.enter(&code(&world).await).await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn closed_invitations_keep_no_newcomer_from_signing_in() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let path = format!("/v1/organizations/{}/invitations", acme.id);
    let body = json!({"email": "ada@example.com", "send_email": false});
    let made = world.token(&acme, "*").await.post(&path, body).await.expect(201);
    for number in 0..8 {
        closed_child(&world, &other, number, "invitations", "ada@example.com").await;
    }
    let mut browser = Browser::new(&world);
    browser.ask("ada@example.com").await;
    browser.enter(&code(&world).await).await.expect(303);
    let by = world.user("ada@example.com", "*").await;
    assert_eq!(by.get("/v1/users/me/invitations").await.expect(200).each("id"), [made.id()]);
    assert_eq!(world.findings().await, [""; 0]);
}
