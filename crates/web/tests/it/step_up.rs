//! The fresh proof that some pages and use cases need.

use serde_json::json;
use tenantry_app::access_tokens::{AccessTokenCreate, AccessTokenRotate, AccessTokenUpdate};
use tenantry_app::audit_log::AuditLogRetentionSet;
use tenantry_app::console::PasskeyRuleSet;
use tenantry_app::customers::CustomerDelete;
use tenantry_app::members::CustomerRef;
use tenantry_app::organization_deletion::OrganizationDelete;
use tenantry_app::ownership::OwnershipOffer;
use tenantry_app::team::TeamMemberSetRole;
use tenantry_app::{Error, Requester};
use tenantry_core::Patch;
use tenantry_core::ids::{CustomerId, TokenId, UserId};
use tenantry_core::team::{RoleChange, TeamRole};
use tenantry_core::token::{NewAccessToken, Overlap, Scopes, TokenChange};
use tenantry_core::values::IpAllowList;
use tenantry_store::AuditFilter;
use tenantry_testkit::{Organization, World};

use crate::authenticator::Authenticator;
use crate::browser::{Browser, ORIGIN, code, codes, other_than, world};
use crate::passkeys::{SESSION, add, person};
use crate::recovery_codes;

const TEN_MINUTES: i64 = 10 * 60;

/// Confirms by a mailed code.
async fn confirm(browser: &mut Browser<'_>, world: &World, next: &str) -> tenantry_testkit::Response {
    let sent = browser.post("/console/step-up/send", &[("next", next)]).await.expect(303);
    assert!(sent.header("location").unwrap().starts_with("/console/step-up/code?next=/console"), "{sent}");
    let code = code(world).await;
    browser.post("/console/step-up/code", &[("code", &code), ("next", next)]).await
}

/// Confirms by a passkey.
async fn confirm_with(
    browser: &mut Browser<'_>,
    device: &mut Authenticator,
    next: &str,
) -> tenantry_testkit::Response {
    let options = browser.post("/console/step-up/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    browser.post("/console/step-up/passkey", &[("answer", &answer), ("next", next)]).await
}

#[tokio::test]
async fn a_code_confirms_a_person_without_passkeys() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    // The sign-in is a proof.
    browser.post("/console/passkeys/options", &[]).await.expect(200);
    world.advance_s(TEN_MINUTES);
    let refused = browser.post("/console/passkeys/options", &[]).await.expect(403);
    assert_eq!(refused.text, "/console/step-up?next=/console/passkeys");
    let page = browser.get("/console/step-up?next=/console/passkeys").await.expect(200);
    assert!(page.text.contains("Send me a code") && !page.text.contains("data-passkey"), "{page}");
    let before = browser.cookies.clone();
    let confirmed = confirm(&mut browser, &world, "/console/passkeys").await.expect(303);
    assert_eq!(confirmed.header("location"), Some("/console/passkeys"));
    browser.post("/console/passkeys/options", &[]).await.expect(200);
    // The session has a new secret, and the old one is dead. A known or planted secret gains nothing.
    assert_ne!(browser.cookies[SESSION], before[SESSION]);
    let mut thief = Browser { cookies: before, ..Browser::new(&world) };
    thief.get("/console/passkeys").await.expect(303);
    assert_eq!(browser.get("/console/sessions").await.expect(200).text.matches("<li>").count(), 1);
    // With a fresh proof, the page leads on.
    let on = browser.get("/console/step-up?next=/console/sessions").await.expect(303);
    assert_eq!(on.header("location"), Some("/console/sessions"));
    world.advance_s(TEN_MINUTES);
    browser.post("/console/passkeys/options", &[]).await.expect(403);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_code_confirms_nobody_with_a_passkey() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    let mut by_code = Browser::signed_in(&world, &acme.owner).await;
    // Whoever reads the mailbox signs in, and changes no factor.
    for form in ["/console/passkeys/options", "/console/passkeys/recovery-codes"] {
        by_code.post(form, &[]).await;
        let page = by_code.get("/console/step-up").await.expect(200);
        assert!(
            page.text.contains("Confirm with a passkey") && !page.text.contains("Send me a code"),
            "{page}"
        );
    }
    let remove = {
        let listed = by_code.get("/console/passkeys").await.expect(200);
        listed.text.split('"').find(|part| part.ends_with("/remove")).unwrap().to_owned()
    };
    let asked = by_code.get(&remove).await.expect(303);
    assert_eq!(asked.header("location"), Some(format!("/console/step-up?next={remove}").as_str()));
    by_code.post(&remove, &[]).await.expect(307);
    confirm(&mut by_code, &world, "/console").await.expect(303);
    by_code.post("/console/passkeys/options", &[]).await.expect(403);
    by_code.post(&remove, &[]).await.expect(307);
    assert!(browser.get("/console/passkeys").await.expect(200).text.contains("Firefox"));
    confirm_with(&mut by_code, &mut device, &remove).await.expect(303);
    by_code.get(&remove).await.expect(200);
    by_code.post("/console/passkeys/options", &[]).await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_code_for_confirming_is_guessed_five_times_and_is_of_one_person() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let mut theirs = Browser::signed_in(&world, &other.owner).await;
    world.advance_s(TEN_MINUTES);
    browser.post("/console/step-up/send", &[]).await.expect(303);
    let right = code(&world).await;
    for tries in 1..=5 {
        let refused =
            browser.post("/console/step-up/code", &[("code", &other_than(&right))]).await.expect(422);
        assert_eq!(refused.text.contains("This code no longer works."), tries == 5, "{refused}");
    }
    browser.post("/console/step-up/code", &[("code", &right)]).await.expect(422);
    // A code that another person got, with the cookie of that person.
    theirs.post("/console/step-up/send", &[]).await.expect(303);
    let right = code(&world).await;
    let flow = theirs.cookies["__Host-tenantry_sign_in"].clone();
    browser.cookies.insert("__Host-tenantry_sign_in".to_owned(), flow);
    browser.post("/console/step-up/code", &[("code", &right)]).await.expect(422);
    browser.post("/console/passkeys/options", &[]).await.expect(403);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn confirming_leads_to_no_other_site() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/organizations/", ""] {
        let page = browser.get(&format!("/console/step-up?next={next}")).await.expect(303);
        assert_eq!(page.header("location"), Some("/console"), "{next}");
        let confirmed = confirm_with(&mut browser, &mut device, next).await.expect(303);
        assert_eq!(confirmed.header("location"), Some("/console"), "{next}");
    }
}

#[tokio::test]
async fn only_mailed_codes_can_be_guessed_and_many_wrong_ones_cost_tries() {
    let world = world();
    let acme = world.organization("acme").await;
    // Nine requests are answered alike, and three codes are mailed: all others are right for nobody.
    let mut browsers = Vec::new();
    for _ in 0..9 {
        let mut browser = Browser::new(&world);
        browser.ask(&acme.owner).await;
        browsers.push(browser);
    }
    assert_eq!(codes(&world).await.len(), 3);
    // 600 wrong codes in an hour, over all browsers, leave one try for each further code.
    for _ in 0..(600 / 4) {
        let mut guess = Browser::new(&world);
        guess.ask("nobody@x.example").await;
        for _ in 0..4 {
            let wrong = guess.enter("00000000").await.expect(422);
            assert!(wrong.text.contains("This code is not right."), "{wrong}");
        }
    }
    let mut guess = Browser::new(&world);
    guess.ask("nobody@x.example").await;
    let over = guess.enter("00000000").await.expect(422);
    assert!(over.text.contains("This code no longer works."), "{over}");
    // A right code still signs in.
    world.advance_s(20 * 60);
    Browser::signed_in(&world, &acme.owner).await;
    assert_eq!(world.findings().await, [""; 0]);
}

/// The requester of a session.
async fn requester(browser: &Browser<'_>) -> Requester {
    let caller = browser.world.app.authenticate_session(&browser.cookies[SESSION]).await.unwrap();
    Requester::caller(&caller, None)
}

/// Runs each use case that needs a fresh proof, and returns the names of those that were refused for the lack of one.
async fn refused(
    browser: &Browser<'_>,
    acme: &Organization,
    (token, member, customer): (TokenId, UserId, CustomerId),
) -> Vec<&'static str> {
    let by = requester(browser).await;
    let app = &browser.world.app;
    let hash_key = app.hash_key().clone();
    let new = NewAccessToken {
        label: "CI".to_owned(),
        scopes: Scopes::everything(),
        ip_allow_list: IpAllowList::default(),
        lifetime: None,
    };
    let create =
        AccessTokenCreate { by: by.clone(), organization: Some(acme.id), new, hash_key: hash_key.clone() };
    let rotate = AccessTokenRotate {
        by: by.clone(),
        id: token,
        overlap: Overlap::from_seconds(60).unwrap(),
        hash_key,
    };
    let change = TokenChange { label: Patch::Value("CI".to_owned()), ..TokenChange::default() };
    let update = AccessTokenUpdate { by: by.clone(), id: token, change };
    let change = RoleChange { to: TeamRole::Administrator, satisfied_by: &[] };
    let promote = TeamMemberSetRole { by: by.clone(), organization: acme.id, user: member, change };
    let days = AuditLogRetentionSet { by: by.clone(), organization: acme.id, days: app.audit_days_of(30) };
    let forget = CustomerDelete { by: by.clone(), customer: CustomerRef::Id(customer), anonymize: true };
    let all = AuditFilter::default();
    let offer = OwnershipOffer { by: by.clone(), organization: acme.id, to: member };
    let rule = PasskeyRuleSet { by: by.clone(), organization: acme.id, is_required: false };
    let delete = OrganizationDelete { by: by.clone(), id: acme.id, with_sub_accounts: false };
    let outcomes = [
        ("making a token", app.write_as(&by, create).await.map(drop)),
        ("rotating a token", app.write_as(&by, rotate).await.map(drop)),
        ("changing a token", app.write_as(&by, update).await.map(drop)),
        ("making an administrator", app.write_as(&by, promote).await.map(drop)),
        ("shortening the audit log", app.write_as(&by, days).await),
        ("forgetting a customer", app.delete_customer(forget, None).await),
        ("exporting the audit log", app.audit_entries_after(&by, acme.id, all, None).await.map(drop)),
        ("offering the ownership", app.write_as(&by, offer).await.map(drop)),
        ("changing the rule", app.write_as(&by, rule).await),
        ("exporting customers", app.customers_after(&by, acme.id, None).await.map(drop)),
        ("exporting members", app.members_after(&by, acme.id, None).await.map(drop)),
        ("deleting the organization", app.write_as(&by, delete).await.map(drop)),
    ];
    let mut refused = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Err(Error::ProofRequired) => refused.push(name),
            other => other.unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }
    refused
}

#[tokio::test]
async fn what_takes_an_account_away_needs_a_fresh_proof() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let members = format!("/v1/organizations/{}/members/invite", acme.id);
    let member = owner.post(&members, json!({"email": "dev@x.example", "role": "member"})).await.expect(201);
    let member = UserId::new(member["user_id"].as_str().unwrap().parse().unwrap());
    let by = Requester::operator();
    let token = tenantry_app::tokens::TokenCreate {
        by,
        organization: acme.id,
        label: "T".to_owned(),
        scopes: Scopes::everything(),
        expires_in_s: None,
        hash_key: world.app.hash_key().clone(),
    };
    let token = world.app.write(token).await.unwrap().token.id;
    let new = json!({"organization_id": acme.id, "email": "ada@x.example"});
    let customer = owner.post("/v1/customers", new).await.expect(201).id();
    let rows = (token, member, CustomerId::new(customer.parse().unwrap()));
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    world.advance_s(TEN_MINUTES);
    let all = [
        "making a token",
        "rotating a token",
        "changing a token",
        "making an administrator",
        "shortening the audit log",
        "forgetting a customer",
        "exporting the audit log",
        "offering the ownership",
        "changing the rule",
        "exporting customers",
        "exporting members",
        "deleting the organization",
    ];
    assert_eq!(refused(&browser, &acme, rows).await, all);
    confirm(&mut browser, &world, "/console").await.expect(303);
    assert_eq!(refused(&browser, &acme, rows).await, [""; 0]);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn pages_of_an_organization_lead_to_the_proof_and_back() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let new = json!({"comment": "billing", "scopes": ["customers:read"]});
    let made = token.post("/v1/organization-access-tokens", new).await.expect(201);
    let of_token = format!("/tokens/{}", made["organization_access_token"]["id"].as_str().unwrap());
    let new = json!({"url": "https://x.example/hook", "format": "raw", "events": ["customer.created"]});
    let of_webhook =
        format!("/webhooks/{}", token.post("/v1/webhooks/endpoints", new).await.expect(201).id());
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    world.advance_s(TEN_MINUTES);
    let customer = token.post("/v1/customers", json!({"email": "ada@x.example"})).await.expect(201).id();
    let [edit, delete, forget] = [
        format!("{of_token}/edit"),
        format!("/customers/{customer}/delete"),
        format!("/customers/{customer}/forget"),
    ];
    let pages = [
        (edit.as_str(), edit.as_str()),
        (&delete, &delete),
        (&forget, &forget),
        ("/tokens/new", "/tokens/new"),
        ("/team/transfer", "/team/transfer"),
        ("/customers/export.csv", "/customers"),
        ("/audit-log/export.csv", "/audit-log"),
        ("/audit-log/retention", "/audit-log/retention"),
        ("/delete", "/delete"),
        ("/sign-in", "/sign-in"),
    ];
    let forms = [
        format!("{of_token}/rotate"),
        format!("{of_webhook}/secret"),
        "/audit-log/retention".to_owned(),
        "/sign-in".to_owned(),
    ];
    let here = "/console/organizations/acme";
    let to = |back: &str| format!("/console/step-up?next={here}{back}");
    for (page, back) in pages {
        let asked = browser.get(&format!("{here}{page}")).await.expect(303);
        assert_eq!(asked.header("location"), Some(to(back).as_str()), "{page}");
    }
    // A form goes along to the proof.
    for form in &forms {
        let asked = browser.post(&format!("{here}{form}"), &[]).await.expect(307);
        assert_eq!(asked.header("location"), Some(to(form).as_str()), "{form}");
    }
    let back = format!("{here}/tokens/new");
    let confirmed = confirm(&mut browser, &world, &back).await.expect(303);
    assert_eq!(confirmed.header("location"), Some(back.as_str()));
    for (page, back) in pages {
        browser.get(&format!("{here}{back}")).await.expect(200);
        browser.get(&format!("{here}{page}")).await.expect(200);
    }
    for form in &forms[..2] {
        browser.post(&format!("{here}{form}"), &[]).await.expect(200);
    }
    assert_eq!(world.findings().await, [""; 0]);
}

/// The value of the field of a page in which the proof keeps a form.
fn kept(page: &tenantry_testkit::Response) -> String {
    let rest = page.text.split("name=\"kept\" value=\"").nth(1).unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

#[tokio::test]
async fn a_form_that_needs_a_proof_goes_on_after_a_code() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    world.advance_s(TEN_MINUTES);
    let invite = "/console/organizations/acme/team/invite";
    let fields =
        [("addresses", "ada@x.example\nkim@x.example"), ("role", "administrator"), ("expires_in", "86400")];
    let asked = browser.post(invite, &fields).await.expect(307);
    let proof = asked.header("location").unwrap().to_owned();
    assert_eq!(proof, format!("/console/step-up?next={invite}"));
    // A browser sends the same form there.
    let page = browser.post(&proof, &fields).await.expect(200);
    assert!(page.text.contains("What you entered is kept"), "{page}");
    let form = kept(&page);
    let page = browser.post("/console/step-up/send", &[("next", invite), ("kept", &form)]).await.expect(200);
    assert_eq!(kept(&page), form);
    let right = code(&world).await;
    let wrong = [("code", other_than(&right)), ("next", invite.to_owned()), ("kept", form.clone())];
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = browser.post("/console/step-up/code", &wrong).await.expect(422);
    assert_eq!(kept(&page), form);
    let confirm = [("code", right.as_str()), ("next", invite), ("kept", form.as_str())];
    let confirmed = browser.post("/console/step-up/code", &confirm).await.expect(307);
    assert_eq!(confirmed.header("location"), Some(invite));
    let invited = browser.post(invite, &confirm).await.expect(200);
    assert!(invited.text.contains("2 people are invited"), "{invited}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_form_that_needs_a_proof_goes_on_after_a_passkey() {
    let world = world();
    let acme = world.organization("acme").await;
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    let token = world.token(&acme, "*").await;
    let new = json!({"url": "https://x.example/hook", "format": "raw", "events": ["customer.created"]});
    let hook = token.post("/v1/webhooks/endpoints", new).await.expect(201).id();
    world.advance_s(TEN_MINUTES);
    // This form has no fields, and its path no page.
    let secret = format!("/console/organizations/acme/webhooks/{hook}/secret");
    let asked = browser.post(&secret, &[]).await.expect(307);
    let page = browser.post(asked.header("location").unwrap(), &[]).await.expect(200);
    assert_eq!(kept(&page), "");
    let options = browser.post("/console/step-up/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    let fields = [("answer", answer.as_str()), ("next", secret.as_str()), ("kept", "")];
    let refused = browser.post("/console/step-up/passkey", &[("answer", "x"), fields[1], fields[2]]).await;
    assert_eq!(kept(&refused.expect(422)), "");
    let options = browser.post("/console/step-up/passkey/options", &[]).await.expect(200);
    let answer = device.get(&options.text);
    let fields = [("answer", answer.as_str()), fields[1], fields[2]];
    let confirmed = browser.post("/console/step-up/passkey", &fields).await.expect(307);
    assert_eq!(confirmed.header("location"), Some(secret.as_str()));
    let shown = browser.post(&secret, &fields).await.expect(200);
    assert!(shown.text.contains("The signing secret of the endpoint"), "{shown}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_form_that_needs_a_proof_goes_on_after_a_recovery_code() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let own = recovery_codes::codes(&add(&mut browser, &mut Authenticator::at(ORIGIN)).await.expect(200));
    let mut stranger = Browser::signed_in(&world, &other.owner).await;
    let theirs = recovery_codes::codes(&add(&mut stranger, &mut Authenticator::at(ORIGIN)).await.expect(200));
    world.advance_s(TEN_MINUTES);
    let invite = "/console/organizations/acme/team/invite";
    let fields = [("addresses", "ada@x.example"), ("role", "administrator"), ("expires_in", "86400")];
    let asked = browser.post(invite, &fields).await.expect(307);
    let page = browser.post(asked.header("location").unwrap(), &fields).await.expect(200);
    let form = kept(&page);
    // The way to the field for the code keeps the form, and so does the way back.
    let way = [("next", invite), ("kept", form.as_str())];
    let by_code = "/console/step-up/recovery-code";
    assert!(page.text.contains(&format!("action=\"{by_code}\"")), "{page}");
    let page = browser.post(by_code, &way).await.expect(200);
    assert_eq!(kept(&page), form);
    assert!(page.text.contains("What you entered is kept"), "{page}");
    let page = browser.post(&format!("/console/step-up?next={invite}"), &way).await.expect(200);
    assert_eq!(kept(&page), form);
    let before = browser.cookies[SESSION].clone();
    for wrong in ["", "0000-0000-0000-0000", &theirs[0]] {
        let page = browser.post(by_code, &[("code", wrong), way[0], way[1]]).await.expect(422);
        assert_eq!(kept(&page), form, "{wrong}");
        assert!(page.text.contains("This code is not right, or it was used."), "{wrong}: {page}");
    }
    let confirm = [("code", own[0].as_str()), way[0], way[1]];
    let confirmed = browser.post(by_code, &confirm).await.expect(307);
    assert_eq!(confirmed.header("location"), Some(invite));
    assert_ne!(browser.cookies[SESSION], before);
    let invited = browser.post(invite, &confirm).await.expect(200);
    assert!(invited.text.contains("1 person is invited"), "{invited}");
    // It is the same session, and the code is used up; that of the stranger is not.
    let sessions = browser.get("/console/sessions").await.expect(200);
    assert_eq!(sessions.text.matches("/end\"").count(), 0, "{sessions}");
    browser.post(by_code, &confirm).await.expect(422);
    let left = browser.get("/console/passkeys").await.expect(200);
    assert!(left.text.contains("9 of 10 are left"), "{left}");
    let theirs = [("code", theirs[0].as_str()), ("next", "/console/passkeys")];
    let led = stranger.post(by_code, &theirs).await.expect(303);
    assert_eq!(led.header("location"), Some("/console/passkeys"));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_token_of_a_person_needs_no_proof() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    world.advance_s(TEN_MINUTES);
    let new = json!({"organization_id": acme.id, "comment": "CI", "scopes": ["customers:read"]});
    owner.post("/v1/organization-access-tokens/", new).await.expect(201);
    owner.get("/v1/customers/export").await.expect(200);
    owner.delete(&format!("/v1/organizations/{}", acme.id)).await.expect(200);
}

#[tokio::test]
async fn an_organization_that_requires_a_passkey_is_hidden_from_sessions_by_code() {
    let world = world();
    let acme = world.organization("acme").await;
    let owner = world.user(&acme.owner, "*").await;
    let members = format!("/v1/organizations/{}/members/invite", acme.id);
    owner.post(&members, json!({"email": "dev@x.example", "role": "member"})).await.expect(201);
    let mut member = Browser::signed_in(&world, "dev@x.example").await;
    let mut by_code = Browser::signed_in(&world, &acme.owner).await;
    let rule = "/console/organizations/acme/sign-in";
    // Nobody shuts oneself out.
    let page = by_code.get(rule).await.expect(200);
    assert!(
        page.text.contains("you would shut yourself out") && !page.text.contains("name=\"required\""),
        "{page}"
    );
    by_code.post(rule, &[("required", "yes")]).await.expect(404);
    // A member does not even see the rule.
    member.get(rule).await.expect(403);
    member.post(rule, &[("required", "yes")]).await.expect(403);
    let (mut browser, mut device) = person(&world, &acme.owner).await;
    browser.post(rule, &[("required", "yes")]).await.expect(303);
    let page = browser.get(rule).await.expect(200);
    assert!(page.text.contains("A passkey is required."), "{page}");
    browser.get("/console/organizations/acme").await.expect(200);
    for browser in [&mut member, &mut by_code] {
        browser.get("/console/organizations/acme").await.expect(404);
        let listed = browser.get("/console/organizations").await.expect(200);
        assert!(listed.text.contains("1 more: confirm with a passkey to see them."), "{listed}");
    }
    // The API is for programs, whose tokens were made before.
    owner.get(&format!("/v1/organizations/{}", acme.id)).await.expect(200);
    // A proof by a passkey shows it.
    let page = by_code.get("/console/step-up?next=/console/organizations").await.expect(200);
    assert!(page.text.contains("Confirm with a passkey"), "{page}");
    confirm_with(&mut by_code, &mut device, "/console/organizations").await.expect(303);
    by_code.get("/console/organizations/acme").await.expect(200);
    // So does the first passkey of somebody who had none.
    add(&mut member, &mut Authenticator::at(ORIGIN)).await.expect(200);
    member.get("/console/organizations/acme").await.expect(200);
    browser.post(rule, &[("required", "no")]).await.expect(303);
    Browser::signed_in(&world, "dev@x.example").await.get("/console/organizations/acme").await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}
