//! Organizations: the effect of every field of an update when it is absent, `null` or a value, and the rules between
//! fields.

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{
    AccountChange, CustomerEmailSettings, CustomerPortalSettings, Details, FeatureSettings,
    FeatureSettingsChange, InitialState, LegacyChange, LegalEntity, NewOrganization, Organization,
    OrganizationChange, OrganizationStatus, OrganizationViolation, PortalCustomer, PortalSubscription,
    PortalUsage, ProfileSettingsChange, ProfileSubscribe, ProrationBehavior, SocialLink,
    SubscriptionSettingsChange, SwitchingFrom, TaxBehavior, TeamAdmission, create, update,
};
use tenantry_core::values::SocialPlatform;
use tenantry_core::{Patch, Timestamp};
use uuid::Uuid;

const CREATED_AT: Timestamp = Timestamp::from_micros(1);
const FIRST: Timestamp = Timestamp::from_micros(2);
const LATER: Timestamp = Timestamp::from_micros(3);

fn new(change: OrganizationChange) -> NewOrganization {
    NewOrganization { name: "Acme".parse().unwrap(), slug: "acme".parse().unwrap(), change }
}

fn created(
    change: OrganizationChange,
    initial: InitialState,
) -> Result<Organization, Vec<OrganizationViolation>> {
    let (id, owner) = (OrganizationId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)));
    create(new(change), initial, id, owner, CREATED_AT)
}

fn usual() -> Organization {
    created(OrganizationChange::default(), InitialState::for_person()).unwrap()
}

fn with(features: FeatureSettings) -> Organization {
    created(OrganizationChange::default(), InitialState::for_operator(features)).unwrap()
}

/// Every feature that the operator can enable.
fn all_features() -> FeatureSettings {
    FeatureSettings {
        reset_proration_behavior_enabled: true,
        disputes_enabled: true,
        dispute_auto_accept_enabled: true,
        ..FeatureSettings::for_new_organization()
    }
}

fn social(url: &str) -> SocialLink {
    SocialLink { platform: SocialPlatform::parse("github").unwrap(), url: url.parse().unwrap() }
}

/// A change of every field to a value that differs from its default. It is written without `..`, so that the compiler
/// demands an entry for a new field.
fn everything() -> OrganizationChange {
    OrganizationChange {
        name: Patch::Value("Acme Two".parse().unwrap()),
        avatar_url: Patch::Value("https://img.example/a.png".parse().unwrap()),
        email: Patch::Value("help@example.com".parse().unwrap()),
        website: Patch::Value("https://www.example/".parse().unwrap()),
        socials: Patch::Value(vec![social("https://github.com/acme")]),
        details: Patch::Value(details("things")),
        country: Patch::Value("FR".parse().unwrap()),
        legal_entity: Patch::Value(LegalEntity::Individual),
        feature_settings: Patch::Value(FeatureSettingsChange {
            issue_funding_enabled: Some(true),
            seat_based_pricing_enabled: Some(true),
            member_model_enabled: Some(true),
            checkout_localization_enabled: Some(true),
            overview_metrics: Some(vec!["orders".to_owned()]),
        }),
        subscription_settings: Patch::Value(SubscriptionSettingsChange {
            allow_multiple_subscriptions: true,
            proration_behavior: ProrationBehavior::Reset,
            benefit_revocation_grace_period: Some(7),
            prevent_trial_abuse: Some(true),
            allow_customer_updates: false,
        }),
        customer_email_settings: Patch::Value(CustomerEmailSettings {
            subscription_paused: false,
            ..CustomerEmailSettings::default()
        }),
        customer_portal_settings: Patch::Value(CustomerPortalSettings {
            usage: PortalUsage { show: false },
            subscription: PortalSubscription { update_seats: false, update_plan: false, pause: Some(true) },
            customer: None,
        }),
        allow_email_change: None,
        dispute_auto_accept_below: Patch::Value(500),
        embed_hosts: Patch::Value(vec!["shop.example".parse().unwrap()]),
        default_presentment_currency: Patch::Value("eur".parse().unwrap()),
        default_tax_behavior: Patch::Value(TaxBehavior::Inclusive),
        sso_enforced: Patch::Value(false),
        portal: tenantry_core::portal::PortalSettingsChange::default(),
        team_admission: Patch::Value(TeamAdmission::Invitation),
        legacy: LegacyChange {
            pledge_minimum_amount: Patch::Value(3000),
            pledge_badge_show_amount: Patch::Value(true),
            default_upfront_split_to_contributors: Patch::Value(50),
            billing_email: Patch::Value("bills".to_owned()),
            default_badge_custom_content: Patch::Value("badge".to_owned()),
            total_monthly_spending_limit: Patch::Value(1000),
            per_user_monthly_spending_limit: Patch::Value(100),
            profile_settings: Patch::Value(profile_settings()),
        },
        account: AccountChange {
            about: Some("about".to_owned()),
            track_opens: Some(false),
            track_clicks: Some(false),
            reject_bad_recipients: Some(false),
            reject_mistyped_recipients: Some(false),
            message_metadata_retention: Some(9),
            message_data_retention: Some(0),
            website_as_sent: Some("https://www.example".to_owned()),
        },
    }
}

fn details(product: &str) -> Details {
    Details {
        product_description: Some(product.to_owned()),
        switching: true,
        switching_from: Some(SwitchingFrom::Paddle),
        ..Details::default()
    }
}

fn profile_settings() -> ProfileSettingsChange {
    ProfileSettingsChange {
        enabled: Patch::Value(true),
        description: Patch::Value("us".to_owned()),
        featured_projects: Patch::Value(vec![Uuid::from_u128(5)]),
        featured_organizations: Patch::Value(vec![Uuid::from_u128(6)]),
        links: Patch::Value(vec!["https://l.example/".parse().unwrap()]),
        subscribe: Patch::Value(ProfileSubscribe { promote: false, ..ProfileSubscribe::default() }),
        accent_color: Patch::Value("red".to_owned()),
    }
}

/// An organization in which every field has been set.
fn full() -> Organization {
    update(&with(all_features()), everything(), FIRST).unwrap()
}

fn image(organization: &Organization) -> Value {
    serde_json::to_value(organization).unwrap()
}

/// The paths at which two images differ. A list counts as one path, and so does an object that only one image has.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
        match (before, after) {
            (Value::Object(a), Value::Object(b)) => {
                let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
                keys.sort_unstable();
                keys.dedup();
                for key in keys {
                    let missing = json!("(missing)");
                    let side = |object: &serde_json::Map<String, Value>| object.get(key).cloned();
                    let (a, b) = (side(a).unwrap_or(missing.clone()), side(b).unwrap_or(missing));
                    walk(&format!("{path}/{key}"), &a, &b, found);
                }
            }
            (a, b) if a != b => found.push(path.to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

/// The paths that a change of the full organization affects, with their new values, without `modified_at`.
fn effect(change: OrganizationChange) -> Vec<(String, Value)> {
    let before = full();
    let after = update(&before, change, LATER).unwrap();
    let (before, after) = (image(&before), image(&after));
    let mut paths = differences(&before, &after);
    let modified = paths.iter().any(|path| path == "/modified_at");
    assert_eq!(modified, !paths.is_empty(), "modified_at changes with a change and only then: {paths:?}");
    paths.retain(|path| path != "/modified_at");
    paths
        .into_iter()
        .map(|path| {
            let value = after.pointer(&path).cloned().unwrap_or(json!("(missing)"));
            (path, value)
        })
        .collect()
}

fn one(path: &str, value: Value) -> Vec<(String, Value)> {
    vec![(path.to_owned(), value)]
}

fn nothing() -> Vec<(String, Value)> {
    Vec::new()
}

#[test]
fn creation_takes_every_field_and_an_empty_change_keeps_every_field() {
    let at_creation = created(everything(), InitialState::for_operator(all_features())).unwrap();
    let updated = full();
    let different = differences(&image(&at_creation), &image(&updated));
    let times = ["/modified_at", "/profile/details_submitted_at", "/profile/onboarded_at"];
    assert_eq!(different, times, "creation and update mean the same by a field");
    let changed = differences(&image(&with(all_features())), &image(&updated));
    assert_eq!(changed.len(), 48, "every field has a value that no default has: {changed:#?}");
    assert_eq!(effect(OrganizationChange::default()), nothing());
}

/// One test for each field: `name: field clears, value => path = shown`. `clears` means that `null` clears the field,
/// `keeps` that it keeps its value.
macro_rules! three_states {
    ($($test:ident: $($field:ident).+ $null:ident, $value:expr => $path:literal = $shown:expr;)+) => {$(
        #[test]
        fn $test() {
            let change = |patch| {
                let mut change = OrganizationChange::default();
                change.$($field).+ = patch;
                change
            };
            assert_eq!(effect(change(Patch::Absent)), nothing());
            assert_eq!(effect(change(Patch::Value($value))), one($path, $shown));
            three_states!(@$null effect(change(Patch::Null)), $path);
        }
    )+};
    (@clears $effect:expr, $path:literal) => { assert_eq!($effect, one($path, Value::Null)) };
    (@keeps $effect:expr, $path:literal) => { assert_eq!($effect, nothing()) };
}

three_states! {
    name: name keeps, "Acme Three".parse().unwrap() => "/name" = json!("Acme Three");
    avatar_url: avatar_url clears, "https://b.example/".parse().unwrap()
        => "/profile/avatar_url" = json!("https://b.example/");
    email: email clears, "b@example.com".parse().unwrap() => "/profile/email" = json!("b@example.com");
    website: website clears, "https://b.example/".parse().unwrap()
        => "/profile/website" = json!("https://b.example/");
    socials: socials keeps, vec![] => "/profile/socials" = json!([]);
    country: country clears, "DE".parse().unwrap() => "/profile/country" = json!("DE");
    customer_email_settings: customer_email_settings keeps, CustomerEmailSettings::default()
        => "/profile/customer_email_settings/subscription_paused" = json!(true);
    dispute_auto_accept_below: dispute_auto_accept_below clears, 0
        => "/profile/dispute_settings/auto_accept_below_amount" = json!(0);
    embed_hosts: embed_hosts keeps, vec![] => "/profile/embed_hosts" = json!([]);
    default_presentment_currency: default_presentment_currency keeps, "gbp".parse().unwrap()
        => "/profile/default_presentment_currency" = json!("gbp");
    default_tax_behavior: default_tax_behavior keeps, TaxBehavior::Exclusive
        => "/profile/default_tax_behavior" = json!("exclusive");
    team_admission: team_admission keeps, TeamAdmission::Direct
        => "/profile/team_admission" = json!("direct");
    pledge_minimum_amount: legacy.pledge_minimum_amount keeps, 1
        => "/profile/legacy/pledge_minimum_amount" = json!(1);
    pledge_badge_show_amount: legacy.pledge_badge_show_amount keeps, false
        => "/profile/legacy/pledge_badge_show_amount" = json!(false);
    default_upfront_split: legacy.default_upfront_split_to_contributors clears, 0
        => "/profile/legacy/default_upfront_split_to_contributors" = json!(0);
    billing_email: legacy.billing_email clears, "b".to_owned() => "/profile/legacy/billing_email" = json!("b");
    default_badge_custom_content: legacy.default_badge_custom_content clears, "b".to_owned()
        => "/profile/legacy/default_badge_custom_content" = json!("b");
    per_user_limit: legacy.per_user_monthly_spending_limit clears, 1000
        => "/profile/legacy/per_user_monthly_spending_limit" = json!(1000);
}

#[test]
fn details_are_replaced_as_a_whole_and_their_first_time_is_kept() {
    let change = |details| OrganizationChange { details, ..OrganizationChange::default() };
    assert_eq!(effect(change(Patch::Null)), nothing());
    let replaced = effect(change(Patch::Value(Details::default())));
    let paths: Vec<&str> = replaced.iter().map(|(path, _)| path.as_str()).collect();
    let expected = ["product_description", "switching", "switching_from"];
    assert_eq!(paths, expected.map(|key| format!("/profile/details/{key}")));
    let (none, first) = (usual(), change(Patch::Value(details("a"))));
    assert_eq!(none.profile.details_submitted_at, None);
    let submitted = update(&none, first, FIRST).unwrap();
    assert_eq!(submitted.profile.details_submitted_at, Some(FIRST));
    let again = update(&submitted, change(Patch::Value(details("b"))), LATER).unwrap();
    assert_eq!(again.profile.details_submitted_at, Some(FIRST));
    let at_creation = created(change(Patch::Value(details("a"))), InitialState::for_person()).unwrap();
    assert_eq!(at_creation.profile.details_submitted_at, Some(CREATED_AT));
}

#[test]
fn features_are_merged() {
    let change = |feature_settings| OrganizationChange { feature_settings, ..OrganizationChange::default() };
    assert_eq!(effect(change(Patch::Null)), nothing());
    assert_eq!(effect(change(Patch::Value(FeatureSettingsChange::default()))), nothing());
    let each = [
        (
            "issue_funding_enabled",
            FeatureSettingsChange { issue_funding_enabled: Some(false), ..Default::default() },
        ),
        (
            "member_model_enabled",
            FeatureSettingsChange { member_model_enabled: Some(false), ..Default::default() },
        ),
        (
            "checkout_localization_enabled",
            FeatureSettingsChange { checkout_localization_enabled: Some(false), ..Default::default() },
        ),
    ];
    for (key, features) in each {
        let path = format!("/profile/feature_settings/{key}");
        assert_eq!(effect(change(Patch::Value(features))), one(&path, json!(false)));
    }
    let metrics = FeatureSettingsChange { overview_metrics: Some(vec![]), ..Default::default() };
    let path = "/profile/feature_settings/overview_metrics";
    assert_eq!(effect(change(Patch::Value(metrics))), one(path, json!([])));
}

#[test]
fn subscription_settings_are_replaced_except_for_fields_that_older_clients_lack() {
    let change =
        |subscription_settings| OrganizationChange { subscription_settings, ..OrganizationChange::default() };
    assert_eq!(effect(change(Patch::Null)), nothing());
    let from_2025 = SubscriptionSettingsChange {
        allow_multiple_subscriptions: false,
        proration_behavior: ProrationBehavior::Invoice,
        benefit_revocation_grace_period: None,
        prevent_trial_abuse: None,
        allow_customer_updates: true,
    };
    let path = |key: &str| format!("/profile/subscription_settings/{key}");
    let three = vec![
        (path("allow_customer_updates"), json!(true)),
        (path("allow_multiple_subscriptions"), json!(false)),
        (path("proration_behavior"), json!("invoice")),
    ];
    assert_eq!(effect(change(Patch::Value(from_2025.clone()))), three);
    let from_2026 = SubscriptionSettingsChange {
        benefit_revocation_grace_period: Some(0),
        prevent_trial_abuse: Some(false),
        ..from_2025
    };
    let five = [
        three,
        vec![
            (path("benefit_revocation_grace_period"), json!(0)),
            (path("prevent_trial_abuse"), json!(false)),
        ],
    ];
    let mut found = effect(change(Patch::Value(from_2026)));
    let mut expected = five.concat();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
}

#[test]
fn portal_settings_are_replaced_as_a_whole() {
    let change = |customer_portal_settings| OrganizationChange {
        customer_portal_settings,
        ..OrganizationChange::default()
    };
    assert_eq!(effect(change(Patch::Null)), nothing());
    let after = update(&full(), change(Patch::Value(CustomerPortalSettings::default())), LATER).unwrap();
    assert_eq!(after.profile.customer_portal_settings, CustomerPortalSettings::default());
}

#[test]
fn the_switch_of_the_change_of_address_leaves_the_other_portal_settings() {
    let change = |allow_email_change| OrganizationChange { allow_email_change, ..Default::default() };
    assert_eq!(effect(change(None)), nothing());
    for allowed in [true, false] {
        let after = update(&full(), change(Some(allowed)), LATER).unwrap().profile.customer_portal_settings;
        let before = full().profile.customer_portal_settings;
        let customer = Some(PortalCustomer { allow_email_change: Some(allowed) });
        assert_eq!(after, CustomerPortalSettings { customer, ..before });
    }
}

#[test]
fn the_public_profile_is_merged_key_by_key_and_cleared_by_null() {
    let change = |settings: Patch<ProfileSettingsChange>| OrganizationChange {
        legacy: LegacyChange { profile_settings: settings, ..LegacyChange::default() },
        ..OrganizationChange::default()
    };
    let path = |key: &str| format!("/profile/legacy/profile_settings/{key}");
    assert_eq!(effect(change(Patch::Null)), one("/profile/legacy/profile_settings", Value::Null));
    assert_eq!(effect(change(Patch::Value(ProfileSettingsChange::default()))), nothing());
    let nulls = ProfileSettingsChange {
        enabled: Patch::Null,
        description: Patch::Null,
        featured_projects: Patch::Null,
        featured_organizations: Patch::Null,
        links: Patch::Null,
        subscribe: Patch::Null,
        accent_color: Patch::Null,
    };
    let cleared: Vec<_> =
        ["accent_color", "description", "enabled", "featured_organizations", "featured_projects", "links"]
            .into_iter()
            .map(|key| (path(key), Value::Null))
            .collect();
    assert_eq!(effect(change(Patch::Value(nulls))), cleared);
    let colour =
        ProfileSettingsChange { accent_color: Patch::Value("blue".to_owned()), ..Default::default() };
    assert_eq!(effect(change(Patch::Value(colour.clone()))), one(&path("accent_color"), json!("blue")));
    // The first key of a change creates the profile page.
    let made = update(&usual(), change(Patch::Value(colour)), FIRST).unwrap();
    assert_eq!(made.profile.legacy.profile_settings.unwrap().accent_color.as_deref(), Some("blue"));
}

#[test]
fn account_fields_are_taken_one_by_one() {
    let account = everything().account;
    let AccountChange {
        about,
        track_opens,
        track_clicks,
        reject_bad_recipients,
        reject_mistyped_recipients,
        message_metadata_retention,
        message_data_retention,
        website_as_sent,
    } = account;
    let none = AccountChange::default;
    let each = [
        ("about", AccountChange { about, ..none() }),
        ("track_opens", AccountChange { track_opens, ..none() }),
        ("track_clicks", AccountChange { track_clicks, ..none() }),
        ("reject_bad_recipients", AccountChange { reject_bad_recipients, ..none() }),
        ("reject_mistyped_recipients", AccountChange { reject_mistyped_recipients, ..none() }),
        ("message_metadata_retention", AccountChange { message_metadata_retention, ..none() }),
        ("message_data_retention", AccountChange { message_data_retention, ..none() }),
        ("website_as_sent", AccountChange { website_as_sent, ..none() }),
    ];
    let named = OrganizationChange { name: everything().name, ..OrganizationChange::default() };
    let before = update(&usual(), named, FIRST).unwrap();
    for (key, account) in each {
        let change = OrganizationChange { account, ..OrganizationChange::default() };
        let after = update(&before, change, LATER).unwrap();
        let expected = ["/modified_at".to_owned(), format!("/profile/account/{key}")];
        assert_eq!(differences(&image(&before), &image(&after)), expected);
    }
}

#[test]
fn an_update_without_a_change_changes_nothing() {
    let new = usual();
    let same_name =
        OrganizationChange { name: Patch::Value(new.name.clone()), ..OrganizationChange::default() };
    for change in [OrganizationChange::default(), same_name] {
        assert_eq!(update(&new, change, FIRST), Ok(new.clone()));
    }
}

#[test]
fn the_first_change_sets_the_time_of_onboarding() {
    let named = |name: &str| OrganizationChange {
        name: Patch::Value(name.parse().unwrap()),
        ..OrganizationChange::default()
    };
    let first = update(&usual(), named("Acme Two"), FIRST).unwrap();
    assert_eq!((first.profile.onboarded_at, first.modified_at), (Some(FIRST), Some(FIRST)));
    let second = update(&first, named("Acme Three"), LATER).unwrap();
    assert_eq!((second.profile.onboarded_at, second.modified_at), (Some(FIRST), Some(LATER)));
}

#[test]
fn the_creator_determines_status_and_features() {
    let by_person = usual();
    assert_eq!(by_person.status, OrganizationStatus::Created);
    assert_eq!(by_person.profile.feature_settings, FeatureSettings::for_new_organization());
    let by_operator = with(FeatureSettings::default());
    assert_eq!(by_operator.status, OrganizationStatus::Active);
    assert!(!by_operator.members_enabled());
    assert!(by_person.members_enabled());
}

#[test]
fn features_of_a_new_organization_cannot_be_disabled_at_creation() {
    let off = FeatureSettingsChange {
        seat_based_pricing_enabled: Some(false),
        member_model_enabled: Some(false),
        ..FeatureSettingsChange::default()
    };
    let change = OrganizationChange { feature_settings: Patch::Value(off), ..OrganizationChange::default() };
    let organization = created(change, InitialState::for_person()).unwrap();
    assert_eq!(organization.profile.feature_settings, FeatureSettings::for_new_organization());
}

#[test]
fn a_proration_by_reset_needs_its_feature() {
    let change = || OrganizationChange {
        subscription_settings: everything().subscription_settings,
        ..OrganizationChange::default()
    };
    assert_eq!(update(&usual(), change(), FIRST), Err(vec![OrganizationViolation::ResetNotEnabled]));
    assert!(update(&with(all_features()), change(), FIRST).is_ok());
}

#[test]
fn automatic_acceptance_of_disputes_needs_both_features() {
    for (disputes_enabled, dispute_auto_accept_enabled) in
        [(false, false), (false, true), (true, false), (true, true)]
    {
        let features = FeatureSettings {
            disputes_enabled,
            dispute_auto_accept_enabled,
            ..FeatureSettings::for_new_organization()
        };
        let change = |dispute_auto_accept_below| OrganizationChange {
            dispute_auto_accept_below,
            ..OrganizationChange::default()
        };
        let outcome = update(&with(features.clone()), change(Patch::Value(1)), FIRST);
        if disputes_enabled && dispute_auto_accept_enabled {
            assert!(outcome.is_ok());
        } else {
            assert_eq!(outcome, Err(vec![OrganizationViolation::DisputeAutoAcceptNotEnabled]));
        }
        assert!(update(&with(features), change(Patch::Null), FIRST).is_ok());
    }
}

#[test]
fn single_sign_on_cannot_be_enforced_yet() {
    let change = |sso_enforced| OrganizationChange { sso_enforced, ..OrganizationChange::default() };
    let refused = update(&usual(), change(Patch::Value(true)), FIRST);
    assert_eq!(refused, Err(vec![OrganizationViolation::SsoNotVerified]));
    let mut enforced = full();
    enforced.profile.sso_enforced = true;
    for kept in [Patch::Absent, Patch::Null, Patch::Value(true)] {
        assert_eq!(update(&enforced, change(kept), LATER), Ok(enforced.clone()));
    }
    assert!(!update(&enforced, change(Patch::Value(false)), LATER).unwrap().profile.sso_enforced);
}

#[test]
fn all_violations_are_reported_at_once() {
    let change = OrganizationChange {
        feature_settings: Patch::Value(FeatureSettingsChange {
            seat_based_pricing_enabled: Some(false),
            ..FeatureSettingsChange::default()
        }),
        subscription_settings: everything().subscription_settings,
        dispute_auto_accept_below: Patch::Value(1),
        sso_enforced: Patch::Value(true),
        legacy: LegacyChange { per_user_monthly_spending_limit: Patch::Value(1), ..LegacyChange::default() },
        ..OrganizationChange::default()
    };
    let expected = vec![
        OrganizationViolation::SeatsCannotBeDisabled,
        OrganizationViolation::ResetNotEnabled,
        OrganizationViolation::DisputeAutoAcceptNotEnabled,
        OrganizationViolation::SsoNotVerified,
        OrganizationViolation::LimitNeedsTotal,
    ];
    assert_eq!(update(&usual(), change, FIRST), Err(expected));
}

fn limit() -> impl Strategy<Value = Patch<i64>> {
    prop_oneof![2 => Just(Patch::Absent), 1 => Just(Patch::Null), 3 => (0_i64..4).prop_map(Patch::Value)]
}

fn settled(patch: &Patch<i64>, before: Option<i64>) -> Option<i64> {
    match patch {
        Patch::Absent => before,
        Patch::Null => None,
        Patch::Value(value) => Some(*value),
    }
}

proptest! {
    #[test]
    fn seats_stay_on_and_need_members(
        seats: bool,
        members: bool,
        steps in prop::collection::vec((any::<Option<bool>>(), any::<Option<bool>>()), 1..10),
    ) {
        let features = FeatureSettings {
            seat_based_pricing_enabled: seats,
            member_model_enabled: members,
            ..FeatureSettings::default()
        };
        let mut organization = with(features);
        for (seats, members) in steps {
            let before = organization.profile.feature_settings.clone();
            let change = OrganizationChange {
                feature_settings: Patch::Value(FeatureSettingsChange {
                    seat_based_pricing_enabled: seats,
                    member_model_enabled: members,
                    ..FeatureSettingsChange::default()
                }),
                ..OrganizationChange::default()
            };
            let had = before.seat_based_pricing_enabled;
            let has = seats.unwrap_or(had);
            let has_members = members.unwrap_or(before.member_model_enabled);
            let outcome = update(&organization, change, FIRST);
            if had && !has {
                prop_assert_eq!(outcome, Err(vec![OrganizationViolation::SeatsCannotBeDisabled]));
            } else if !had && has && !has_members {
                prop_assert_eq!(outcome, Err(vec![OrganizationViolation::SeatsNeedMembers]));
            } else {
                organization = outcome.unwrap();
                let after = &organization.profile.feature_settings;
                prop_assert_eq!(after.seat_based_pricing_enabled, has);
                prop_assert_eq!(after.member_model_enabled, has_members);
                prop_assert_eq!(organization.members_enabled(), has || has_members);
            }
        }
    }

    #[test]
    fn a_limit_per_user_lies_within_the_total(
        steps in prop::collection::vec((limit(), limit()), 1..12),
    ) {
        let mut organization = usual();
        for (each, total) in steps {
            let legacy = &organization.profile.legacy;
            let after = (
                settled(&each, legacy.per_user_monthly_spending_limit),
                settled(&total, legacy.total_monthly_spending_limit),
            );
            let change = OrganizationChange {
                legacy: LegacyChange {
                    per_user_monthly_spending_limit: each,
                    total_monthly_spending_limit: total,
                    ..LegacyChange::default()
                },
                ..OrganizationChange::default()
            };
            let outcome = update(&organization, change, FIRST);
            match after {
                (Some(_), None) => {
                    prop_assert_eq!(outcome, Err(vec![OrganizationViolation::LimitNeedsTotal]));
                }
                (Some(each), Some(total)) if each > total => {
                    prop_assert_eq!(outcome, Err(vec![OrganizationViolation::LimitAboveTotal]));
                }
                (each, total) => {
                    organization = outcome.unwrap();
                    let legacy = &organization.profile.legacy;
                    prop_assert_eq!(legacy.per_user_monthly_spending_limit, each);
                    prop_assert_eq!(legacy.total_monthly_spending_limit, total);
                }
            }
        }
    }

    #[test]
    fn a_serialized_profile_parses_to_itself(seats: bool, each in limit(), total in limit()) {
        let mut organization = if seats { full() } else { usual() };
        organization.profile.legacy.per_user_monthly_spending_limit = settled(&each, None);
        organization.profile.legacy.total_monthly_spending_limit = settled(&total, None);
        let json = serde_json::to_string(&organization.profile).unwrap();
        let back: tenantry_core::organization::Profile = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back, organization.profile);
    }
}
