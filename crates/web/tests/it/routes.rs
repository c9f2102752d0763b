//! The authorization of a person's own pages, and the proof that each route is in a table of these tests.

use std::fs;
use std::path::Path;

use tenantry_app::suspension::OrganizationSuspend;
use tenantry_core::values::SuspensionReason;

use crate::browser::{Browser, world};
use crate::portal::matrix as portal;
use crate::{matrix, operator};

/// A person's own pages. `{none}` is the id of nothing: no row of another person is reached by these paths.
const PAGES: &[(&str, u16)] = &[
    ("/console", 303),
    ("/console/organizations", 200),
    ("/console/new-organization", 200),
    ("/console/deleted-organization", 200),
    ("/console/invitations", 200),
    ("/console/profile", 200),
    ("/console/profile/address", 200),
    ("/console/profile/address/code", 200),
    ("/console/profile/delete", 200),
    ("/console/passkeys", 200),
    ("/console/passkeys/{none}", 404),
    ("/console/passkeys/{none}/remove", 404),
    ("/console/sessions", 200),
    ("/console/notices", 200),
    ("/console/step-up", 303),
    ("/console/step-up/code", 200),
    ("/console/step-up/passkey", 303),
    ("/console/step-up/recovery-code", 200),
    ("/console/step-up/send", 303),
];

/// A person's own forms, and the answers to empty ones.
const FORMS: &[(&str, u16)] = &[
    ("/console/new-organization", 422),
    ("/console/deleted-organization", 422),
    ("/console/invitations/{none}/{none}/accept", 404),
    ("/console/invitations/{none}/{none}/decline", 404),
    ("/console/profile", 303),
    ("/console/profile/address", 422),
    ("/console/profile/address/code", 422),
    ("/console/profile/delete", 422),
    ("/console/passkeys", 422),
    ("/console/passkeys/options", 200),
    ("/console/passkeys/recovery-codes", 404),
    ("/console/passkeys/{none}", 404),
    ("/console/passkeys/{none}/remove", 404),
    ("/console/sessions/end-others", 303),
    ("/console/sessions/{none}/end", 303),
    ("/console/notices", 303),
    ("/console/step-up", 200),
    ("/console/step-up/code", 422),
    ("/console/step-up/passkey", 422),
    ("/console/step-up/passkey/options", 200),
    ("/console/step-up/recovery-code", 200),
    ("/console/step-up/send", 303),
];

/// Pages and forms for everybody, which other tests look at.
const PUBLIC: &[&str] = &[
    "/console/sign-in",
    "/console/sign-in/code",
    "/console/sign-in/passkey",
    "/console/sign-in/passkey/options",
    "/console/sign-in/recovery-code",
    "/console/sign-out",
    "/console/claim",
    "/console/recover",
    "/console/invitation",
    "/console/invitation/accept",
    "/console/invitation/decline",
    "/console/{*rest}",
    "/acme/portal/session",
    "/acme/portal/sign-in",
    "/acme/portal/sign-in/code",
    "/acme/portal/sign-out",
    "/acme/portal/choose",
    "/acme/portal/email-update",
    "/acme/portal/{*rest}",
];

fn filled(path: &str) -> String {
    path.replace("{none}", "0d8f4b0e-0000-4000-8000-000000000000")
}

#[tokio::test]
async fn pages_of_a_person_need_a_session_whatever_the_state_of_the_organization() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut signed_out = Browser::new(&world);
    let mut ended = Browser::signed_in(&world, &acme.owner).await;
    owner.post("/console/sessions/end-others", &[]).await.expect(303);
    for browser in [&mut signed_out, &mut ended] {
        for (page, _) in PAGES {
            let to = browser.get(&filled(page)).await.expect(303);
            assert!(to.header("location").unwrap().starts_with("/console/sign-in?next="), "{page}");
        }
        for (form, _) in FORMS {
            let to = browser.post(&filled(form), &[]).await.expect(303);
            assert_eq!(to.header("location"), Some("/console/sign-in?next=%2Fconsole"), "{form}");
        }
    }
    for is_suspended in [false, true] {
        if is_suspended {
            let reason = SuspensionReason::parse("unpaid").unwrap();
            world.app.write(OrganizationSuspend { id: acme.id, reason }).await.unwrap();
        }
        for (page, expected) in PAGES {
            let answer = owner.get(&filled(page)).await;
            assert_eq!(answer.status, *expected, "GET {page}, suspended {is_suspended}: {answer}");
        }
        for (form, expected) in FORMS {
            owner.post_from_anywhere(&filled(form), &[]).await.expect(403);
            let answer = owner.post(&filled(form), &[]).await;
            assert_eq!(answer.status, *expected, "POST {form}, suspended {is_suspended}: {answer}");
        }
    }
    assert_eq!(world.findings().await, [""; 0]);
}

/// The literals of a text that follow `mark`, up to the next quotation mark.
fn literals<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).filter_map(|rest| rest.split('"').next())
}

/// The paths of the routes that the files of a folder declare.
fn declared(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, found);
            continue;
        }
        let text: String = fs::read_to_string(&path).unwrap().split_whitespace().collect();
        found.extend(literals(&text, ".route(\"").map(str::to_owned));
        let under = |begin: &str, page: &str| format!("/console/{begin}/{{slug}}{page}");
        found.extend(
            literals(&text, ".route(&here(\"").map(|page| under("organizations", &format!("/{page}"))),
        );
        found.extend(literals(&text, ".route(&one(\"").map(|page| under("operator/organizations", page)));
    }
}

/// Whether a path is of a route: parameters have any value.
fn is_of(path: &str, route: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let is_same = |(part, of): (&str, &str)| part == of || of.starts_with('{');
    path.split('/').count() == route.split('/').count() && path.split('/').zip(route.split('/')).all(is_same)
}

#[test]
fn every_route_is_in_a_table() {
    let mut routes = Vec::new();
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut routes);
    assert!(routes.len() > 80, "{routes:?}");
    let of_acme = |page: &&str| format!("/console/organizations/acme{page}");
    let mut known: Vec<String> = PUBLIC.iter().map(ToString::to_string).collect();
    known.extend(PAGES.iter().chain(FORMS).map(|(path, _)| (*path).to_owned()));
    known.extend(matrix::PAGES.iter().map(|(page, _)| of_acme(page)));
    known.extend(matrix::FORMS.iter().map(|(form, ..)| of_acme(form)));
    known.extend([of_acme(&"/team/transfer/accept"), of_acme(&"/webhooks/{webhook}/events/{none}")]);
    known.extend(portal::PAGES.iter().map(|(page, _)| format!("/acme/portal{page}")));
    known.extend(portal::FORMS.iter().map(|(form, ..)| format!("/acme/portal{form}")));
    known.extend(operator::PAGES.iter().map(ToString::to_string));
    known.extend(operator::FORMS.iter().map(|(form, _)| (*form).to_owned()));
    let missing: Vec<&String> =
        routes.iter().filter(|route| !known.iter().any(|path| is_of(path, route))).collect();
    assert!(missing.is_empty(), "no table has {missing:?}");
}
