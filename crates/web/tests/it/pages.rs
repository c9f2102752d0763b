//! Rules over all pages.

use serde_json::json;

use crate::browser::{Browser, world};

const PAGES: [&str; 21] = [
    "/console",
    "/console/organizations",
    "/console/new-organization",
    "/console/deleted-organization",
    "/console/invitations",
    "/console/sessions",
    "/console/organizations/acme",
    "/console/organizations/acme/team",
    "/console/organizations/acme/customers",
    "/console/organizations/acme/tokens/new",
    "/console/organizations/acme/webhooks/new",
    "/console/organizations/acme/settings",
    "/console/passkeys",
    "/console/profile",
    "/console/profile/address",
    "/console/profile/delete",
    "/console/step-up/code",
    "/console/organizations/acme/sign-in",
    "/console/organizations/acme/audit-log",
    "/console/operator/organizations",
    "/console/operator/health",
];
const FORMS: [&str; 33] = [
    "/console/new-organization",
    "/console/deleted-organization",
    "/console/invitation",
    "/console/invitation/accept",
    "/console/invitation/decline",
    "/console/organizations/acme/customers/new",
    "/console/organizations/acme/delete",
    "/console/sign-in",
    "/console/sign-in/code",
    "/console/sign-out",
    "/console/claim",
    "/console/recover",
    "/console/sessions/end-others",
    "/console/sessions/0d8f4b0e-0000-4000-8000-000000000000/end",
    "/console/sign-in/passkey",
    "/console/sign-in/passkey/options",
    "/console/sign-in/recovery-code",
    "/console/step-up/send",
    "/console/step-up/passkey",
    "/console/step-up/passkey/options",
    "/console/step-up/code",
    "/console/step-up/recovery-code",
    "/console/notices",
    "/console/passkeys",
    "/console/passkeys/options",
    "/console/passkeys/recovery-codes",
    "/console/profile",
    "/console/profile/address",
    "/console/profile/address/code",
    "/console/profile/delete",
    "/console/organizations/acme/sign-in",
    "/console/operator/new-organization",
    "/console/operator/health/check",
];

#[tokio::test]
async fn no_page_is_shown_without_a_session() {
    let world = world();
    world.organization("acme").await;
    let mut browser = Browser::new(&world);
    browser.cookies.insert("__Host-tenantry_session".to_owned(), "tenantry_web_x".to_owned());
    for page in PAGES {
        let to = browser.get(page).await.expect(303);
        assert!(to.header("location").unwrap().starts_with("/console/sign-in?next="), "{page}");
    }
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for origin in [
        vec![],
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site"), ("origin", "https://t.example")],
    ] {
        browser.headers.truncate(1);
        browser.headers.extend(origin.iter().map(|(name, value)| (*name, (*value).to_owned())));
        for form in FORMS {
            let refused = browser.post_from_anywhere(form, &[("email", "jane@x.example")]).await.expect(403);
            assert!(refused.text.contains("another site"), "{refused}");
        }
    }
    browser.headers.truncate(1);
    browser.get("/console/sessions").await.expect(200);
    browser.headers.push(("origin", "https://t.example".to_owned()));
    browser.post_from_anywhere("/console/sign-out", &[]).await.expect(303);
}

#[tokio::test]
async fn every_page_keeps_itself_to_itself() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for page in PAGES.into_iter().chain([
        "/console/sign-in",
        "/console/claim",
        "/console/invitation",
        "/console/none",
    ]) {
        let response = browser.get(page).await;
        let header = |name: &str| response.header(name).unwrap_or_else(|| panic!("{name} of {page}"));
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("x-content-type-options"), "nosniff");
        for inline in [" style=", "<style", " onclick=", "javascript:", "<script>"] {
            assert!(!response.text.contains(inline), "{inline} in {page}");
        }
    }
}

#[tokio::test]
async fn assets_are_kept_by_browsers() {
    let world = world();
    let mut browser = Browser::new(&world);
    let page = browser.get("/console/sign-in").await.expect(200);
    for name in ["console.css", "console.js"] {
        let path = page.text.split('"').find(|part| part.ends_with(name)).unwrap();
        let asset = browser.get(path).await.expect(200);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    browser.get("/console/assets/0000000000000000/console.css").await.expect(404);
}

#[tokio::test]
async fn a_role_sees_what_it_may_see() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.token(&acme, "*").await;
    for (role, sees_team, sees_tokens) in [
        ("Administrator", true, true),
        ("Developer", true, false),
        ("Analyst", true, false),
        ("Billing Manager", false, false),
    ] {
        let email = format!("{}@x.example", role.replace(' ', "-").to_lowercase());
        let member = json!({"email": email, "name": "N", "role": role});
        owner.post(&format!("/v2/accounts/{}/members", acme.id), member).await.expect(201);
        let mut browser = Browser::signed_in(&world, &email).await;
        let page = browser.get("/console/organizations/acme").await.expect(200);
        assert_eq!(page.text.contains("/console/organizations/acme/team"), sees_team, "{role}: {page}");
        assert_eq!(page.text.contains("API tokens"), sees_tokens, "{role}: {page}");
        assert!(page.text.contains("Customers"), "{role}: {page}");
        let team = browser.get("/console/organizations/acme/team").await;
        assert_eq!(team.status, if sees_team { 200 } else { 403 }, "{role}");
    }
}

#[tokio::test]
async fn another_organization_does_not_exist() {
    let world = world();
    let acme = world.organization("acme").await;
    world.organization("other").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for path in ["", "/team"] {
        let theirs = browser.get(&format!("/console/organizations/other{path}")).await.expect(404);
        let unknown = browser.get(&format!("/console/organizations/nowhere{path}")).await.expect(404);
        assert_eq!(
            theirs.text.replace(theirs.request_id(), ""),
            unknown.text.replace(unknown.request_id(), "")
        );
    }
}

#[tokio::test]
async fn the_team_is_searched_and_has_pages() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    for number in 1..=60 {
        let member = json!({"email": format!("p{number}@x.example"), "name": format!("<i>Person {number}"), "role": "Analyst"});
        token.post(&format!("/v2/accounts/{}/members", acme.id), member).await.expect(201);
    }
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let page = browser.get("/console/organizations/acme/team").await.expect(200);
    assert!(page.text.contains("61 people") && page.text.contains("page=2"), "{page}");
    assert!(!page.text.contains("<i>Person"), "{page}");
    assert_eq!(page.text.matches("<tr>").count(), 51, "{page}");
    let next = browser.get("/console/organizations/acme/team?page=2").await.expect(200);
    assert_eq!(next.text.matches("<tr>").count(), 12, "{next}");
    let one = browser.get("/console/organizations/acme/team?query=P60%40").await.expect(200);
    assert!(one.text.contains("1 person") && one.text.contains("Person 60"), "{one}");
    let owners = browser.get("/console/organizations/acme/team?role=owner").await.expect(200);
    assert!(owners.text.contains("1 person"), "{owners}");
    let none = browser.get("/console/organizations/acme/team?query=%3Cscript%3E").await.expect(200);
    assert!(none.text.contains("Nothing found") && !none.text.contains("<script>"), "{none}");
}
