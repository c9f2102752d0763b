//! The authorization of the portal's pages and forms: each page and form, each kind of visitor, each switch.

use serde_json::json;
use tenantry_core::organization::FeatureSettings;

use super::{People, portal, set};
use crate::browser::{Browser, world};

/// The visitors who may see a page or send a form, by kind.
const EVERYBODY: &str = "owner billing_manager member single";
const BILLING: &str = "owner billing_manager single";
const MANAGERS: &str = "owner billing_manager";

/// A page, and who may see it. `{id}` is the plain member of the team.
pub(crate) const PAGES: &[(&str, &str)] = &[
    ("", EVERYBODY),
    ("/billing", BILLING),
    ("/email", "single"),
    ("/team", MANAGERS),
    ("/team/add", MANAGERS),
    ("/team/{id}", MANAGERS),
    ("/team/{id}/remove", MANAGERS),
    ("/team/{id}/owner", "owner"),
    ("/sessions", EVERYBODY),
];

/// A form, who may send it, and the answer to an empty one from them. `{none}` is the id of nothing.
pub(crate) const FORMS: &[(&str, &str, u16)] = &[
    ("/billing", BILLING, 303),
    ("/email", "single", 422),
    ("/team/add", MANAGERS, 422),
    ("/team/{id}", MANAGERS, 303),
    ("/team/{none}", MANAGERS, 404),
    ("/team/{id}/remove", MANAGERS, 422),
    ("/team/{id}/owner", "owner", 422),
    ("/sessions/{none}/end", EVERYBODY, 404),
];

/// The switches, by the section of each, and the pages and forms that are closed without it.
const SWITCHES: &[(&str, &[&str])] = &[
    ("billing_details", &["/billing"]),
    ("team", &["/team", "/team/add", "/team/{id}", "/team/{id}/remove", "/team/{id}/owner", "/team/{none}"]),
    ("add_members", &["/team/add"]),
    ("sessions", &["/sessions", "/sessions/{none}/end"]),
];

fn filled(people: &People, path: &str) -> String {
    let none = "0d8f4b0e-0000-4000-8000-000000000000";
    format!("/acme/portal{}", path.replace("{id}", people.member("member")).replace("{none}", none))
}

#[tokio::test]
async fn every_page_and_form_of_the_portal_asks_for_its_right() {
    let world = world();
    let people = People::of(&world).await;
    for who in EVERYBODY.split(' ') {
        let mut browser = people.browser(&world, who).await;
        for (page, whose) in PAGES {
            let expected = if whose.split(' ').any(|one| one == who) { 200 } else { 403 };
            let answer = browser.get(&filled(&people, page)).await;
            assert_eq!(answer.status, expected, "{who} GET {page}: {answer}");
        }
        for (form, whose, accepted) in FORMS {
            let expected = if whose.split(' ').any(|one| one == who) { *accepted } else { 403 };
            let answer = browser.post(&filled(&people, form), &[]).await;
            assert_eq!(answer.status, expected, "{who} POST {form}: {answer}");
        }
        let shown = browser.get("/acme/portal").await.expect(200).text;
        for (page, whose) in PAGES.iter().filter(|(page, _)| !page.contains('{')) {
            let link = format!("href=\"/acme/portal{page}\"");
            let is_linked = shown.contains(&link) || *page == "/team/add";
            assert_eq!(
                is_linked,
                whose.split(' ').any(|one| one == who) || *page == "/team/add",
                "{who} {page}"
            );
        }
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_section_that_is_switched_off_is_closed_and_not_shown() {
    let world = world();
    let people = People::of(&world).await;
    let token = world.token(&people.acme, "*").await;
    let settings = format!("/v1/organizations/{}/portal-settings", people.acme.id);
    let mut owner = people.browser(&world, "owner").await;
    let owners = |(_, whose): &(&str, &str)| whose.contains("owner");
    for (switch, closed) in SWITCHES {
        token.patch(&settings, json!({"sections": {*switch: false}})).await.expect(200);
        let is_closed = |path: &str| closed.contains(&path);
        for (page, _) in PAGES.iter().filter(|page| owners(page)) {
            let answer = owner.get(&filled(&people, page)).await;
            assert_eq!(
                answer.status,
                if is_closed(page) { 403 } else { 200 },
                "{switch} GET {page}: {answer}"
            );
        }
        for (form, whose, accepted) in FORMS {
            if whose.contains("owner") {
                let expected = if is_closed(form) { 403 } else { *accepted };
                let answer = owner.post(&filled(&people, form), &[]).await;
                assert_eq!(answer.status, expected, "{switch} POST {form}: {answer}");
            }
        }
        let shown = owner.get("/acme/portal").await.expect(200).text;
        for page in closed.iter().filter(|page| !page.contains('{')) {
            assert!(!shown.contains(&format!("href=\"/acme/portal{page}\"")), "{switch} {page}");
        }
        token.patch(&settings, json!({"sections": {*switch: true}})).await.expect(200);
    }
    // The change of address has a switch of the contract.
    let mut ada = people.browser(&world, "single").await;
    set(&token, &people.acme, json!({"customer_portal_settings": portal(false)})).await;
    ada.get("/acme/portal/email").await.expect(403);
    ada.post("/acme/portal/email", &[("email", "new@x.example")]).await.expect(403);
    // Signing in by a code has one as well; links of the product still work.
    token.patch(&settings, json!({"sections": {"sign_in": false}})).await.expect(200);
    ada.get("/acme/portal/sign-in").await.expect(403);
    ada.post("/acme/portal/sign-in", &[("email", "ada@x.example")]).await.expect(403);
    people.browser(&world, "single").await.get("/acme/portal").await.expect(200);
}

#[tokio::test]
async fn a_customer_without_members_has_no_team() {
    let world = world();
    let acme = world.organization_with("acme", FeatureSettings::default()).await;
    let token = world.token(&acme, "*").await;
    let customer = token.post("/v1/customers", json!({"email": "ada@x.example"})).await.expect(201).id();
    let made = token.post("/v1/customer-sessions", json!({"customer_id": customer})).await.expect(201);
    let secret = made["token"].as_str().unwrap().to_owned();
    let mut browser = Browser::new(&world);
    browser.post("/acme/portal/session", &[("customer_session_token", &secret)]).await.expect(303);
    for (page, status) in [("", 200), ("/billing", 200), ("/sessions", 200), ("/team", 403), ("/email", 403)]
    {
        browser.get(&format!("/acme/portal{page}")).await.expect(status);
    }
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let world = world();
    let people = People::of(&world).await;
    let mut browser = Browser::new(&world);
    for (page, _) in PAGES {
        let answer = browser.get(&filled(&people, page)).await.expect(303);
        assert_eq!(answer.header("location").unwrap(), "/acme/portal/sign-in", "{page}");
    }
    for (form, ..) in FORMS {
        let answer = browser.post(&filled(&people, form), &[]).await.expect(303);
        assert_eq!(answer.header("location").unwrap(), "/acme/portal/sign-in?after=session", "{form}");
    }
    browser.get("/acme/portal/nothing").await.expect(404);
    browser.get("/acme/portal/sign-in").await.expect(200);
}
