//! The settings of an organization with their defaults (docs/contracts/polar/organizations.md, 2.2 and 12;
//! docs/contracts/ahasend.md, 1.4). Keys are serialized in the order of the published documents.

use serde::{Deserialize, Serialize};

use crate::Patch;
use crate::values::HttpUrl;

/// Defines an enum whose values have names on the wire and in storage.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value's name, in the contract's order.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The value of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// Treatment of the amount due when a subscription changes.
    ProrationBehavior {
        /// Invoice immediately.
        Invoice = "invoice",
        /// Add the prorated amount to the next invoice.
        #[default]
        Prorate = "prorate",
        /// Apply the change in the next period.
        NextPeriod = "next_period",
        /// Start a new period.
        Reset = "reset",
    }
}

named! {
    /// Whether prices include tax.
    TaxBehavior {
        /// By the custom of the buyer's country.
        #[default]
        Location = "location",
        /// Included.
        Inclusive = "inclusive",
        /// Not included.
        Exclusive = "exclusive",
    }
}

named! {
    /// The product that a business used before.
    SwitchingFrom {
        /// Paddle.
        Paddle = "paddle",
        /// Lemon Squeezy.
        LemonSqueezy = "lemon_squeezy",
        /// Gumroad.
        Gumroad = "gumroad",
        /// Stripe.
        Stripe = "stripe",
        /// Another product.
        #[default]
        Other = "other",
    }
}

named! {
    /// The way in which people join the team of an organization.
    TeamAdmission {
        /// They are added, or invited.
        #[default]
        Direct = "direct",
        /// They are invited, and join by accepting.
        Invitation = "invitation",
    }
}

impl TeamAdmission {
    /// Whether nobody is added without accepting an invitation.
    #[must_use]
    pub const fn is_by_invitation(self) -> bool {
        matches!(self, Self::Invitation)
    }
}

/// Defines a group of settings: every field has a default, which also applies to a field that a stored object lacks.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }
    };
}

settings! {
    /// Enabled features.
    FeatureSettings {
        /// Funding of issues, from the document of 2024.
        issue_funding_enabled: bool = false,
        /// Seat-based pricing. It cannot be disabled again.
        seat_based_pricing_enabled: bool = false,
        /// Unit-based pricing.
        unit_based_pricing_enabled: bool = false,
        /// Wallets.
        wallets_enabled: bool = false,
        /// Members of customers.
        member_model_enabled: bool = false,
        /// Checkout in the buyer's language.
        checkout_localization_enabled: bool = false,
        /// Metrics on the overview page, in order.
        overview_metrics: Option<Vec<String>> = None,
        /// Allows [`ProrationBehavior::Reset`].
        reset_proration_behavior_enabled: bool = false,
        /// Charges without the buyer being present.
        off_session_charges_enabled: bool = false,
        /// Reset of meters in each period.
        meter_cycling_enabled: bool = false,
        /// Access to a Slack channel as a benefit.
        slack_benefit_enabled: bool = false,
        /// Access to previews.
        preview_access_enabled: bool = false,
        /// Disputes.
        disputes_enabled: bool = false,
        /// Single sign-on.
        sso_enabled: bool = false,
        /// Automatic acceptance of disputes.
        dispute_auto_accept_enabled: bool = false,
        /// Compass.
        compass_enabled: bool = false,
        /// Migration from another product.
        merchant_migration_enabled: bool = false,
    }
}

impl FeatureSettings {
    /// The features that are enabled in a new organization by default: members and seats.
    #[must_use]
    pub fn for_new_organization() -> Self {
        Self { member_model_enabled: true, seat_based_pricing_enabled: true, ..Self::default() }
    }
}

/// The features that an organization can change itself. An absent feature keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureSettingsChange {
    /// Funding of issues.
    pub issue_funding_enabled: Option<bool>,
    /// Seat-based pricing.
    pub seat_based_pricing_enabled: Option<bool>,
    /// Members of customers.
    pub member_model_enabled: Option<bool>,
    /// Checkout in the buyer's language.
    pub checkout_localization_enabled: Option<bool>,
    /// Metrics on the overview page.
    pub overview_metrics: Option<Vec<String>>,
}

settings! {
    /// Settings of subscriptions.
    SubscriptionSettings {
        /// Whether a customer may hold several subscriptions.
        allow_multiple_subscriptions: bool = false,
        /// Treatment of the amount due when a subscription changes.
        proration_behavior: ProrationBehavior = ProrationBehavior::Prorate,
        /// Days from the last payment until a benefit is revoked.
        benefit_revocation_grace_period: i64 = 0,
        /// Whether a second trial is refused.
        prevent_trial_abuse: bool = false,
        /// Whether customers can change their subscription; deprecated.
        allow_customer_updates: bool = true,
    }
}

/// A replacement of the settings of subscriptions. The documents of 2025 lack two of the fields: an absent one keeps its
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSettingsChange {
    /// Whether a customer may hold several subscriptions.
    pub allow_multiple_subscriptions: bool,
    /// Treatment of the amount due when a subscription changes.
    pub proration_behavior: ProrationBehavior,
    /// Days from the last payment until a benefit is revoked.
    pub benefit_revocation_grace_period: Option<i64>,
    /// Whether a second trial is refused.
    pub prevent_trial_abuse: Option<bool>,
    /// Whether customers can change their subscription.
    pub allow_customer_updates: bool,
}

settings! {
    /// The mails that customers receive.
    CustomerEmailSettings {
        /// After an order.
        order_confirmation: bool = true,
        /// Before a card expires.
        payment_method_expiration_reminder: bool = true,
        /// After a cancellation.
        subscription_cancellation: bool = true,
        /// After a subscription begins.
        subscription_confirmation: bool = true,
        /// After a renewal.
        subscription_cycled: bool = true,
        /// After a trial turns into a subscription.
        subscription_cycled_after_trial: bool = true,
        /// After a failed payment.
        subscription_past_due: bool = true,
        /// After a pause.
        subscription_paused: bool = true,
        /// After a pause ends.
        subscription_resumed: bool = true,
        /// Before a renewal.
        subscription_renewal_reminder: bool = true,
        /// After the end.
        subscription_revoked: bool = true,
        /// Before a trial ends.
        subscription_trial_conversion_reminder: bool = true,
        /// After a cancellation is taken back.
        subscription_uncanceled: bool = true,
        /// After any other change.
        subscription_updated: bool = true,
    }
}

/// The operations that customers can do themselves in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerPortalSettings {
    /// Display of usage.
    pub usage: PortalUsage,
    /// Changes of subscriptions.
    pub subscription: PortalSubscription,
    /// Changes of their own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<PortalCustomer>,
}

impl Default for CustomerPortalSettings {
    fn default() -> Self {
        Self {
            usage: PortalUsage { show: true },
            subscription: PortalSubscription { update_seats: true, update_plan: true, pause: None },
            customer: Some(PortalCustomer { allow_email_change: Some(false) }),
        }
    }
}

/// Display of usage in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalUsage {
    /// Whether usage is shown.
    pub show: bool,
}

/// Changes of a subscription that customers can make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalSubscription {
    /// Whether they can change the number of seats.
    pub update_seats: bool,
    /// Whether they can change the plan.
    pub update_plan: bool,
    /// Whether they can pause it; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<bool>,
}

/// Changes of their own data that customers can make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalCustomer {
    /// Whether they can change their e-mail address; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_email_change: Option<bool>,
}

settings! {
    /// Handling of disputes.
    DisputeSettings {
        /// Disputes below this amount in US cents are accepted automatically.
        auto_accept_below_amount: Option<i64> = None,
    }
}

settings! {
    /// Description of the business. It is stored, but no public operation shows it.
    Details {
        /// About the business; deprecated.
        about: Option<String> = None,
        /// About the product.
        product_description: Option<String> = None,
        /// Categories of the products.
        selling_categories: Vec<String> = Vec::new(),
        /// Pricing models.
        pricing_models: Vec<String> = Vec::new(),
        /// Intended use of the account; deprecated.
        intended_use: Option<String> = None,
        /// Channels of customer acquisition; deprecated.
        customer_acquisition: Vec<String> = Vec::new(),
        /// Expected annual revenue; deprecated.
        future_annual_revenue: Option<i64> = None,
        /// Whether the business moves from another product.
        switching: bool = false,
        /// The other product.
        switching_from: Option<SwitchingFrom> = None,
        /// Revenue of the previous year; deprecated.
        previous_annual_revenue: Option<i64> = None,
    }
}

settings! {
    /// Deprecated fields of the documents of 2024 and 2025, still stored and shown
    /// (docs/contracts/founding-operations.md, 3).
    LegacySettings {
        /// Free text.
        bio: Option<String> = None,
        /// Free text.
        company: Option<String> = None,
        /// Free text.
        blog: Option<String> = None,
        /// Free text.
        location: Option<String> = None,
        /// Free text.
        twitter_username: Option<String> = None,
        /// Minimum pledge in US cents.
        pledge_minimum_amount: i64 = 2000,
        /// Whether the badge shows the sum pledged.
        pledge_badge_show_amount: bool = false,
        /// Share of the contributors in per cent.
        default_upfront_split_to_contributors: Option<i64> = None,
        /// E-mail address for invoices, not validated.
        billing_email: Option<String> = None,
        /// Text of the badge.
        default_badge_custom_content: Option<String> = None,
        /// US cents a month.
        total_monthly_spending_limit: Option<i64> = None,
        /// US cents a month for each user.
        per_user_monthly_spending_limit: Option<i64> = None,
        /// The public profile page.
        profile_settings: Option<ProfileSettings> = None,
    }
}

/// The public profile page of the 2024 document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileSettings {
    /// Whether the page is public.
    pub enabled: Option<bool>,
    /// Text, at most 160 characters.
    pub description: Option<String>,
    /// Ids of the projects on the page.
    pub featured_projects: Option<Vec<uuid::Uuid>>,
    /// Ids of the organizations on the page.
    pub featured_organizations: Option<Vec<uuid::Uuid>>,
    /// Links on the page.
    pub links: Option<Vec<HttpUrl>>,
    /// The subscription box.
    pub subscribe: ProfileSubscribe,
    /// Accent colour.
    pub accent_color: Option<String>,
}

settings! {
    /// The subscription box of a profile page.
    ProfileSubscribe {
        /// Whether the box is promoted.
        promote: bool = true,
        /// Whether the number of subscribers is shown.
        show_count: bool = true,
        /// Whether subscribers who do not pay are counted.
        count_free: bool = true,
    }
}

/// A change of the profile page. It is merged with the current values field by field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileSettingsChange {
    /// Whether the page is public.
    pub enabled: Patch<bool>,
    /// Text.
    pub description: Patch<String>,
    /// Ids of the projects on the page.
    pub featured_projects: Patch<Vec<uuid::Uuid>>,
    /// Ids of the organizations on the page.
    pub featured_organizations: Patch<Vec<uuid::Uuid>>,
    /// Links on the page.
    pub links: Patch<Vec<HttpUrl>>,
    /// The subscription box.
    pub subscribe: Patch<ProfileSubscribe>,
    /// Accent colour.
    pub accent_color: Patch<String>,
}

settings! {
    /// Fields that only the AhaSend dialect shows (docs/contracts/ahasend.md, 1.4).
    AccountSettings {
        /// Free text.
        about: String = String::new(),
        /// Whether opens are tracked by default.
        track_opens: bool = true,
        /// Whether clicks are tracked by default.
        track_clicks: bool = true,
        /// Whether addresses that are known to be undeliverable are refused.
        reject_bad_recipients: bool = true,
        /// Whether mistyped domains are refused.
        reject_mistyped_recipients: bool = true,
        /// Days that a message's metadata is kept, 1 to 30.
        message_metadata_retention: i64 = 30,
        /// Days that a message is kept, 0 to 30.
        message_data_retention: i64 = 7,
        /// Limit of messages a month, 0 to 1,000,000,000; 0 means no limit. Set by the parent of a sub-account.
        monthly_credit: i64 = 0,
        /// The website as the client wrote it. It is shown only while it means the same URL as the website.
        website_as_sent: Option<String> = None,
    }
}
