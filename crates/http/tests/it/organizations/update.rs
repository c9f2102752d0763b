//! `PATCH /v1/organizations/{id}`: every field, in the forms of 2025 and of 2026.

use serde_json::{Value, json};
use tenantry_core::organization::FeatureSettings;

use tenantry_testkit::{Acme, Client, World, changed_fields};

/// Sends the change. Returns the changed fields, without the time of the change.
async fn change(client: &Client<'_>, path: &str, body: Value) -> Value {
    let before = client.get(path).await.expect(200);
    let after = client.patch(path, body).await.expect(200);
    let mut changed = changed_fields(&before.body, &after.body);
    changed.as_object_mut().unwrap().remove("modified_at");
    assert_eq!(client.get(path).await.body, after.body, "what is shown is what is kept");
    changed
}

const PROFILE: &str = "profile_settings";

fn emails(on: bool) -> Value {
    let names = [
        "order_confirmation",
        "payment_method_expiration_reminder",
        "subscription_cancellation",
        "subscription_confirmation",
        "subscription_cycled",
        "subscription_cycled_after_trial",
        "subscription_past_due",
        "subscription_paused",
        "subscription_resumed",
        "subscription_renewal_reminder",
        "subscription_revoked",
        "subscription_trial_conversion_reminder",
        "subscription_uncanceled",
        "subscription_updated",
    ];
    names.into_iter().map(|name| (name.to_owned(), json!(on))).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn a_value_is_kept() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let portal =
        json!({"usage": {"show": false}, "subscription": {"update_seats": true, "update_plan": true}});
    for (field, value) in [
        ("name", json!(" Acme ")),
        ("avatar_url", json!("https://example.com/a.png")),
        ("email", json!("help@acme.example")),
        ("website", json!("https://acme.example/")),
        ("socials", json!([{"platform": "x", "url": "https://x.com/acme"}])),
        ("country", json!("DE")),
        ("customer_email_settings", emails(false)),
        ("customer_portal_settings", portal),
        ("embed_hosts", json!(["example.com", "*.example.org", "localhost:3000"])),
        ("default_presentment_currency", json!("eur")),
        ("default_tax_behavior", json!("inclusive")),
        ("pledge_minimum_amount", json!(-5)),
        ("pledge_badge_show_amount", json!(true)),
        ("default_upfront_split_to_contributors", json!(100)),
    ] {
        assert_eq!(change(&client, &path, json!({field: value})).await, json!({field: value}), "{field}");
    }
}

#[tokio::test]
async fn null_clears_or_leaves() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let cleared = json!({
        "avatar_url": "https://example.com/a.png", "email": "help@acme.example", "website": "https://acme.example/",
        "country": "DE", "default_upfront_split_to_contributors": 7, "profile_settings": {"enabled": true}
    });
    client.patch(&path, cleared.clone()).await.expect(200);
    for field in cleared.as_object().unwrap().keys() {
        assert_eq!(change(&client, &path, json!({field: null})).await, json!({field: null}), "{field}");
    }
    for field in [
        "name",
        "socials",
        "details",
        "feature_settings",
        "subscription_settings",
        "customer_email_settings",
        "customer_portal_settings",
        "dispute_settings",
        "embed_hosts",
        "default_presentment_currency",
        "default_tax_behavior",
        "sso_enforced",
        "pledge_minimum_amount",
        "pledge_badge_show_amount",
        "billing_email",
        "default_badge_custom_content",
        "total_monthly_spending_limit",
        "per_user_monthly_spending_limit",
    ] {
        assert_eq!(change(&client, &path, json!({field: null})).await, json!({}), "{field}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_ignored() {
    let acme = Acme::new().await;
    let ignored = json!({
        "slug": "other", "status": "blocked", "bio": "x", "company": "x", "blog": "x", "location": "x",
        "twitter_username": "x", "legal_entity": 1, "capabilities": 1, "unknown": {}, "id": "x", "created_at": 1
    });
    assert_eq!(change(&acme.client(), &acme.path_v1(), ignored).await, json!({}));
}

#[tokio::test]
async fn a_field_of_another_form_is_refused() {
    let acme = Acme::new().await;
    let bounded = |length: usize| json!({"description": "é".repeat(length)});
    for (field, value, fault) in [
        ("name", json!("ab"), "string_too_short body.name"),
        ("name", json!(1), "string_type body.name"),
        ("avatar_url", json!(""), "url_parsing body.avatar_url"),
        ("avatar_url", json!("ftp://example.com"), "url_scheme body.avatar_url"),
        (
            "avatar_url",
            json!(format!("https://example.com/{}", "a".repeat(2083))),
            "url_too_long body.avatar_url",
        ),
        ("avatar_url", json!("https://user:secret@example.com/a.png"), "value_error body.avatar_url"),
        ("email", json!("nobody"), "value_error body.email"),
        ("website", json!("acme"), "url_parsing body.website"),
        ("website", json!(1), "url_type body.website"),
        ("socials", json!({}), "list_type body.socials"),
        ("socials", json!([1]), "model_attributes_type body.socials.0"),
        ("socials", json!([{"platform": "x"}]), "missing body.socials.0.url"),
        ("details", json!([]), "model_attributes_type body.details"),
        (
            "details",
            json!({"future_annual_revenue": -1}),
            "greater_than_equal body.details.future_annual_revenue",
        ),
        ("details", json!({"switching_from": "x"}), "literal_error body.details.switching_from"),
        ("country", json!("us"), "enum body.country"),
        ("country", json!("KP"), "enum body.country"),
        (
            "feature_settings",
            json!({"member_model_enabled": "maybe"}),
            "bool_parsing body.feature_settings.member_model_enabled",
        ),
        ("customer_portal_settings", json!({}), "missing body.customer_portal_settings.usage"),
        (
            "dispute_settings",
            json!({"auto_accept_below_amount": 10_001}),
            "less_than_equal body.dispute_settings.auto_accept_below_amount",
        ),
        ("default_presentment_currency", json!("EUR"), "enum body.default_presentment_currency"),
        ("default_tax_behavior", json!("x"), "enum body.default_tax_behavior"),
        ("sso_enforced", json!([]), "bool_type body.sso_enforced"),
        ("pledge_minimum_amount", json!(1.5), "int_from_float body.pledge_minimum_amount"),
        ("pledge_badge_show_amount", json!({}), "bool_type body.pledge_badge_show_amount"),
        (
            "default_upfront_split_to_contributors",
            json!(101),
            "less_than_equal body.default_upfront_split_to_contributors",
        ),
        (
            "default_upfront_split_to_contributors",
            json!(-1),
            "greater_than_equal body.default_upfront_split_to_contributors",
        ),
        ("billing_email", json!(1), "string_type body.billing_email"),
        ("default_badge_custom_content", json!("a\0"), "value_error body.default_badge_custom_content"),
        ("total_monthly_spending_limit", json!("x"), "int_parsing body.total_monthly_spending_limit"),
        (PROFILE, bounded(161), "string_too_long body.profile_settings.description"),
        (PROFILE, json!({"links": ["x"]}), "url_parsing body.profile_settings.links.0"),
        (
            PROFILE,
            json!({"featured_projects": ["x"]}),
            "uuid_parsing body.profile_settings.featured_projects.0",
        ),
        (PROFILE, json!(1), "model_attributes_type body.profile_settings"),
    ] {
        let answer = acme.client().patch(&acme.path_v1(), json!({field: value})).await;
        assert!(answer.violations().contains(&fault.to_owned()), "{field}: {:?}", answer.violations());
    }
    acme.client().patch(&acme.path_v1(), json!({PROFILE: bounded(160)})).await.expect(200);
}

#[tokio::test]
async fn hosts_that_embed_are_names_and_few() {
    let acme = Acme::new().await;
    let hosts: Vec<_> = (0..100).map(|number| format!("{number:03}-{}.dev", "a".repeat(22))).collect();
    for hosts in [json!(["https://example.com"]), json!(["javascript://example"]), json!(hosts)] {
        let answer = acme.client().patch(&acme.path_v1(), json!({"embed_hosts": hosts})).await;
        assert_eq!(answer.violations(), ["value_error body.embed_hosts"], "{hosts}");
    }
}

#[tokio::test]
async fn the_url_determines_the_platform() {
    let acme = Acme::new().await;
    for (url, platform) in [
        ("https://x.com/a", "x"),
        ("https://www.twitter.com/a", "x"),
        ("https://github.com/a", "github"),
        ("https://gist.github.com/a", "other"),
        ("https://fb.com/a", "facebook"),
        ("https://youtu.be/a", "youtube"),
        ("https://www.instagram.com/a", "instagram"),
        ("https://tiktok.com/@a", "tiktok"),
        ("https://threads.net/a", "threads"),
        ("https://linkedin.com/in/a", "linkedin"),
        ("https://discord.gg/a", "discord"),
        ("https://mastodon.social/@a", "other"),
    ] {
        let body = json!({"socials": [{"platform": "no such platform", "url": url}]});
        let answer = acme.client().patch(&acme.path_v1(), body).await.expect(200);
        assert_eq!(answer["socials"], json!([{"platform": platform, "url": url}]));
    }
    let without = acme.client().patch(&acme.path_v1(), json!({"socials": [{"platform": "king"}]})).await;
    assert_eq!(without.violations(), ["enum body.socials.0.platform", "missing body.socials.0.url"]);
    let bare = acme.client().patch(&acme.path_v1(), json!({"socials": [{"url": "https://x.com/b"}]})).await;
    assert_eq!(bare.expect(200)["socials"][0]["platform"], json!("x"));
}

#[tokio::test]
async fn subscription_settings_of_2025_and_of_2026() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let five = json!({
        "allow_multiple_subscriptions": true, "proration_behavior": "invoice", "benefit_revocation_grace_period": 7,
        "prevent_trial_abuse": true, "allow_customer_updates": false
    });
    let changed = change(&client, &path, json!({"subscription_settings": five})).await;
    assert_eq!(
        (&changed["subscription_settings"], &changed["proration_behavior"]),
        (&five, &json!("invoice"))
    );
    let three = json!({"allow_multiple_subscriptions": false, "allow_customer_updates": true, "proration_behavior": "prorate"});
    let changed = change(&client, &path, json!({"subscription_settings": three})).await;
    let mut merged = five.clone();
    merged.as_object_mut().unwrap().extend(three.as_object().unwrap().clone());
    assert_eq!(changed["subscription_settings"], merged, "what 2025 does not know stays");
    for (body, faults) in [
        (json!({}), 5),
        (json!({"allow_multiple_subscriptions": true, "proration_behavior": "prorate"}), 3),
        (
            json!({"allow_multiple_subscriptions": true, "allow_customer_updates": true, "proration_behavior": "x"}),
            1,
        ),
    ] {
        assert_eq!(
            client.patch(&path, json!({"subscription_settings": body})).await.violations().len(),
            faults,
            "{body}"
        );
    }
    let mut reset = five;
    reset["proration_behavior"] = json!("reset");
    let answer = client.patch(&path, json!({"subscription_settings": reset})).await;
    assert_eq!(answer.violations(), ["value_error body.subscription_settings.proration_behavior"]);
}

#[tokio::test]
async fn features_are_merged_and_guarded() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let set = async |features: Value| client.patch(&path, json!({"feature_settings": features})).await;
    let own = json!({"checkout_localization_enabled": true, "overview_metrics": ["a"], "disputes_enabled": true, "sso_enabled": true});
    let after = set(own).await.expect(200);
    for (name, value) in [
        ("checkout_localization_enabled", json!(true)),
        ("overview_metrics", json!(["a"])),
        ("disputes_enabled", json!(false)),
        ("sso_enabled", json!(false)),
        ("member_model_enabled", json!(true)),
    ] {
        assert_eq!(after["feature_settings"][name], value, "{name}");
    }
    let kept =
        set(json!({"checkout_localization_enabled": null, "overview_metrics": true})).await.expect(200);
    assert_eq!(kept["feature_settings"], after["feature_settings"]);
    let seats = "value_error body.feature_settings.seat_based_pricing_enabled";
    assert_eq!(set(json!({"seat_based_pricing_enabled": false})).await.violations(), [seats]);

    let world = World::new();
    let tenant = world.organization_with("plain", FeatureSettings::default()).await;
    let (client, path) = (world.token(&tenant, "*").await, format!("/v1/organizations/{}", tenant.id));
    let set = async |features: Value| client.patch(&path, json!({"feature_settings": features})).await;
    assert_eq!(set(json!({"seat_based_pricing_enabled": true})).await.violations(), [seats]);
    set(json!({"seat_based_pricing_enabled": true, "member_model_enabled": true})).await.expect(200);
    set(json!({"member_model_enabled": false, "issue_funding_enabled": true})).await.expect(200);
}

#[tokio::test]
async fn disputes_and_single_sign_on_need_more_than_a_wish() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let disputes = |amount: Value| json!({"dispute_settings": {"auto_accept_below_amount": amount}});
    let refused = client.patch(&path, disputes(json!(2500))).await.expect(403);
    assert_eq!(refused["error"], json!("DisputeAutoAcceptNotEnabled"));
    client.patch(&path, disputes(json!(null))).await.expect(200);
    client.patch(&path, json!({"sso_enforced": false})).await.expect(200);
    assert_eq!(
        client.patch(&path, json!({"sso_enforced": true})).await.expect(403)["error"],
        json!("NotPermitted")
    );

    let world = World::new();
    let features = FeatureSettings {
        disputes_enabled: true,
        dispute_auto_accept_enabled: true,
        ..FeatureSettings::for_new_organization()
    };
    let tenant = world.organization_with("disputed", features).await;
    let (client, path) = (world.token(&tenant, "*").await, format!("/v1/organizations/{}", tenant.id));
    let amount = async |body: Value| {
        client.patch(&path, body).await.expect(200)["dispute_settings"]["auto_accept_below_amount"].clone()
    };
    assert_eq!(amount(disputes(json!(10_000))).await, json!(10_000));
    assert_eq!(amount(json!({"dispute_settings": {}})).await, json!(10_000));
    assert_eq!(amount(disputes(json!(null))).await, json!(null));
}

#[tokio::test]
async fn a_limit_per_user_needs_one_in_total() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let (each, total) = ("per_user_monthly_spending_limit", "total_monthly_spending_limit");
    for body in [json!({each: 5}), json!({each: 5, total: 4}), json!({each: 5, total: null})] {
        assert_eq!(client.patch(&path, body).await.violations(), ["value_error body"]);
    }
    client.patch(&path, json!({each: 5, total: 5})).await.expect(200);
    assert_eq!(client.patch(&path, json!({total: 4})).await.violations(), ["value_error body"]);
    client.patch(&path, json!({total: null, each: null})).await.expect(200);
}

#[tokio::test]
async fn profile_settings_are_merged() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let first = json!({"enabled": true, "description": "We make anvils", "links": ["https://acme.example"], "accent_color": "#fff"});
    change(&client, &path, json!({PROFILE: first})).await;
    let changed = change(
        &client,
        &path,
        json!({PROFILE: {"subscribe": {"promote": false}, "accent_color": null, "description": " "}}),
    )
    .await;
    assert_eq!(
        changed,
        json!({PROFILE: {
            "enabled": true, "description": null, "featured_projects": null, "featured_organizations": null,
            "links": ["https://acme.example/"], "accent_color": null,
            "subscribe": {"promote": false, "show_count": true, "count_free": true}
        }})
    );
}

#[tokio::test]
async fn details_note_when_they_were_first_given() {
    let acme = Acme::new().await;
    let (client, path) = (acme.client(), acme.path_v1());
    let first = client
        .patch(&path, json!({"details": {"about": "Anvils", "switching": true, "switching_from": "paddle"}}))
        .await;
    assert!(first["details_submitted_at"].is_string());
    assert_eq!(first.body.get("details"), None, "they are private");
    let second = client.patch(&path, json!({"details": {}})).await.expect(200);
    assert_eq!(second["details_submitted_at"], first["details_submitted_at"]);
}
