//! The pages of the audit log.

use serde_json::json;
use tenantry_testkit::{Organization, World};

use crate::browser::{Browser, attribute, world};

const LOG: &str = "/console/organizations/acme/audit-log";

/// An organization with a customer that was renamed, and the customer's id.
async fn renamed(world: &World) -> (Organization, String) {
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await.at("198.51.100.7").with("user-agent", "curl/8.5");
    let new = json!({"email": "ada@x.example", "name": "<b>Ada"});
    let customer = token.post("/v1/customers", new).await.expect(201).id();
    token.patch(&format!("/v1/customers/{customer}"), json!({"name": "Bea"})).await.expect(200);
    (acme, customer)
}

#[tokio::test]
async fn the_list_is_filtered_and_leads_to_entries() {
    let world = world();
    let (acme, customer) = renamed(&world).await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let overview = browser.get("/console/organizations/acme").await.expect(200);
    assert!(overview.text.contains(&format!("href=\"{LOG}\"")), "the navigation leads there: {overview}");
    let all = browser.get(LOG).await.expect(200);
    assert!(all.text.contains("member.created") && all.text.contains("198.51.100.7"), "{all}");
    let found = browser.get(&format!("{LOG}?subject={customer}&action=customer.updated")).await.expect(200);
    // The list of actions names the others as well.
    let rows = found.text.split("<tbody>").nth(1).unwrap();
    assert!(rows.contains("customer.updated") && !rows.contains("customer.created"), "{found}");
    for nothing in ["subject=x", "actor=x", "action=x", "to=2020-01-01", "from=2100-01-01"] {
        let page = browser.get(&format!("{LOG}?{nothing}")).await.expect(200);
        assert!(page.text.contains("No change matches these filters."), "{nothing}: {page}");
    }
    let href = rows.split('"').find(|part| part.starts_with(&format!("{LOG}/"))).unwrap();
    let entry = browser.get(href).await.expect(200);
    for text in ["<del>&#60;b&#62;Ada</del>", "<ins>Bea</ins>", "curl/8.5", "198.51.100.7", &customer] {
        assert!(entry.text.contains(text), "{text}: {entry}");
    }
    assert!(entry.text.contains("GET /v1/audit-log/"), "{entry}");
    let german = browser.get(&format!("{LOG}?lang=de")).await.expect(200);
    assert!(german.text.contains("<h1>Protokoll</h1>"), "{german}");
}

#[tokio::test]
async fn the_list_has_pages() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    for number in 0..60 {
        let new = json!({"email": format!("c{number}@x.example"), "name": format!("Person {number}.")});
        token.post("/v1/customers", new).await.expect(201);
    }
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let created = format!("{LOG}?action=customer.created");
    let first = browser.get(&created).await.expect(200);
    assert!(first.text.contains("Person 59.") && !first.text.contains("Person 9."), "{first}");
    let link = |text: &str, rel: &str| {
        let link = text.split("<a ").find(|link| link.contains(&format!("rel=\"{rel}\""))).map(str::to_owned);
        link.map(|link| {
            link.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&")
        })
    };
    assert_eq!(link(&first.text, "prev"), None);
    let second = browser.get(&link(&first.text, "next").unwrap()).await.expect(200);
    assert!(second.text.contains("Person 9.") && !second.text.contains("Person 59."), "{second}");
    assert_eq!(link(&second.text, "next"), None);
    let back = browser.get(&link(&second.text, "prev").unwrap()).await.expect(200);
    assert!(back.text.contains("Person 59."), "{back}");
}

#[tokio::test]
async fn the_log_is_for_those_who_manage_the_organization() {
    let world = world();
    let (acme, _) = renamed(&world).await;
    let other = world.organization("other").await;
    let owner = world.token(&acme, "*").await;
    let entries = owner.get("/v1/audit-log").await.expect(200);
    let entry = entries["items"][0]["id"].as_str().unwrap().to_owned();
    for (role, may) in
        [("Administrator", true), ("Developer", false), ("Analyst", false), ("Billing Manager", false)]
    {
        let email = format!("{}@x.example", role.replace(' ', "-").to_lowercase());
        let member = json!({"email": email, "name": "N", "role": role});
        owner.post(&format!("/v2/accounts/{}/members", acme.id), member).await.expect(201);
        let mut browser = Browser::signed_in(&world, &email).await;
        for path in [LOG.to_owned(), format!("{LOG}/{entry}")] {
            let page = browser.get(&path).await;
            assert_eq!(page.status, if may { 200 } else { 403 }, "{role}: {page}");
        }
        let overview = browser.get("/console/organizations/acme").await.expect(200);
        assert_eq!(overview.text.contains("/audit-log"), may, "{role}: {overview}");
    }
    // An entry of another organization, and one that does not exist.
    let mut browser = Browser::signed_in(&world, &other.owner).await;
    browser.get(LOG).await.expect(404);
    for id in [entry.as_str(), "x", "0198a000-0000-4000-8000-000000000000"] {
        browser.get(&format!("/console/organizations/other/audit-log/{id}")).await.expect(404);
    }
}

#[tokio::test]
async fn the_overview_shows_the_history_of_the_organization() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let token = world.token(&acme, "*").await;
    token.patch(&format!("/v1/organizations/{}", acme.id), json!({"name": "Acme Two"})).await.expect(200);
    let overview = browser.get("/console/organizations/acme").await.expect(200);
    assert!(overview.text.contains("organization.updated"), "{overview}");
    assert!(overview.text.contains(&format!("{LOG}?subject={}", acme.id)), "{overview}");
}

#[tokio::test]
async fn the_export_has_the_entries_that_match() {
    let world = world();
    let (acme, customer) = renamed(&world).await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let found = browser.get(&format!("{LOG}?subject={customer}&action=customer.updated")).await.expect(200);
    let href = attribute(&found, "href", "/export.csv").replace("&#38;", "&");
    let file = browser.get(&href).await.expect(200);
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<&str> = file.text.lines().collect();
    assert!(lines[0].starts_with("\u{feff}ID,Created At,Organization ID,Action,Actor Type"), "{file}");
    assert!(lines.len() == 2 && lines[1].contains("customer.updated") && lines[1].contains("Bea"), "{file}");
    let all = browser.get(&format!("{LOG}/export.csv")).await.expect(200);
    assert!(all.text.lines().count() > 3 && all.text.contains("customer.created"), "{all}");
    // A new account is nobody's business: the person may be known elsewhere.
    let members = format!("/v1/organizations/{}/members/invite", acme.id);
    let owner = world.user(&acme.owner, "*").await;
    owner.post(&members, json!({"email": "new@x.example", "role": "member"})).await.expect(201);
    for log in [LOG.to_owned(), format!("{LOG}/export.csv")] {
        let shown = browser.get(&log).await.expect(200);
        assert!(
            shown.text.contains("team_member.created") && !shown.text.contains("user.created"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn the_owner_sets_for_how_long_changes_are_kept() {
    let world = world();
    let (acme, customer) = renamed(&world).await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let form = format!("{LOG}/retention");
    for wrong in ["29", "36501", "-1", "x", "30.5"] {
        let refused = browser.post(&form, &[("days", wrong)]).await.expect(422);
        assert!(refused.text.contains("Enter a number from 30 to 36500, or nothing."), "{refused}");
        assert!(refused.text.contains(&format!("value=\"{wrong}\"")), "{refused}");
    }
    browser.post(&form, &[("days", "30")]).await.expect(303);
    assert!(browser.get(&form).await.expect(200).text.contains("value=\"30\""));
    world.advance_s(31 * 24 * 60 * 60);
    world.app.sweep().await.unwrap();
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let page = browser.get(&format!("{LOG}?subject={customer}")).await.expect(200);
    let rows = page.text.split("<tbody>").nth(1).unwrap();
    assert!(rows.contains("customer.created") && !rows.contains("customer.updated"), "{page}");
    browser.post(&form, &[("days", "")]).await.expect(303);
    assert!(browser.get(&form).await.expect(200).text.contains("they are kept for good"));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_page_of_a_person_shows_the_history_of_the_membership() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let members = format!("/v1/organizations/{}/members/invite", acme.id);
    let added = owner.post(&members, json!({"email": "dev@x.example", "role": "member"})).await.expect(201);
    let user = added["user_id"].as_str().unwrap();
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let page = browser.get(&format!("/console/organizations/acme/team/people/{user}")).await.expect(200);
    assert!(page.text.contains("team_member.created"), "{page}");
    assert!(page.text.contains(&format!("{LOG}?subject={user}")), "{page}");
}
