//! The authorization of pages and forms: each page and form, each role, each state of an organization.

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::TeamPermission::{
    self, ManageCustomers, ManageOrganization, ManageTeam, ReadCustomers, ReadTeam, TransferOwnership,
};
use tenantry_app::organization_deletion::OrganizationDelete;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_core::team::TeamRole;
use tenantry_core::values::SuspensionReason;
use tenantry_testkit::{Organization, World};

use crate::browser::{Browser, attribute, member, world};

/// A page of an organization, and the right that it needs. Each shows itself to everybody who has the right.
pub(crate) const PAGES: &[(&str, Option<TeamPermission>)] = &[
    ("", None),
    ("/leave", None),
    ("/customers", Some(ReadCustomers)),
    ("/customers?query=jane&sorting=name&page=2", Some(ReadCustomers)),
    ("/customers/export.csv", Some(ReadCustomers)),
    ("/customers/{customer}", Some(ReadCustomers)),
    ("/customers/new", Some(ManageCustomers)),
    ("/customers/{customer}/edit", Some(ManageCustomers)),
    ("/customers/{customer}/delete", Some(ManageCustomers)),
    ("/customers/{customer}/forget", Some(ManageCustomers)),
    ("/customers/{customer}/members/new", Some(ManageCustomers)),
    ("/customers/{customer}/members/{member}", Some(ManageCustomers)),
    ("/customers/{customer}/members/{member}/remove", Some(ManageCustomers)),
    ("/team", Some(ReadTeam)),
    ("/team/roles", Some(ReadTeam)),
    ("/team/invitations", Some(ReadTeam)),
    ("/team/add", Some(ManageTeam)),
    ("/team/invite", Some(ManageTeam)),
    ("/team/people/{analyst}", Some(ManageTeam)),
    ("/team/people/{analyst}/remove", Some(ManageTeam)),
    ("/team/transfer", Some(TransferOwnership)),
    ("/tokens", Some(ManageOrganization)),
    ("/tokens/new", Some(ManageOrganization)),
    ("/tokens/{token}", Some(ManageOrganization)),
    ("/tokens/{token}/edit", Some(ManageOrganization)),
    ("/tokens/{token}/revoke", Some(ManageOrganization)),
    ("/webhooks", Some(ManageOrganization)),
    ("/webhooks/new", Some(ManageOrganization)),
    ("/webhooks/{webhook}", Some(ManageOrganization)),
    ("/webhooks/{webhook}/edit", Some(ManageOrganization)),
    ("/webhooks/{webhook}/delete", Some(ManageOrganization)),
    ("/audit-log", Some(ManageOrganization)),
    ("/audit-log/export.csv", Some(ManageOrganization)),
    ("/audit-log/retention", Some(ManageOrganization)),
    ("/audit-log/{entry}", Some(ManageOrganization)),
    ("/settings", Some(ManageOrganization)),
    ("/portal", Some(ManageOrganization)),
    ("/sign-in", Some(ManageOrganization)),
    ("/delete", Some(ManageOrganization)),
];

/// A form of an organization, the right that it needs, and the answer to an empty one from somebody who has the right.
/// `{none}` is the id of nothing.
pub(crate) const FORMS: &[(&str, Option<TeamPermission>, u16)] = &[
    ("/leave", None, 422),
    ("/customers/new", Some(ManageCustomers), 422),
    ("/customers/{customer}/edit", Some(ManageCustomers), 303),
    ("/customers/{none}/edit", Some(ManageCustomers), 404),
    ("/customers/{customer}/session", Some(ManageCustomers), 200),
    ("/customers/{customer}/sessions/{none}/end", Some(ManageCustomers), 404),
    ("/customers/{customer}/sign-out", Some(ManageCustomers), 303),
    ("/customers/{none}/sign-out", Some(ManageCustomers), 404),
    ("/customers/{customer}/delete", Some(ManageCustomers), 422),
    ("/customers/{customer}/forget", Some(ManageCustomers), 422),
    ("/customers/{customer}/restore", Some(ManageCustomers), 303),
    ("/customers/{none}/restore", Some(ManageCustomers), 404),
    ("/customers/{customer}/members/new", Some(ManageCustomers), 422),
    ("/customers/{customer}/members/{member}", Some(ManageCustomers), 303),
    ("/customers/{customer}/members/{none}", Some(ManageCustomers), 404),
    ("/customers/{customer}/members/{member}/remove", Some(ManageCustomers), 422),
    ("/team/add", Some(ManageTeam), 422),
    ("/team/invite", Some(ManageTeam), 422),
    ("/team/invitations/{none}/resend", Some(ManageTeam), 404),
    ("/team/invitations/{none}/revoke", Some(ManageTeam), 404),
    ("/team/people/{analyst}", Some(ManageTeam), 422),
    ("/team/people/{analyst}/remove", Some(ManageTeam), 422),
    ("/team/transfer", Some(TransferOwnership), 422),
    ("/team/transfer/end", Some(TransferOwnership), 303),
    ("/tokens/new", Some(ManageOrganization), 422),
    ("/tokens/{token}/edit", Some(ManageOrganization), 422),
    ("/tokens/{token}/rotate", Some(ManageOrganization), 200),
    ("/tokens/{none}/rotate", Some(ManageOrganization), 404),
    ("/tokens/{token}/revoke", Some(ManageOrganization), 422),
    ("/webhooks/new", Some(ManageOrganization), 422),
    ("/webhooks/{webhook}/edit", Some(ManageOrganization), 422),
    ("/webhooks/{webhook}/test", Some(ManageOrganization), 303),
    ("/webhooks/{webhook}/enable", Some(ManageOrganization), 303),
    ("/webhooks/{webhook}/secret", Some(ManageOrganization), 200),
    ("/webhooks/{webhook}/delete", Some(ManageOrganization), 422),
    ("/webhooks/{webhook}/events/{none}/redeliver", Some(ManageOrganization), 404),
    ("/audit-log/retention", Some(ManageOrganization), 303),
    ("/settings", Some(ManageOrganization), 422),
    ("/portal", Some(ManageOrganization), 303),
    ("/portal/preview", Some(ManageOrganization), 200),
    ("/sign-in", Some(ManageOrganization), 303),
    ("/delete", Some(ManageOrganization), 422),
];

const ROLES: [(&str, TeamRole); 4] = [
    ("Administrator", TeamRole::Administrator),
    ("Developer", TeamRole::Developer),
    ("Analyst", TeamRole::Analyst),
    ("Billing Manager", TeamRole::BillingManager),
];

/// Whether a path is one of a page or form of the tables, whatever ids it has.
fn is_of(path: &str, page: &str) -> bool {
    let page = format!("/console/organizations/acme{page}");
    let is_same = |(part, of): (&str, &str)| part == of || of.starts_with('{');
    path.split('/').count() == page.split('/').count() && path.split('/').zip(page.split('/')).all(is_same)
}

/// The ids of the rows that paths name.
struct Rows(Vec<(&'static str, String)>);

impl Rows {
    /// An organization with a row of each kind.
    async fn of(world: &World, acme: &Organization) -> Self {
        let token = world.token(acme, "*").await;
        let new = json!({"type": "team", "email": "jane@x.example", "name": "Jane"});
        let customer = token.post("/v1/customers", new).await.expect(201).id();
        let new = json!({"email": "jordan@x.example"});
        let member = token.post(&format!("/v1/customers/{customer}/members"), new).await.expect(201).id();
        let session = json!({"customer_id": customer, "member_id": member});
        token.post("/v1/customer-sessions", session).await.expect(201);
        let new = json!({"comment": "billing", "scopes": ["customers:read"]});
        let made = token.post("/v1/organization-access-tokens", new).await.expect(201);
        let made = made["organization_access_token"]["id"].as_str().unwrap().to_owned();
        let new = json!({"url": "https://x.example/hook", "format": "raw", "events": ["customer.created"]});
        let webhook = token.post("/v1/webhooks/endpoints", new).await.expect(201).id();
        let log = token.get("/v1/audit-log?limit=1").await.expect(200);
        let people = token.get(&format!("/v1/organizations/{}/members", acme.id)).await.expect(200);
        let people = people["items"].as_array().unwrap().iter();
        let mut analyst = people
            .filter(|person| person["email"] == "analyst@x.example")
            .map(|person| person["user_id"].as_str().unwrap().to_owned());
        Self(vec![
            ("{customer}", customer),
            ("{member}", member),
            ("{token}", made),
            ("{webhook}", webhook),
            ("{entry}", log["items"][0]["id"].as_str().unwrap().to_owned()),
            ("{analyst}", analyst.next_back().unwrap()),
            ("{none}", "0d8f4b0e-0000-4000-8000-000000000000".to_owned()),
        ])
    }

    fn path(&self, slug: &str, page: &str) -> String {
        let filled = self.0.iter().fold(page.to_owned(), |page, (name, id)| page.replace(name, id));
        format!("/console/organizations/{slug}{filled}")
    }
}

fn grants(role: TeamRole, right: Option<TeamPermission>) -> bool {
    right.is_none_or(|right| role.grants(right))
}

#[tokio::test]
async fn every_page_and_form_asks_for_its_right() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut people = vec![(TeamRole::Owner, Browser::signed_in(&world, &acme.owner).await)];
    for (name, role) in ROLES {
        people.push((role, member(&world, &acme, name).await));
    }
    let rows = Rows::of(&world, &acme).await;
    for (role, browser) in &mut people {
        for (page, right) in PAGES {
            let expected = if grants(*role, *right) { 200 } else { 403 };
            let answer = browser.get(&rows.path("acme", page)).await;
            assert_eq!(answer.status, expected, "{role:?} GET {page}: {answer}");
        }
        for (form, right, accepted) in FORMS {
            let expected = if grants(*role, *right) { *accepted } else { 403 };
            let answer = browser.post(&rows.path("acme", form), &[]).await;
            assert_eq!(answer.status, expected, "{role:?} POST {form}: {answer}");
        }
        // No event was delivered.
        let event = browser.get(&rows.path("acme", "/webhooks/{webhook}/events/{none}")).await;
        let expected = if grants(*role, Some(ManageOrganization)) { 404 } else { 403 };
        assert_eq!(event.status, expected, "{role:?}: {event}");
        // Nobody offered the ownership: the owner has it, and the others are refused.
        let accept = browser.post(&rows.path("acme", "/team/transfer/accept"), &[]).await;
        assert_eq!(accept.status, if *role == TeamRole::Owner { 303 } else { 409 }, "{role:?}: {accept}");
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn strangers_and_closed_organizations_get_the_page_of_nothing() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut analyst = member(&world, &acme, "Analyst").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut stranger = Browser::signed_in(&world, &other.owner).await;
    let rows = Rows::of(&world, &acme).await;
    let mut signed_out = Browser::new(&world);
    for page in PAGES.iter().map(|(page, _)| page) {
        let to = signed_out.get(&rows.path("acme", page)).await.expect(303);
        assert!(to.header("location").unwrap().starts_with("/console/sign-in?next="), "{page}");
    }
    for form in FORMS.iter().map(|(form, ..)| form) {
        let to = signed_out.post(&rows.path("acme", form), &[]).await.expect(303);
        assert_eq!(to.header("location"), Some("/console/sign-in?next=%2Fconsole"), "{form}");
    }
    closed(&mut stranger, &rows).await;
    // The rows of an organization are unknown on the pages of another one, also to somebody in both.
    let token = world.token(&other, "*").await;
    let both = json!({"email": acme.owner, "name": "Both", "role": "Administrator"});
    token.post(&format!("/v2/accounts/{}/members", other.id), both).await.expect(201);
    for page in PAGES.iter().map(|(page, _)| page).filter(|page| page.contains('{')) {
        let elsewhere = owner.get(&rows.path("other", page)).await;
        assert_eq!(elsewhere.status, 404, "{page}: {elsewhere}");
    }
    let reason = SuspensionReason::parse("unpaid").unwrap();
    world.app.write(OrganizationSuspend { id: acme.id, reason }).await.unwrap();
    closed(&mut owner, &rows).await;
    closed(&mut analyst, &rows).await;
    let lifted = tenantry_app::suspension::OrganizationUnsuspend { id: acme.id };
    world.app.write(lifted).await.unwrap();
    owner.get("/console/organizations/acme").await.expect(200);
    let delete = OrganizationDelete { by: Requester::operator(), id: acme.id, with_sub_accounts: false };
    world.app.write(delete).await.unwrap();
    closed(&mut owner, &rows).await;
    closed(&mut analyst, &rows).await;
}

/// Checks that every page and form answers like those of an organization that does not exist.
async fn closed(browser: &mut Browser<'_>, rows: &Rows) {
    for page in PAGES.iter().map(|(page, _)| page) {
        let answer = browser.get(&rows.path("acme", page)).await.expect(404);
        let unknown = browser.get(&rows.path("nowhere", page)).await.expect(404);
        let [answer, unknown] = [answer, unknown].map(|page| page.text.replace(page.request_id(), ""));
        assert_eq!(answer, unknown, "{page}");
    }
    for form in FORMS.iter().map(|(form, ..)| form) {
        browser.post(&rows.path("acme", form), &[]).await.expect(404);
    }
}

#[tokio::test]
async fn what_a_role_may_not_do_is_not_shown() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut people = vec![(TeamRole::Owner, Browser::signed_in(&world, &acme.owner).await)];
    for (name, role) in ROLES {
        people.push((role, member(&world, &acme, name).await));
    }
    let rows = Rows::of(&world, &acme).await;
    for (role, browser) in &mut people {
        let (mut seen, mut next) = (BTreeSet::new(), vec!["/console/organizations/acme".to_owned()]);
        let mut forms = BTreeSet::new();
        while let Some(path) = next.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let page = browser.get(&path).await;
            assert_eq!(page.status, 200, "{role:?} is shown {path}: {page}");
            let values = |name: &str| {
                let begin = format!("{name}=\"");
                let parts =
                    page.text.split(&begin).skip(1).map(|part| part.split('"').next().unwrap().to_owned());
                parts.filter(|path| path.starts_with("/console/organizations/acme")).collect::<Vec<_>>()
            };
            next.extend(values("href"));
            forms.extend(values("action"));
        }
        for form in &forms {
            let known = FORMS.iter().find(|(known, ..)| is_of(form, known)).map(|(_, right, _)| *right);
            // A form for a search is a page.
            let page = || PAGES.iter().find(|(page, _)| is_of(form, page)).map(|(_, right)| *right);
            let right = known.or_else(page).unwrap_or_else(|| panic!("{form} is in no table"));
            assert!(grants(*role, right), "{role:?} is shown {form}");
        }
        // And what it may do is shown: every page of the table is reached by a link.
        for (page, right) in PAGES.iter().filter(|(page, _)| !page.contains('?')) {
            let path = rows.path("acme", page);
            let is_hidden = *page == "/leave" && *role == TeamRole::Owner
                // One's own removal is no page.
                || *page == "/team/people/{analyst}/remove" && *role == TeamRole::Analyst;
            if grants(*role, *right) && !is_hidden {
                assert!(seen.contains(&path), "{role:?} is not shown {page}");
            }
        }
    }
}

#[tokio::test]
async fn every_page_with_a_form_shows_the_call_that_does_the_same() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    member(&world, &acme, "Analyst").await;
    let rows = Rows::of(&world, &acme).await;
    let mut missing = Vec::new();
    for page in PAGES
        .iter()
        .map(|(page, _)| rows.path("acme", page))
        .chain(["/console/new-organization".to_owned(), "/console/deleted-organization".to_owned()])
    {
        let shown = owner.get(&page).await.expect(200);
        let content = shown.text.split("<main").nth(1).unwrap_or_default();
        if content.contains("method=\"post\"") && !content.contains("class=\"curl\"") {
            missing.push(page);
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[tokio::test]
async fn names_are_text_on_every_page() {
    let world = world();
    let acme = world.organization("acme").await;
    let evil = "<i onload=x>\"'&Name";
    let token = world.token(&acme, "*").await;
    token.patch(&format!("/v1/organizations/{}", acme.id), json!({"name": evil})).await.expect(200);
    let new = json!({"email": "analyst@x.example", "name": evil, "role": "Analyst"});
    token.post(&format!("/v2/accounts/{}/members", acme.id), new).await.expect(201);
    let rows = Rows::of(&world, &acme).await;
    let customer = rows.path("", "{customer}").rsplit('/').next().unwrap().to_owned();
    let changed = json!({"name": evil, "external_id": evil, "metadata": {evil: evil}});
    token.patch(&format!("/v1/customers/{customer}"), changed).await.expect(200);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for (page, _) in PAGES {
        let page = browser.get(&rows.path("acme", page)).await.expect(200);
        assert!(
            !page.text.contains("<i onload")
                || page.header("content-type") == Some("text/csv; charset=utf-8"),
            "{page}"
        );
    }
    let page = browser.get(&rows.path("acme", "/customers/new")).await.expect(200);
    assert_eq!(attribute(&page, "action", "customers"), "/console/organizations/acme/customers/new");
    let fields = [("name", evil), ("email", evil), ("metadata", evil), ("external_id", evil)];
    let refused = browser.post(&rows.path("acme", "/customers/new"), &fields).await.expect(422);
    assert!(!refused.text.contains("<i onload"), "{refused}");
}
