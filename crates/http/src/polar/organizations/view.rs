//! Response types of organizations.

use crate::polar::organizations::wire::{
    CustomerEmailSettingsObject, CustomerPortalSettingsObject, FeatureSettingsObject, ProrationName,
    SocialLinkObject, SubscriptionSettingsObject, TaxBehaviorName, TeamAdmissionName,
};
use crate::wire::Uuid4;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    self, CustomerEmailSettings, CustomerPortalSettings, DisputeSettings, FeatureSettings, Organization,
    OrganizationStatus, ProfileSettings, ProrationBehavior, SocialLink, SubscriptionSettings, TaxBehavior,
    TeamAdmission,
};
use tenantry_core::values::{Country, Currency, EmailAddress, EmbedHost, HttpUrl};

/// Capabilities of the organization.
#[derive(Serialize, JsonSchema)]
pub(super) struct Capabilities {
    pub(super) checkout_payments: bool,
    pub(super) subscription_renewals: bool,
    pub(super) payouts: bool,
    pub(super) refunds: bool,
    pub(super) api_access: bool,
    pub(super) dashboard_access: bool,
}

impl From<OrganizationStatus> for Capabilities {
    fn from(status: OrganizationStatus) -> Self {
        let (payments, access) = match status {
            OrganizationStatus::Created => (false, true),
            OrganizationStatus::Active => (true, true),
            OrganizationStatus::Blocked => (false, false),
        };
        Self {
            checkout_payments: payments,
            subscription_renewals: payments,
            payouts: payments,
            refunds: payments,
            api_access: access,
            dashboard_access: access,
        }
    }
}

/// The notices that the team gets. Deprecated, and the same for every organization.
#[derive(Serialize, JsonSchema)]
pub(super) struct NotificationSettings {
    pub(super) new_order: bool,
    pub(super) new_subscription: bool,
    pub(super) chargeback_prevention: bool,
    pub(super) subscription_renewal: bool,
}

/// An organization: the fields of the 2026-04 document, and those of 2025 beside them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Organization", transform = crate::api::openapi::organization_fields_required)]
pub(crate) struct OrganizationView<'a> {
    /// When the organization was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// Its id; also AhaSend's account id.
    #[schemars(with = "Uuid4")]
    pub(super) id: OrganizationId,
    /// Display name.
    pub(super) name: &'a str,
    /// Name in URLs.
    pub(super) slug: &'a str,
    /// Picture.
    #[schemars(with = "Option<String>")]
    pub(super) avatar_url: Option<&'a HttpUrl>,
    /// The same as in the settings of subscriptions.
    #[schemars(with = "ProrationName")]
    pub(super) proration_behavior: ProrationBehavior,
    /// Whether customers may change their plan in the portal.
    pub(super) allow_customer_updates: bool,
    #[schemars(extend("deprecated" = true))]
    pub(super) bio: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pub(super) company: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pub(super) blog: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pub(super) location: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pub(super) twitter_username: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pub(super) pledge_minimum_amount: i64,
    #[schemars(extend("deprecated" = true))]
    pub(super) pledge_badge_show_amount: bool,
    #[schemars(extend("deprecated" = true))]
    pub(super) default_upfront_split_to_contributors: Option<i64>,
    /// Address for support.
    #[schemars(with = "Option<String>")]
    pub(super) email: Option<&'a EmailAddress>,
    /// Home page.
    #[schemars(with = "Option<String>")]
    pub(super) website: Option<&'a HttpUrl>,
    /// Profiles elsewhere.
    #[schemars(with = "Vec<SocialLinkObject>")]
    pub(super) socials: &'a [SocialLink],
    /// Status of the organization.
    pub(super) status: &'static str,
    /// When the details were first set.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) details_submitted_at: Option<Timestamp>,
    /// Always `null`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) onboarding_resubmission_requested_at: (),
    /// Whether people must sign in through the organization's own identity provider.
    pub(super) sso_enforced: bool,
    /// Currency that prices are shown in.
    #[schemars(with = "String")]
    pub(super) default_presentment_currency: Currency,
    /// Whether prices include tax.
    #[schemars(with = "TaxBehaviorName")]
    pub(super) default_tax_behavior: TaxBehavior,
    /// Features that are enabled.
    #[schemars(with = "Option<FeatureSettingsObject>")]
    pub(super) feature_settings: &'a FeatureSettings,
    /// Settings of subscriptions.
    #[schemars(with = "SubscriptionSettingsObject")]
    pub(super) subscription_settings: &'a SubscriptionSettings,
    /// Mails that customers get.
    #[schemars(with = "CustomerEmailSettingsObject")]
    pub(super) customer_email_settings: &'a CustomerEmailSettings,
    /// Settings of the customer portal.
    #[schemars(with = "CustomerPortalSettingsObject")]
    pub(super) customer_portal_settings: &'a CustomerPortalSettings,
    /// Settings of disputes.
    #[schemars(with = "Value")]
    pub(super) dispute_settings: &'a DisputeSettings,
    /// Hosts that may embed checkouts.
    #[schemars(with = "Vec<String>")]
    pub(super) embed_hosts: &'a [EmbedHost],
    /// Always true.
    pub(super) embed_hosts_enforced: bool,
    /// Country of the business.
    #[schemars(with = "Option<String>")]
    pub(super) country: Option<Country>,
    /// The same as `id`: Tenantry holds no payment accounts.
    #[schemars(with = "Uuid4")]
    pub(super) account_id: OrganizationId,
    /// Always `null`.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) payout_account_id: (),
    /// Capabilities of the organization.
    pub(super) capabilities: Capabilities,
    /// The notices that the team gets.
    pub(super) notification_settings: NotificationSettings,
    /// The public profile page.
    #[schemars(with = "Option<Value>", extend("deprecated" = true))]
    pub(super) profile_settings: Option<&'a ProfileSettings>,
    /// `invitation` when people join the team by accepting an invitation alone. Absent when they can be added.
    #[schemars(with = "Option<TeamAdmissionName>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) team_admission: Option<TeamAdmission>,
}

impl<'a> From<&'a Organization> for OrganizationView<'a> {
    fn from(organization: &'a Organization) -> Self {
        let Organization { id, created_at, modified_at, name, slug, status, profile, .. } = organization;
        let organization::Profile { legacy, .. } = profile;
        Self {
            created_at: *created_at,
            modified_at: *modified_at,
            id: *id,
            name: name.as_str(),
            slug: slug.as_str(),
            avatar_url: profile.avatar_url.as_ref(),
            proration_behavior: profile.subscription_settings.proration_behavior,
            allow_customer_updates: profile.customer_portal_settings.subscription.update_plan,
            bio: legacy.bio.as_deref(),
            company: legacy.company.as_deref(),
            blog: legacy.blog.as_deref(),
            location: legacy.location.as_deref(),
            twitter_username: legacy.twitter_username.as_deref(),
            pledge_minimum_amount: legacy.pledge_minimum_amount,
            pledge_badge_show_amount: legacy.pledge_badge_show_amount,
            default_upfront_split_to_contributors: legacy.default_upfront_split_to_contributors,
            email: profile.email.as_ref(),
            website: profile.website.as_ref(),
            socials: &profile.socials,
            status: status.as_str(),
            details_submitted_at: profile.details_submitted_at,
            onboarding_resubmission_requested_at: (),
            sso_enforced: profile.sso_enforced,
            default_presentment_currency: profile.default_presentment_currency,
            default_tax_behavior: profile.default_tax_behavior,
            feature_settings: &profile.feature_settings,
            subscription_settings: &profile.subscription_settings,
            customer_email_settings: &profile.customer_email_settings,
            customer_portal_settings: &profile.customer_portal_settings,
            dispute_settings: &profile.dispute_settings,
            embed_hosts: &profile.embed_hosts,
            embed_hosts_enforced: true,
            country: profile.country,
            account_id: *id,
            payout_account_id: (),
            capabilities: (*status).into(),
            notification_settings: NotificationSettings {
                new_order: true,
                new_subscription: true,
                chargeback_prevention: true,
                subscription_renewal: false,
            },
            profile_settings: legacy.profile_settings.as_ref(),
            team_admission: Some(profile.team_admission).filter(|admission| admission.is_by_invitation()),
        }
    }
}

/// The answer to a deletion.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationDeletion", transform = crate::api::openapi::all_fields_required)]
pub(super) struct OrganizationDeletionView {
    /// Always true.
    deleted: bool,
    /// Always false: nothing but sub-accounts prevents a deletion.
    requires_support: bool,
    /// Always empty.
    blocked_reasons: [String; 0],
}

impl OrganizationDeletionView {
    /// The organization is deleted.
    pub(super) const DONE: Self = Self { deleted: true, requires_support: false, blocked_reasons: [] };
}
