//! Sessions: their limits and ends.

use serde_json::json;

use crate::browser::{Browser, world};

const SESSION: &str = "__Host-tenantry_session";

#[tokio::test]
async fn a_session_is_no_token_of_the_api() {
    let world = world();
    let acme = world.organization("acme").await;
    let browser = Browser::signed_in(&world, &acme.owner).await;
    let secret = &browser.cookies[SESSION];
    world.bearer(secret).get("/v1/organizations/").await.expect(401);
    world.bearer(secret).get("/v2/ping").await.expect(401);
    // Nor is a token a session.
    let token = world.user(&acme.owner, "*").await.secret();
    let mut browser = Browser::new(&world);
    browser.cookies.insert(SESSION.to_owned(), token);
    browser.get("/console/organizations").await.expect(303);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_its_cookie() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let kept = browser.cookies.clone();
    browser.get("/console/organizations/acme").await.expect(200);
    let out = browser.post("/console/sign-out", &[]).await.expect(303);
    assert_eq!(out.header("location"), Some("/console/sign-in?after=sign-out"));
    assert!(!browser.cookies.contains_key(SESSION));
    let mut thief = Browser { cookies: kept, ..Browser::new(&world) };
    thief.get("/console/organizations/acme").await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_new_sign_in_replaces_the_session_of_the_browser() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let fixed = browser.cookies[SESSION].clone();
    browser.ask(&acme.owner).await;
    let code = crate::browser::code(&world).await;
    browser.enter(&code).await.expect(303);
    assert_ne!(browser.cookies[SESSION], fixed);
    let mut old = Browser::new(&world);
    old.cookies.insert(SESSION.to_owned(), fixed);
    old.get("/console/organizations/acme").await.expect(303);
}

#[tokio::test]
async fn a_session_ends_after_its_time_and_that_of_an_owner_earlier() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let invite = format!("/v1/organizations/{}/members/invite", acme.id);
    owner.post(&invite, json!({"email": "dev@x.example", "role": "member"})).await.expect(201);
    let mut of_owner = Browser::signed_in(&world, &acme.owner).await;
    let mut of_member = Browser::signed_in(&world, "dev@x.example").await;
    let mut idle = Browser::signed_in(&world, "dev@x.example").await;
    // Used every few hours, except by the third browser.
    for hours in 1..=7 * 24 / 6 {
        world.advance_s(6 * 60 * 60);
        // A change of a team, so that sessions are looked up again.
        let other = json!({"email": format!("n{hours}@x.example"), "role": "member"});
        owner.post(&invite, other).await.expect(201);
        let expected = |alive: bool| if alive { 200 } else { 303 };
        of_owner.get("/console/organizations/acme").await.expect(expected(hours < 4));
        of_member.get("/console/organizations/acme").await.expect(expected(hours < 28));
        world.app.sweep().await.unwrap();
    }
    idle.get("/console/organizations/acme").await.expect(303);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_session_without_requests_ends_after_twelve_hours() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    world.advance_s(12 * 60 * 60 - 60);
    browser.get("/console/organizations/acme").await.expect(200);
    world.app.sweep().await.unwrap();
    world.advance_s(11 * 60 * 60);
    browser.get("/console/organizations/acme").await.expect(200);
    let mut unused = Browser::signed_in(&world, &acme.owner).await;
    world.advance_s(12 * 60 * 60);
    unused.get("/console/organizations/acme").await.expect(303);
}

#[tokio::test]
async fn a_person_sees_and_ends_own_sessions_alone() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut first = Browser::signed_in(&world, &acme.owner).await;
    let mut second = Browser::signed_in(&world, &acme.owner).await;
    let mut stranger = Browser::signed_in(&world, &other.owner).await;
    let page = first.get("/console/sessions").await.expect(200);
    assert_eq!(page.text.matches("Firefox · Linux").count(), 2, "{page}");
    assert!(page.text.contains("127.0.0.1") && page.text.contains("this browser"), "{page}");
    let end = page.text.split("action=\"").find(|part| part.contains("/end\"")).unwrap();
    let end = end.split('"').next().unwrap();
    stranger.post(end, &[]).await.expect(303);
    second.get("/console/sessions").await.expect(200);
    first.post("/console/sessions/end-others", &[]).await.expect(303);
    second.get("/console/sessions").await.expect(303);
    first.get("/console/sessions").await.expect(200);
    stranger.get("/console/sessions").await.expect(200);
    first.post("/console/sessions/nonsense/end", &[]).await.expect(404);
}

#[tokio::test]
async fn whoever_leaves_a_team_loses_its_pages_at_once() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let members = format!("/v1/organizations/{}/members", acme.id);
    let added = json!({"email": "dev@x.example", "role": "member"});
    let added = owner.post(&format!("{members}/invite"), added).await.expect(201);
    let mut browser = Browser::signed_in(&world, "dev@x.example").await;
    browser.get("/console/organizations/acme").await.expect(200);
    let user = added["user_id"].as_str().unwrap();
    owner.delete(&format!("{members}/{user}")).await.expect(204);
    let gone = browser.get("/console/organizations/acme").await.expect(404);
    let unknown = browser.get("/console/organizations/nowhere").await.expect(404);
    assert_eq!(gone.text.replace(gone.request_id(), ""), unknown.text.replace(unknown.request_id(), ""));
    let empty = browser.get("/console/organizations").await.expect(200);
    assert!(empty.text.contains("You are in no organization"), "{empty}");
}
