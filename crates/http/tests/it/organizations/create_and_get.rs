//! `GET` and `POST /v1/organizations`, `GET /v1/organizations/{id}`.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_core::values::SuspensionReason;

use tenantry_testkit::{Acme, World};

const PATH: &str = "/v1/organizations";

#[tokio::test]
async fn the_owner_of_a_suspended_organization_creates_none() {
    let acme = Acme::new().await;
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    let create =
        async |slug: &str| owner.post("/v1/organizations", json!({"name": slug, "slug": slug})).await;
    // A sub-account that its parent suspends bars nobody.
    let child = acme.world.sub_account(&acme.organization, "child").await;
    let child = format!("{}/sub-accounts/{child}/suspend", acme.path_v2());
    acme.client().post(&child, json!({"reason": "late"})).await.expect(200);
    create("first").await.expect(201);
    let reason = SuspensionReason::parse("unpaid").unwrap();
    let suspend = OrganizationSuspend { id: acme.organization.id, reason };
    acme.world.app.write(suspend).await.unwrap();
    let refused = create("second").await.expect(403);
    assert_eq!(refused["error"], json!("NotPermitted"));
    assert!(refused["detail"].as_str().unwrap().contains("is suspended"), "{refused}");
    let reopen = OrganizationUnsuspend { id: acme.organization.id };
    acme.world.app.write(reopen).await.unwrap();
    create("second").await.expect(201);
}

#[tokio::test]
async fn a_new_organization() {
    let acme = Acme::new().await;
    let seen = acme.client().get(&acme.path_v1()).await.expect(200);
    let short: Vec<String> = seen
        .body
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| !value.is_object())
        .map(|(key, value)| format!("{key}: {value}"))
        .filter(|line| !line.contains("2026-01-01T") && !line.contains(&acme.organization.id.to_string()))
        .collect();
    assert_snapshot!(short.join("\n"), @r#"
    modified_at: null
    name: "acme"
    slug: "acme"
    avatar_url: null
    proration_behavior: "prorate"
    allow_customer_updates: true
    bio: null
    company: null
    blog: null
    location: null
    twitter_username: null
    pledge_minimum_amount: 2000
    pledge_badge_show_amount: false
    default_upfront_split_to_contributors: null
    email: null
    website: null
    socials: []
    status: "active"
    details_submitted_at: null
    onboarding_resubmission_requested_at: null
    sso_enforced: false
    default_presentment_currency: "usd"
    default_tax_behavior: "location"
    embed_hosts: []
    embed_hosts_enforced: true
    country: null
    payout_account_id: null
    profile_settings: null
    "#);
    assert_eq!(seen["account_id"], json!(acme.organization.id));
}

#[tokio::test]
async fn the_list_shows_the_organizations_of_the_caller() {
    let world = World::new();
    let (first, second) = (world.organization("first").await, world.organization("second").await);
    let token = world.token(&first, "organizations:read").await;
    assert_eq!(token.get(PATH).await.expect(200).each("slug"), ["first"]);
    assert_eq!(
        token.get(&format!("{PATH}?slug=second")).await.expect(200)["pagination"],
        json!({"total_count": 0, "max_page": 0})
    );
    let user = world.user(&first.owner, "*").await;
    let join = json!({"email": first.owner, "role": "Analyst"});
    world
        .token(&second, "*")
        .await
        .post(&format!("/v2/accounts/{}/members", second.id), join)
        .await
        .expect(201);
    for (query, found) in [
        ("", vec!["first", "second"]),
        ("sorting=-created_at", vec!["second", "first"]),
        ("sorting=-slug", vec!["second", "first"]),
        ("sorting=name&limit=1&page=2", vec!["second"]),
        ("slug=FIRST", vec!["first"]),
        ("sorting=days_in_status&sorting=next_review_threshold", vec!["first", "second"]),
    ] {
        assert_eq!(user.get(&format!("{PATH}?{query}")).await.expect(200).each("slug"), found, "{query}");
    }
    assert_eq!(user.get(&format!("{PATH}?sorting=id")).await.violations(), ["enum query.sorting.0"]);
}

#[tokio::test]
async fn a_person_creates_an_organization() {
    let world = World::new();
    let user =
        world.user("jane@example.com", "organizations:write accounts:read accounts:members:read").await;
    let body = json!({
        "name": "  Acme, Inc. ", "slug": "Acme-Inc", "email": "help@acme.example", "website": "https://ACME.example",
        "country": "FR", "feature_settings": {"member_model_enabled": false, "seat_based_pricing_enabled": false},
        "default_presentment_currency": "eur", "socials": [{"platform": "x", "url": "https://github.com/acme"}],
        "details": {"about": "Anvils"}, "avatar_url": null, "legal_entity": {"type": "individual"}
    });
    let created = user.post(PATH, body).await.expect(201);
    for (field, value) in [
        ("name", json!("  Acme, Inc. ")),
        ("slug", json!("acme-inc")),
        ("status", json!("created")),
        ("country", json!("FR")),
        ("website", json!("https://acme.example/")),
        ("default_presentment_currency", json!("eur")),
        ("socials", json!([{"platform": "github", "url": "https://github.com/acme"}])),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    assert_eq!(created["feature_settings"]["member_model_enabled"], json!(true), "on from the start");
    assert_eq!(created["feature_settings"]["seat_based_pricing_enabled"], json!(true));
    assert!(created["details_submitted_at"].is_string());
    assert_eq!(user.get(&format!("{PATH}/{}", created.id())).await.expect(200).body, created.body);
    let team = user.get(&format!("/v2/accounts/{}/members", created.id())).await.expect(200);
    assert_eq!(
        (team.each("user_id"), team.each("role")),
        (vec![user.actor().to_string().as_str()], vec!["Administrator"])
    );

    let tenant = world.organization("other").await;
    world.token(&tenant, "*").await.post(PATH, json!({"name": "Acme", "slug": "acme"})).await.expect(401);
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let world = World::new();
    let user = world.user("jane@example.com", "*").await;
    user.post(PATH, json!({"name": "Acme", "slug": "acme"})).await.expect(201);
    let faults = async |body: Value| user.post(PATH, body).await.violations();
    assert_eq!(faults(json!({})).await, ["missing body.name", "missing body.slug"]);
    let taken = user.post(PATH, json!({"name": "Acme", "slug": "ACME"})).await;
    assert_eq!(
        (taken.violations(), &taken["error"]),
        (vec!["value_error body.slug".to_owned()], &json!("PolarRequestValidationError"))
    );
    for slug in ["dashboard", "a_b", "-ab", "ab-", "a--b", "a b c", "porn-shop", "münchen"] {
        assert_eq!(faults(json!({"name": "Acme", "slug": slug})).await, ["value_error body.slug"], "{slug}");
    }
    assert_eq!(faults(json!({"name": "Acme", "slug": "ab"})).await, ["string_too_short body.slug"]);
    assert_eq!(faults(json!({"name": "Acme", "slug": "a".repeat(65)})).await, ["string_too_long body.slug"]);
    assert_eq!(faults(json!({"name": "Ac", "slug": "acme-2"})).await, ["string_too_short body.name"]);
    assert_eq!(faults(json!({"name": "Sex Shop", "slug": "acme-2"})).await, ["value_error body.name"]);
    user.post(PATH, json!({"name": "Essex", "slug": "essex"})).await.expect(201);
}

#[tokio::test]
async fn an_organization_without_access_is_not_found() {
    let world = World::new();
    let (mine, other) = (world.organization("mine").await, world.organization("other").await);
    let token = world.token(&mine, "*").await;
    let unknown = token.get(&format!("{PATH}/0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e")).await.expect(404);
    for answer in [
        token.get(&format!("{PATH}/{}", other.id)).await,
        token.patch(&format!("{PATH}/{}", other.id), json!({"name": "Mine"})).await,
    ] {
        assert_eq!(answer.expect(404).body, unknown.body);
    }
    assert_eq!(token.get(&format!("{PATH}/mine")).await.violations(), ["uuid_parsing path.id"]);
}
