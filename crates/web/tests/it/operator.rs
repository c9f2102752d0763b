//! The operator's pages: the right to them, all organizations, and the health of the installation.

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_app::operator::{BackupNote, OperatorSet};
use tenantry_app::organization_deletion::OrganizationDelete;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_app::{Error, Requester};
use tenantry_core::ids::UserId;
use tenantry_core::values::{EmailAddress, SuspensionReason};
use tenantry_testkit::{Organization, World};

use crate::browser::{Browser, member, world};

/// The pages. `acme` is open, `closed` is suspended, `gone` is deleted.
pub(crate) const PAGES: [&str; 8] = [
    "/console/operator/organizations",
    "/console/operator/organizations?query=acme&state=suspended",
    "/console/operator/new-organization",
    "/console/operator/organizations/acme",
    "/console/operator/organizations/acme/suspend",
    "/console/operator/organizations/closed/reopen",
    "/console/operator/organizations/gone/restore",
    "/console/operator/health",
];
/// The forms, and the answers to empty ones.
pub(crate) const FORMS: [(&str, u16); 5] = [
    ("/console/operator/new-organization", 422),
    ("/console/operator/organizations/acme/suspend", 422),
    ("/console/operator/organizations/closed/reopen", 303),
    ("/console/operator/organizations/gone/restore", 303),
    ("/console/operator/health/check", 303),
];
const LIST: &str = "/console/operator/organizations";

async fn user(world: &World, email: &str) -> UserId {
    let email = EmailAddress::parse(email).unwrap();
    let found = world.app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap();
    found.unwrap().id
}

async fn set_operator(world: &World, email: &str, is_operator: bool) {
    let user = user(world, email).await;
    world.app.write(OperatorSet { by: Requester::operator(), user, is_operator }).await.unwrap();
}

/// The organization `home`, and its owner, an operator, signed in.
async fn operator(world: &World) -> (Organization, Browser<'_>) {
    let home = world.organization("home").await;
    set_operator(world, &home.owner, true).await;
    let browser = Browser::signed_in(world, &home.owner).await;
    (home, browser)
}

/// One organization in each state.
async fn states(world: &World) -> Organization {
    let acme = world.organization("acme").await;
    let (closed, gone) = (world.organization("closed").await, world.organization("gone").await);
    let reason = SuspensionReason::parse("<i>unpaid").unwrap();
    world.app.write(OrganizationSuspend { id: closed.id, reason }).await.unwrap();
    let by = Requester::operator();
    world.app.write(OrganizationDelete { by, id: gone.id, with_sub_accounts: false }).await.unwrap();
    acme
}

#[tokio::test]
async fn the_pages_exist_for_operators_alone() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    let acme = states(&world).await;
    let mut others = vec![Browser::signed_in(&world, &acme.owner).await];
    for role in ["Administrator", "Developer", "Analyst", "Billing Manager"] {
        others.push(member(&world, &acme, role).await);
    }
    for browser in &mut others {
        let unknown = browser.get("/console/operator/organizations/nowhere").await.expect(404);
        for page in PAGES {
            let refused = browser.get(page).await.expect(404);
            let [refused, unknown] =
                [&refused, &unknown].map(|page| page.text.replace(page.request_id(), ""));
            assert_eq!(refused, unknown, "{page}");
        }
        for (form, _) in FORMS {
            browser.post(form, &[("reason", "x"), ("name", "Name"), ("slug", "slug")]).await.expect(404);
        }
        for page in ["/console/organizations", "/console/organizations/acme", "/console/sessions"] {
            let page = browser.get(page).await.expect(200);
            assert!(!page.text.contains("/console/operator"), "{page}");
        }
    }
    let mut signed_out = Browser::new(&world);
    for page in PAGES {
        let to = signed_out.get(page).await.expect(303);
        assert!(to.header("location").unwrap().starts_with("/console/sign-in?next="), "{page}");
    }
    for (form, _) in FORMS {
        let to = signed_out.post(form, &[]).await.expect(303);
        assert_eq!(to.header("location"), Some("/console/sign-in?next=%2Fconsole"), "{form}");
    }
    for page in PAGES {
        operator.get(page).await.expect(200);
    }
    for (form, accepted) in FORMS {
        operator.post_from_anywhere(form, &[]).await.expect(403);
        let answer = operator.post(form, &[]).await;
        assert_eq!(answer.status, accepted, "{form}: {answer}");
    }
    // An operator is no member of other organizations.
    operator.get("/console/organizations/acme").await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn every_page_is_reached_and_has_its_command() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    states(&world).await;
    let (mut seen, mut next) = (BTreeSet::new(), vec!["/console/organizations".to_owned()]);
    // Deleted and suspended organizations are reached by the filter, which is no link.
    next.extend(["deleted", "suspended"].map(|state| format!("{LIST}?state={state}")));
    while let Some(path) = next.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let page = operator.get(&path).await.expect(200);
        if path.starts_with("/console/operator") {
            assert!(page.text.contains("As a command") && page.text.contains("tenantry "), "{page}");
            assert!(!page.text.contains("<i>unpaid"), "{page}");
        }
        let links = page.text.split("href=\"").skip(1).map(|part| part.split('"').next().unwrap().to_owned());
        next.extend(links.filter(|link| link.starts_with("/console/operator")));
    }
    for page in PAGES.into_iter().filter(|page| !page.contains('?')) {
        assert!(seen.contains(page), "{page} in {seen:?}");
    }
}

#[tokio::test]
async fn organizations_are_found_by_name_slug_id_and_owner() {
    let world = world();
    let (home, mut operator) = operator(&world).await;
    let acme = states(&world).await;
    let token = world.token(&acme, "*").await;
    token
        .patch(&format!("/v1/organizations/{}", acme.id), json!({"name": "Stra\u{df}enbau <b>M\u{fc}ller"}))
        .await
        .expect(200);
    world.sub_account(&acme, "Small one").await;
    let mut rows = async |query: &str| {
        let page = operator.get(&format!("{LIST}?{query}")).await.expect(200);
        assert!(!page.text.contains("<b>M"), "{page}");
        let rows =
            page.text.split("<tbody>").nth(1).map(|rows| rows.split("<tr>").skip(1).collect::<Vec<_>>());
        let slug = |row: &str| {
            let href = row.split(&format!("{LIST}/")).nth(1).unwrap();
            href.split('"').next().unwrap().to_owned()
        };
        rows.unwrap_or_default().into_iter().map(slug).collect::<Vec<_>>()
    };
    let all = rows("").await;
    assert_eq!(all[1..], ["closed", "acme", "home"], "newest first, without the deleted one");
    let by_id = format!("query={}", home.id);
    let deleted_by_id = format!("{by_id}&state=deleted");
    for (query, found) in [
        ("query=STRASSENBAU", vec!["acme"]),
        ("query=m%C3%BCller", vec!["acme"]),
        ("query=closed", vec!["closed"]),
        ("query=clo&state=suspended", vec!["closed"]),
        ("query=acme&state=suspended", vec![]),
        ("state=suspended", vec!["closed"]),
        ("state=deleted", vec!["gone"]),
        ("query=gone", vec![]),
        ("query=gone&state=deleted", vec!["gone"]),
        ("query=owner%40closed.example.com", vec!["closed"]),
        ("query=nobody%40closed.example.com", vec![]),
        (by_id.as_str(), vec!["home"]),
        (deleted_by_id.as_str(), vec![]),
        ("query=%25", vec![]),
    ] {
        assert_eq!(rows(query).await, found, "{query}");
    }
    assert_eq!(rows("query=owner%40acme.example.com").await.len(), 2, "the sub-account has the same owner");
    let page = operator.get(&format!("{LIST}/acme")).await.expect(200);
    for shown in ["Small one", "owner@acme.example.com", &acme.id.to_string(), "Sub-accounts"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test]
async fn the_list_has_pages() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    for number in 1..=55 {
        world.organization(&format!("tenant-{number}")).await;
    }
    let first = operator.get(LIST).await.expect(200);
    assert_eq!(first.text.matches("<tr>").count(), 51, "{first}");
    let link = |page: &str, rel: &str| {
        let rest = page.split(&format!("rel=\"{rel}\" href=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    };
    let second = operator.get(&link(&first.text, "next")).await.expect(200);
    assert_eq!(second.text.matches("<tr>").count(), 7, "{second}");
    assert!(second.text.contains(">home<") || second.text.contains("/home\""), "{second}");
    let back = operator.get(&link(&second.text, "prev")).await.expect(200);
    assert_eq!(back.text.matches("<tr>").count(), 51, "{back}");
    assert!(!back.text.contains("rel=\"prev\""), "{back}");
}

#[tokio::test]
async fn an_operator_creates_suspends_reopens_and_brings_back() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    let form = [("name", "Globex"), ("slug", "globex"), ("owner", "not an address")];
    let refused = operator.post("/console/operator/new-organization", &form).await.expect(422);
    assert!(refused.text.contains("href=\"#owner\"") && refused.text.contains("Globex"), "{refused}");
    let form = [("name", "Globex"), ("slug", "home"), ("owner", "hank@globex.example")];
    let taken = operator.post("/console/operator/new-organization", &form).await.expect(422);
    assert!(taken.text.contains("This slug is taken."), "{taken}");
    let form = [("name", "Globex"), ("slug", "globex"), ("owner", "hank@globex.example")];
    let made = operator.post("/console/operator/new-organization", &form).await.expect(303);
    assert_eq!(made.header("location"), Some("/console/operator/organizations/globex?done=created"));
    let mut owner = Browser::signed_in(&world, "hank@globex.example").await;
    owner.get("/console/organizations/globex").await.expect(200);

    let path = format!("{LIST}/globex");
    let none = operator.post(&format!("{path}/suspend"), &[("reason", " ")]).await.expect(422);
    assert!(none.text.contains("href=\"#reason\""), "{none}");
    owner.get("/console/organizations/globex").await.expect(200);
    operator.post(&format!("{path}/suspend"), &[("reason", "unpaid <bills>")]).await.expect(303);
    owner.get("/console/organizations/globex").await.expect(404);
    let page = operator.get(&path).await.expect(200);
    assert!(page.text.contains("unpaid &#60;bills&#62;") && !page.text.contains("<bills>"), "{page}");
    operator.get(&format!("{path}/suspend")).await.expect(404);
    operator.post(&format!("{path}/reopen"), &[]).await.expect(303);
    owner.get("/console/organizations/globex").await.expect(200);

    owner.post("/console/organizations/globex/delete", &[("confirm", "Globex")]).await.expect(303);
    operator.get(&format!("{path}/reopen")).await.expect(404);
    operator.post(&format!("{path}/restore"), &[]).await.expect(303);
    owner.get("/console/organizations/globex").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_log_of_an_organization_names_the_operator_and_no_person() {
    let world = world();
    let (home, mut operator) = operator(&world).await;
    let acme = world.organization("acme").await;
    operator.headers.push(("x-forwarded-for", "198.51.100.9".to_owned()));
    operator.post(&format!("{LIST}/acme/suspend"), &[("reason", "unpaid")]).await.expect(303);
    operator.post(&format!("{LIST}/acme/reopen"), &[]).await.expect(303);
    let entries = world.audit(&acme).await;
    let mut changed = 0;
    for entry in entries.iter().filter(|entry| entry.action.contains("suspended")) {
        assert_eq!((entry.actor_kind.as_str(), entry.actor), ("operator", None));
        assert!(entry.credential.is_some() && entry.request_id.is_some(), "the session finds the person");
        assert_eq!((&entry.client_address, &entry.user_agent), (&None, &None));
        changed += 1;
    }
    assert_eq!(changed, 2);
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let log = owner.get("/console/organizations/acme/audit-log").await.expect(200);
    assert!(log.text.contains("organization.suspended") && !log.text.contains(&home.owner), "{log}");
}

#[tokio::test]
async fn the_rights_end_at_once_and_need_a_fresh_proof() {
    let world = world();
    let (home, mut operator) = operator(&world).await;
    world.organization("acme").await;
    let suspend = format!("{LIST}/acme/suspend");
    world.advance_s(10 * 60);
    operator.get(LIST).await.expect(200);
    let to = format!("/console/step-up?next={suspend}");
    let sent = operator.post(&suspend, &[("reason", "unpaid")]).await;
    for (answer, status) in [(operator.get(&suspend).await, 303), (sent, 307)] {
        assert_eq!((answer.status, answer.header("location")), (status, Some(to.as_str())));
    }
    let page = operator.get(&format!("{LIST}/acme")).await.expect(200);
    assert!(page.text.contains("Active"), "{page}");
    let mut again = Browser::signed_in(&world, &home.owner).await;
    again.get(&suspend).await.expect(200);
    set_operator(&world, &home.owner, false).await;
    for path in [LIST, "/console/operator/health", &suspend] {
        again.get(path).await.expect(404);
    }
    again.post(&suspend, &[("reason", "unpaid")]).await.expect(404);
    again.get("/console/organizations/home").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn tokens_of_an_operator_have_no_such_rights() {
    let world = world();
    let home = world.organization("home").await;
    set_operator(&world, &home.owner, true).await;
    let token = world.user(&home.owner, "*").await;
    let caller = world.app.authenticate(&token.secret()).await.unwrap();
    let by = Requester::caller(&caller, None);
    assert!(!by.has_operator_rights());
    assert!(matches!(world.app.operator_health(&by).await, Err(Error::OrganizationNotFound)));
}

#[tokio::test]
async fn the_health_page_shows_backlog_backups_and_the_doctor() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    let health = "/console/operator/health";
    let page = operator.get(health).await.expect(200);
    for shown in ["Nothing waits", "None known", "The data have not been checked here yet.", "SQL"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    world.app.write(BackupNote(world.app.now())).await.unwrap();
    operator.post(&format!("{health}/check"), &[]).await.expect(303);
    world.app.doctor_asked().await;
    let page = operator.get(health).await.expect(200);
    assert!(page.text.contains("The check is running") && !page.text.contains("None known"), "{page}");
    assert!(!page.text.contains(&format!("action=\"{health}/check\"")), "{page}");
    world.app.run_doctor().await.unwrap();
    let page = operator.get(health).await.expect(200);
    assert!(page.text.contains("No findings") && page.text.contains("searchable organizations"), "{page}");
    // A finding names the row.
    world.database().execute("UPDATE organizations SET search_text = 'x'");
    operator.post(&format!("{health}/check"), &[]).await.expect(303);
    world.app.run_doctor().await.unwrap();
    let page = operator.get(health).await.expect(200);
    assert!(page.text.contains("1 finding<") && page.text.contains("search_text does not match"), "{page}");
    let german = operator.get(&format!("{health}?lang=de")).await.expect(200);
    assert!(german.text.contains("<h1>Zustand</h1>") && german.text.contains("1 Befund<"), "{german}");
}

#[tokio::test]
async fn a_lost_check_can_be_started_again() {
    let world = world();
    let (_, mut operator) = operator(&world).await;
    let health = "/console/operator/health";
    operator.post(&format!("{health}/check"), &[]).await.expect(303);
    world.advance_s(500);
    let page = operator.get(health).await.expect(200);
    assert!(page.text.contains("its server was stopped"), "{page}");
    operator.post(&format!("{health}/check"), &[]).await.expect(303);
    let page = operator.get(health).await.expect(200);
    assert!(page.text.contains("The check is running"), "{page}");
}
