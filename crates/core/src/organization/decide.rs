//! The rules for creating and changing organizations (docs/contracts/polar/organizations.md, 2).

use super::{
    AccountSettings, CustomerEmailSettings, CustomerPortalSettings, Details, FeatureSettings,
    FeatureSettingsChange, LegacySettings, LegalEntity, Organization, OrganizationStatus, PortalCustomer,
    Profile, ProfileSettings, ProfileSettingsChange, ProrationBehavior, SocialLink,
    SubscriptionSettingsChange, TaxBehavior, TeamAdmission,
};
use crate::ids::{OrganizationId, UserId};
use crate::portal::PortalSettingsChange;
use crate::values::{Country, Currency, EmailAddress, EmbedHost, HttpUrl, OrganizationName, Slug};
use crate::{Patch, Timestamp};

/// The fields of a new organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrganization {
    /// Display name.
    pub name: OrganizationName,
    /// Name in URLs.
    pub slug: Slug,
    /// All other fields. The rules of an update apply to them.
    pub change: OrganizationChange,
}

/// One reason for a refused creation or change of an organization.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationViolation {
    /// Another organization has the slug, or had it before its deletion.
    #[error("the slug is taken")]
    SlugTaken(Slug),
    /// Seat-based pricing cannot be disabled again.
    #[error("seat-based pricing cannot be disabled")]
    SeatsCannotBeDisabled,
    /// Seat-based pricing needs the member model.
    #[error("seat-based pricing needs the member model")]
    SeatsNeedMembers,
    /// The proration behaviour `reset` needs its feature.
    #[error("the proration behaviour 'reset' is not enabled for this organization")]
    ResetNotEnabled,
    /// A limit per user needs a total limit.
    #[error("a limit per user needs a total limit")]
    LimitNeedsTotal,
    /// A limit per user cannot exceed the total limit.
    #[error("a limit per user cannot exceed the total limit")]
    LimitAboveTotal,
    /// Automatic acceptance of disputes needs its two features.
    #[error("automatic acceptance of disputes is not enabled for this organization")]
    DisputeAutoAcceptNotEnabled,
    /// Single sign-on can be enforced only from a session that was signed in through it.
    #[error("single sign-on can be enforced only from a session that was signed in through it")]
    SsoNotVerified,
}

/// The status and the features of a new organization. They depend on the creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialState {
    /// Status of the review.
    pub status: OrganizationStatus,
    /// Features that are enabled from the start.
    pub features: FeatureSettings,
}

impl InitialState {
    /// For an organization that a user creates: members and seats are enabled, and the review is pending.
    #[must_use]
    pub fn for_person() -> Self {
        Self {
            status: OrganizationStatus::Created,
            ..Self::for_operator(FeatureSettings::for_new_organization())
        }
    }

    /// For an organization that the operator creates with these features: it needs no review.
    #[must_use]
    pub const fn for_operator(features: FeatureSettings) -> Self {
        Self { status: OrganizationStatus::Active, features }
    }
}

/// Creates an organization.
///
/// # Errors
/// Every rule that its settings violate.
pub fn create(
    new: NewOrganization,
    initial: InitialState,
    id: OrganizationId,
    owner: UserId,
    now: Timestamp,
) -> Result<Organization, Vec<OrganizationViolation>> {
    let NewOrganization { name, slug, change } = new;
    let InitialState { status, features } = initial;
    let profile = Profile { feature_settings: features.clone(), ..Profile::default() };
    let mut organization = Organization {
        id,
        parent: None,
        created_at: now,
        modified_at: None,
        name,
        slug,
        status,
        owner,
        suspended: None,
        profile,
    };
    // A feature that is enabled from the start stays enabled, even when the client sends `false`.
    let forced = FeatureSettingsChange {
        member_model_enabled: features.member_model_enabled.then_some(true),
        seat_based_pricing_enabled: features.seat_based_pricing_enabled.then_some(true),
        ..change.feature_settings.clone().value().unwrap_or_default()
    };
    let change = OrganizationChange { feature_settings: Patch::Value(forced), ..change };
    let violations = apply(&mut organization, change, now);
    if violations.is_empty() { Ok(organization) } else { Err(violations) }
}

/// A partial update of an organization, with the fields of both dialects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationChange {
    /// Display name; `null` keeps it.
    pub name: Patch<OrganizationName>,
    /// URL of the picture; cleared by `null`.
    pub avatar_url: Patch<HttpUrl>,
    /// E-mail address for support; cleared by `null`.
    pub email: Patch<EmailAddress>,
    /// Home page; cleared by `null`.
    pub website: Patch<HttpUrl>,
    /// Profiles in social networks; `null` keeps them.
    pub socials: Patch<Vec<SocialLink>>,
    /// Description of the business; `null` keeps it.
    pub details: Patch<Details>,
    /// Country; cleared by `null`.
    pub country: Patch<Country>,
    /// Legal entity; set only at creation.
    pub legal_entity: Patch<LegalEntity>,
    /// Features: merged with the current ones; `null` keeps them.
    pub feature_settings: Patch<FeatureSettingsChange>,
    /// Settings of subscriptions: replaced as a whole; `null` keeps them.
    pub subscription_settings: Patch<SubscriptionSettingsChange>,
    /// Mails to customers: replaced as a whole; `null` keeps them.
    pub customer_email_settings: Patch<CustomerEmailSettings>,
    /// Settings of the portal: replaced as a whole; `null` keeps them.
    pub customer_portal_settings: Patch<CustomerPortalSettings>,
    /// Whether customers can change their address in the portal. The other settings of the portal stay.
    pub allow_email_change: Option<bool>,
    /// Amount in US cents below which disputes are accepted automatically; cleared by `null`.
    pub dispute_auto_accept_below: Patch<i64>,
    /// Hosts that may embed a checkout: replaced as a whole; `null` keeps them.
    pub embed_hosts: Patch<Vec<EmbedHost>>,
    /// Currency of prices; `null` keeps it.
    pub default_presentment_currency: Patch<Currency>,
    /// Whether prices include tax; `null` keeps it.
    pub default_tax_behavior: Patch<TaxBehavior>,
    /// Whether single sign-on is enforced; `null` keeps it.
    pub sso_enforced: Patch<bool>,
    /// The way in which people join the team; `null` keeps it.
    pub team_admission: Patch<TeamAdmission>,
    /// Look and sections of the portal.
    pub portal: PortalSettingsChange,
    /// Deprecated fields of the OpenAPI documents of 2024 and 2025.
    pub legacy: LegacyChange,
    /// Fields that only the AhaSend dialect shows.
    pub account: AccountChange,
}

/// A partial update of the deprecated fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LegacyChange {
    /// US cents; `null` keeps it.
    pub pledge_minimum_amount: Patch<i64>,
    /// `null` keeps it.
    pub pledge_badge_show_amount: Patch<bool>,
    /// Per cent; cleared by `null`.
    pub default_upfront_split_to_contributors: Patch<i64>,
    /// Cleared by `null`.
    pub billing_email: Patch<String>,
    /// Cleared by `null`.
    pub default_badge_custom_content: Patch<String>,
    /// US cents; cleared by `null`.
    pub total_monthly_spending_limit: Patch<i64>,
    /// US cents; cleared by `null`.
    pub per_user_monthly_spending_limit: Patch<i64>,
    /// Merged with the current ones; cleared by `null`.
    pub profile_settings: Patch<ProfileSettingsChange>,
}

/// A partial update of AhaSend's fields. An absent field keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Free text.
    pub about: Option<String>,
    /// Tracking of opens.
    pub track_opens: Option<bool>,
    /// Tracking of clicks.
    pub track_clicks: Option<bool>,
    /// Refusal of known bad addresses.
    pub reject_bad_recipients: Option<bool>,
    /// Refusal of mistyped domains.
    pub reject_mistyped_recipients: Option<bool>,
    /// Days, 1 to 30.
    pub message_metadata_retention: Option<i64>,
    /// Days, 0 to 30.
    pub message_data_retention: Option<i64>,
    /// The text of a new website as the client sent it. The website itself is [`OrganizationChange::website`].
    pub website_as_sent: Option<String>,
}

/// Changes an organization. Without an effective change the result equals `before`. The first effective change sets
/// `onboarded_at`.
///
/// # Errors
/// Every rule that the change violates.
pub fn update(
    before: &Organization,
    change: OrganizationChange,
    now: Timestamp,
) -> Result<Organization, Vec<OrganizationViolation>> {
    let mut after = before.clone();
    let violations = apply(&mut after, change, now);
    if !violations.is_empty() {
        return Err(violations);
    }
    if after != *before {
        after.profile.onboarded_at.get_or_insert(now);
        after.modified_at = Some(now);
    }
    Ok(after)
}

fn apply(
    organization: &mut Organization,
    change: OrganizationChange,
    now: Timestamp,
) -> Vec<OrganizationViolation> {
    let OrganizationChange {
        name,
        avatar_url,
        email,
        website,
        socials,
        details,
        country,
        legal_entity,
        feature_settings,
        subscription_settings,
        customer_email_settings,
        customer_portal_settings,
        allow_email_change,
        dispute_auto_accept_below,
        embed_hosts,
        default_presentment_currency,
        default_tax_behavior,
        sso_enforced,
        team_admission,
        portal,
        legacy,
        account,
    } = change;
    let Organization { name: current_name, profile, .. } = organization;
    name.apply_required(current_name);
    avatar_url.apply(&mut profile.avatar_url);
    email.apply(&mut profile.email);
    website.apply(&mut profile.website);
    socials.apply_required(&mut profile.socials);
    if let Patch::Value(details) = details {
        profile.details = details;
        profile.details_submitted_at = profile.details_submitted_at.or(Some(now));
    }
    country.apply(&mut profile.country);
    legal_entity.apply(&mut profile.legal_entity);
    customer_email_settings.apply_required(&mut profile.customer_email_settings);
    customer_portal_settings.apply_required(&mut profile.customer_portal_settings);
    if allow_email_change.is_some() {
        profile.customer_portal_settings.customer = Some(PortalCustomer { allow_email_change });
    }
    embed_hosts.apply_required(&mut profile.embed_hosts);
    default_presentment_currency.apply_required(&mut profile.default_presentment_currency);
    default_tax_behavior.apply_required(&mut profile.default_tax_behavior);
    team_admission.apply_required(&mut profile.team_admission);
    portal.apply(&mut profile.portal);
    apply_account(&mut profile.account, account);
    // Features come first, because later rules depend on them.
    [
        apply_features(&mut profile.feature_settings, feature_settings),
        apply_subscriptions(profile, subscription_settings),
        apply_disputes(profile, dispute_auto_accept_below),
        apply_sso(profile, &sso_enforced),
        apply_legacy(&mut profile.legacy, legacy),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

fn apply_features(
    features: &mut FeatureSettings,
    change: Patch<FeatureSettingsChange>,
) -> Result<(), OrganizationViolation> {
    let Patch::Value(change) = change else { return Ok(()) };
    let FeatureSettingsChange {
        issue_funding_enabled,
        seat_based_pricing_enabled,
        member_model_enabled,
        checkout_localization_enabled,
        overview_metrics,
    } = change;
    let had_seats = features.seat_based_pricing_enabled;
    let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
    set(&mut features.issue_funding_enabled, issue_funding_enabled);
    set(&mut features.seat_based_pricing_enabled, seat_based_pricing_enabled);
    set(&mut features.member_model_enabled, member_model_enabled);
    set(&mut features.checkout_localization_enabled, checkout_localization_enabled);
    if overview_metrics.is_some() {
        features.overview_metrics = overview_metrics;
    }
    match (had_seats, features.seat_based_pricing_enabled) {
        (true, false) => Err(OrganizationViolation::SeatsCannotBeDisabled),
        (false, true) if !features.member_model_enabled => Err(OrganizationViolation::SeatsNeedMembers),
        _ => Ok(()),
    }
}

fn apply_subscriptions(
    profile: &mut Profile,
    change: Patch<SubscriptionSettingsChange>,
) -> Result<(), OrganizationViolation> {
    let Patch::Value(change) = change else { return Ok(()) };
    let SubscriptionSettingsChange {
        allow_multiple_subscriptions,
        proration_behavior,
        benefit_revocation_grace_period,
        prevent_trial_abuse,
        allow_customer_updates,
    } = change;
    let resets = proration_behavior == ProrationBehavior::Reset;
    if resets && !profile.feature_settings.reset_proration_behavior_enabled {
        return Err(OrganizationViolation::ResetNotEnabled);
    }
    let settings = &mut profile.subscription_settings;
    settings.allow_multiple_subscriptions = allow_multiple_subscriptions;
    settings.proration_behavior = proration_behavior;
    settings.allow_customer_updates = allow_customer_updates;
    settings.benefit_revocation_grace_period =
        benefit_revocation_grace_period.unwrap_or(settings.benefit_revocation_grace_period);
    settings.prevent_trial_abuse = prevent_trial_abuse.unwrap_or(settings.prevent_trial_abuse);
    Ok(())
}

fn apply_disputes(profile: &mut Profile, amount: Patch<i64>) -> Result<(), OrganizationViolation> {
    let features = &profile.feature_settings;
    let enabled = features.disputes_enabled && features.dispute_auto_accept_enabled;
    if matches!(amount, Patch::Value(_)) && !enabled {
        return Err(OrganizationViolation::DisputeAutoAcceptNotEnabled);
    }
    amount.apply(&mut profile.dispute_settings.auto_accept_below_amount);
    Ok(())
}

fn apply_sso(profile: &mut Profile, enforced: &Patch<bool>) -> Result<(), OrganizationViolation> {
    match enforced {
        // No session is signed in through an identity provider yet, so no caller can enforce single sign-on.
        Patch::Value(true) if !profile.sso_enforced => Err(OrganizationViolation::SsoNotVerified),
        Patch::Value(value) => {
            profile.sso_enforced = *value;
            Ok(())
        }
        Patch::Absent | Patch::Null => Ok(()),
    }
}

fn apply_legacy(legacy: &mut LegacySettings, change: LegacyChange) -> Result<(), OrganizationViolation> {
    let LegacyChange {
        pledge_minimum_amount,
        pledge_badge_show_amount,
        default_upfront_split_to_contributors,
        billing_email,
        default_badge_custom_content,
        total_monthly_spending_limit,
        per_user_monthly_spending_limit,
        profile_settings,
    } = change;
    pledge_minimum_amount.apply_required(&mut legacy.pledge_minimum_amount);
    pledge_badge_show_amount.apply_required(&mut legacy.pledge_badge_show_amount);
    default_upfront_split_to_contributors.apply(&mut legacy.default_upfront_split_to_contributors);
    billing_email.apply(&mut legacy.billing_email);
    default_badge_custom_content.apply(&mut legacy.default_badge_custom_content);
    total_monthly_spending_limit.apply(&mut legacy.total_monthly_spending_limit);
    per_user_monthly_spending_limit.apply(&mut legacy.per_user_monthly_spending_limit);
    match profile_settings {
        Patch::Absent => {}
        Patch::Null => legacy.profile_settings = None,
        Patch::Value(change) => {
            apply_profile_settings(legacy.profile_settings.get_or_insert_default(), change);
        }
    }
    match (legacy.per_user_monthly_spending_limit, legacy.total_monthly_spending_limit) {
        (Some(_), None) => Err(OrganizationViolation::LimitNeedsTotal),
        (Some(each), Some(total)) if each > total => Err(OrganizationViolation::LimitAboveTotal),
        _ => Ok(()),
    }
}

fn apply_profile_settings(settings: &mut ProfileSettings, change: ProfileSettingsChange) {
    let ProfileSettingsChange {
        enabled,
        description,
        featured_projects,
        featured_organizations,
        links,
        subscribe,
        accent_color,
    } = change;
    enabled.apply(&mut settings.enabled);
    description.apply(&mut settings.description);
    featured_projects.apply(&mut settings.featured_projects);
    featured_organizations.apply(&mut settings.featured_organizations);
    links.apply(&mut settings.links);
    subscribe.apply_required(&mut settings.subscribe);
    accent_color.apply(&mut settings.accent_color);
}

fn apply_account(account: &mut AccountSettings, change: AccountChange) {
    let AccountChange {
        about,
        track_opens,
        track_clicks,
        reject_bad_recipients,
        reject_mistyped_recipients,
        message_metadata_retention,
        message_data_retention,
        website_as_sent,
    } = change;
    if website_as_sent.is_some() {
        account.website_as_sent = website_as_sent;
    }
    account.about = about.unwrap_or_else(|| std::mem::take(&mut account.about));
    let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
    set(&mut account.track_opens, track_opens);
    set(&mut account.track_clicks, track_clicks);
    set(&mut account.reject_bad_recipients, reject_bad_recipients);
    set(&mut account.reject_mistyped_recipients, reject_mistyped_recipients);
    let set = |field: &mut i64, value: Option<i64>| *field = value.unwrap_or(*field);
    set(&mut account.message_metadata_retention, message_metadata_retention);
    set(&mut account.message_data_retention, message_data_retention);
}
