//! Headers, frames, forms of other sites, languages and closed portals.

use serde_json::json;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_core::values::SuspensionReason;

use super::{People, codes, set};
use crate::browser::{Browser, attribute, world};

fn ancestors(policy: &str) -> &str {
    policy.split("frame-ancestors ").nth(1).unwrap()
}

#[tokio::test]
async fn a_page_may_be_embedded_where_the_organization_lists_and_nowhere_else() {
    let world = world();
    let people = People::of(&world).await;
    let token = world.token(&people.acme, "*").await;
    let mut browser = people.browser(&world, "owner").await;
    let pages =
        ["", "/billing", "/sign-in", "/nothing", "?customer_session_token=x", "/session", "/email-update"];
    for (hosts, expected) in [
        (json!([]), "'none'"),
        (json!(["app.acme.dev", "*.acme.dev", "localhost:3000"]), "app.acme.dev *.acme.dev localhost:3000"),
    ] {
        set(&token, &people.acme, json!({"embed_hosts": hosts})).await;
        for page in pages {
            let answer = browser.get(&format!("/acme/portal{page}")).await;
            assert_eq!(ancestors(answer.header("content-security-policy").unwrap()), expected, "{page}");
        }
    }
    set(&token, &people.acme, json!({"avatar_url": "https://cdn.acme.dev/a;b.png"})).await;
    let page = browser.get("/acme/portal").await.expect(200);
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("img-src 'self' data: https://cdn.acme.dev; "),
        "{page}"
    );
    assert!(page.text.contains("src=\"https://cdn.acme.dev/a;b.png\""), "{page}");
    for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
        assert_eq!(page.header(name).unwrap(), value);
    }
    let unknown = browser.get("/nobody/portal").await.expect(404);
    assert_eq!(ancestors(unknown.header("content-security-policy").unwrap()), "'none'");
}

#[tokio::test]
async fn a_frame_has_a_session_of_its_own() {
    let world = world();
    let people = People::of(&world).await;
    let mut browser = people.browser(&world, "member").await;
    browser.headers.push(("sec-fetch-dest", "iframe".to_owned()));
    // The session of the window does not count in a frame, whatever a browser sends.
    browser.get("/acme/portal").await.expect(303);
    let secret = people.session(&world, "owner").await;
    browser.post("/acme/portal/session", &[("customer_session_token", &secret)]).await.expect(303);
    assert!(browser.cookies.contains_key("__Host-tenantry_portal_framed_acme"));
    assert!(browser.get("/acme/portal?lang=de").await.expect(200).text.contains("lang=\"de\""));
    assert!(browser.cookies.contains_key("__Host-tenantry_language_framed"));
    assert!(browser.get("/acme/portal").await.text.contains("owner@x.example"));
    browser.headers.pop();
    assert!(browser.get("/acme/portal").await.text.contains("member@x.example"));
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let world = world();
    let people = People::of(&world).await;
    let mut owner = people.browser(&world, "owner").await;
    let new = [("email", "mallory@x.example"), ("role", "member")];
    for header in [None, Some(("sec-fetch-site", "cross-site")), Some(("origin", "https://evil.example"))] {
        let kept = owner.headers.len();
        owner.headers.extend(header.map(|(name, value)| (name, value.to_owned())));
        for path in
            ["/acme/portal/team/add", "/acme/portal/session", "/acme/portal/sign-in", "/acme/portal/sign-out"]
        {
            let answer = owner.post_from_anywhere(path, &new).await.expect(403);
            assert!(answer.text.contains("Please try again from the portal"), "{answer}");
        }
        owner.headers.truncate(kept);
    }
    assert!(owner.get("/acme/portal/team").await.expect(200).text.contains("3 people"));
}

#[tokio::test]
async fn the_code_and_the_proof_of_another_portal_are_of_no_use() {
    let world = world();
    let _people = People::of(&world).await;
    world.organization("other").await;
    let mut browser = Browser::new(&world);
    browser.post("/acme/portal/sign-in", &[("email", "ada@x.example")]).await.expect(303);
    let code = codes(&world).await.remove(0).1;
    let flow = browser.cookies["__Host-tenantry_portal_sign_in_acme"].clone();
    browser.cookies.insert("__Host-tenantry_portal_sign_in_other".to_owned(), flow);
    browser.post("/other/portal/sign-in/code", &[("code", &code)]).await.expect(422);
    assert!(!browser.cookies.contains_key("__Host-tenantry_portal_other"));
    browser.post("/acme/portal/sign-in/code", &[("code", &code)]).await.expect(303);
    browser.post("/acme/portal/email", &[("email", "new@x.example")]).await.expect(303);
    let mails = world.mail().await;
    let proof = mails.iter().find(|mail| mail.to.as_str() == "new@x.example").unwrap();
    let proof = world.app.mail_secret(proof).unwrap();
    browser.post("/other/portal/email-update", &[("token", &proof)]).await.expect(422);
    browser.post("/acme/portal/email-update", &[("token", &proof)]).await.expect(303);
    assert!(browser.get("/acme/portal").await.expect(200).text.contains("new@x.example"));
}

#[tokio::test]
async fn a_portal_speaks_german_and_shows_its_colour() {
    let world = world();
    let people = People::of(&world).await;
    let token = world.token(&people.acme, "*").await;
    let settings = format!("/v1/organizations/{}/portal-settings", people.acme.id);
    token.patch(&settings, json!({"color": "#FFD400"})).await.expect(200);
    let mut browser = Browser::new(&world);
    browser.headers.push(("accept-language", "de-AT, en;q=0.5".to_owned()));
    let page = browser.get("/acme/portal/sign-in").await.expect(200);
    assert!(page.text.contains("Kein Passwort nötig"), "{page}");
    let sheet = browser.get(attribute(&page, "href", "/brand/")).await.expect(200);
    assert!(sheet.text.contains(".brand {") && sheet.text.contains("--on-accent: light-dark("), "{sheet}");
    assert_eq!(sheet.header("content-type").unwrap(), "text/css; charset=utf-8");
    let folder = attribute(&page, "href", "/portal.css").trim_end_matches("/portal.css").to_owned();
    for wrong in ["x.css", "12345.css", "0000000.css", "123456", "..%2fx.css"] {
        browser.get(&format!("{folder}/brand/{wrong}")).await.expect(404);
    }
}

#[tokio::test]
async fn a_closed_organization_has_no_portal() {
    let world = world();
    let people = People::of(&world).await;
    let mut owner = people.browser(&world, "owner").await;
    let suspend =
        OrganizationSuspend { id: people.acme.id, reason: SuspensionReason::parse("abuse").unwrap() };
    world.app.write(suspend).await.unwrap();
    for page in ["/acme/portal", "/acme/portal/sign-in", "/acme/portal/billing"] {
        let answer = owner.get(page).await.expect(404);
        assert!(answer.text.contains("There is no portal here"), "{answer}");
    }
    owner.post("/acme/portal/sign-in", &[("email", "owner@x.example")]).await.expect(404);
    for page in ["/ab/portal", "/v1/portal", "/a_b_c/portal"] {
        owner.get(page).await.expect(404);
    }
}
