//! The settings of an organization, each with its defaults (docs/contracts/polar/organizations.md, 2.2 and 12, and
//! docs/contracts/ahasend.md, 1.4). Their keys serialise in the published order.

use serde::{Deserialize, Serialize};

use crate::Patch;
use crate::values::HttpUrl;

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
    /// What happens to the amount due when a subscription changes.
    ProrationBehavior {
        /// Invoice at once.
        Invoice = "invoice",
        /// Share out on the next invoice.
        #[default]
        Prorate = "prorate",
        /// Change with the next period.
        NextPeriod = "next_period",
        /// Start the period anew.
        Reset = "reset",
    }
}

named! {
    /// Whether prices include tax.
    TaxBehavior {
        /// As is usual where the buyer is.
        #[default]
        Location = "location",
        /// Included.
        Inclusive = "inclusive",
        /// On top.
        Exclusive = "exclusive",
    }
}

named! {
    /// The product that a business comes from.
    SwitchingFrom {
        /// Paddle.
        Paddle = "paddle",
        /// Lemon Squeezy.
        LemonSqueezy = "lemon_squeezy",
        /// Gumroad.
        Gumroad = "gumroad",
        /// Stripe.
        Stripe = "stripe",
        /// Another one.
        #[default]
        Other = "other",
    }
}

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
    /// What is switched on.
    FeatureSettings {
        /// Funding of issues, of the 2024 document.
        issue_funding_enabled: bool = false,
        /// Seats; once on, never off.
        seat_based_pricing_enabled: bool = false,
        /// Units.
        unit_based_pricing_enabled: bool = false,
        /// Wallets.
        wallets_enabled: bool = false,
        /// Members of customers.
        member_model_enabled: bool = false,
        /// Checkout in the buyer's language.
        checkout_localization_enabled: bool = false,
        /// Figures on the overview page, in order.
        overview_metrics: Option<Vec<String>> = None,
        /// Allows [`ProrationBehavior::Reset`].
        reset_proration_behavior_enabled: bool = false,
        /// Charges without the buyer present.
        off_session_charges_enabled: bool = false,
        /// Cycling of meters.
        meter_cycling_enabled: bool = false,
        /// Slack as a benefit.
        slack_benefit_enabled: bool = false,
        /// Previews.
        preview_access_enabled: bool = false,
        /// Disputes.
        disputes_enabled: bool = false,
        /// Single sign-on.
        sso_enabled: bool = false,
        /// Accepting disputes unseen.
        dispute_auto_accept_enabled: bool = false,
        /// Compass.
        compass_enabled: bool = false,
        /// Migration from elsewhere.
        merchant_migration_enabled: bool = false,
    }
}

impl FeatureSettings {
    /// What a new organization usually has on: members and seats.
    #[must_use]
    pub fn for_new_organization() -> Self {
        Self { member_model_enabled: true, seat_based_pricing_enabled: true, ..Self::default() }
    }
}

/// The features that an organization may switch itself; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureSettingsChange {
    /// Funding of issues.
    pub issue_funding_enabled: Option<bool>,
    /// Seats.
    pub seat_based_pricing_enabled: Option<bool>,
    /// Members of customers.
    pub member_model_enabled: Option<bool>,
    /// Checkout in the buyer's language.
    pub checkout_localization_enabled: Option<bool>,
    /// Figures on the overview page.
    pub overview_metrics: Option<Vec<String>>,
}

settings! {
    /// How subscriptions behave.
    SubscriptionSettings {
        /// Whether a customer may hold several.
        allow_multiple_subscriptions: bool = false,
        /// What a change does to the amount due.
        proration_behavior: ProrationBehavior = ProrationBehavior::Prorate,
        /// Days until a benefit is taken away after the last payment.
        benefit_revocation_grace_period: i64 = 0,
        /// Whether a second trial is refused.
        prevent_trial_abuse: bool = false,
        /// Whether customers may change their subscription; deprecated.
        allow_customer_updates: bool = true,
    }
}

/// A replacement of the settings of subscriptions. The 2025 documents have no word for two of them: what
/// such a client does not send stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSettingsChange {
    /// Whether a customer may hold several.
    pub allow_multiple_subscriptions: bool,
    /// What a change does to the amount due.
    pub proration_behavior: ProrationBehavior,
    /// Days until a benefit is taken away after the last payment.
    pub benefit_revocation_grace_period: Option<i64>,
    /// Whether a second trial is refused.
    pub prevent_trial_abuse: Option<bool>,
    /// Whether customers may change their subscription.
    pub allow_customer_updates: bool,
}

settings! {
    /// Which mails customers get.
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

/// What customers may do for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerPortalSettings {
    /// What they see of their usage.
    pub usage: PortalUsage,
    /// What they may change of their subscription.
    pub subscription: PortalSubscription,
    /// What they may change of themselves.
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

/// What customers see of their usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalUsage {
    /// Whether it is shown.
    pub show: bool,
}

/// What customers may change of their subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalSubscription {
    /// The number of seats.
    pub update_seats: bool,
    /// The plan.
    pub update_plan: bool,
    /// Whether they may pause it; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<bool>,
}

/// What customers may change of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalCustomer {
    /// Their address; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_email_change: Option<bool>,
}

settings! {
    /// How disputes are met.
    DisputeSettings {
        /// Disputes below this many US cents are accepted unseen.
        auto_accept_below_amount: Option<i64> = None,
    }
}

settings! {
    /// What a business does. Kept, and shown by no public operation.
    Details {
        /// About the business; deprecated.
        about: Option<String> = None,
        /// About the product.
        product_description: Option<String> = None,
        /// What is sold.
        selling_categories: Vec<String> = Vec::new(),
        /// How it is priced.
        pricing_models: Vec<String> = Vec::new(),
        /// What it is for; deprecated.
        intended_use: Option<String> = None,
        /// Where customers come from; deprecated.
        customer_acquisition: Vec<String> = Vec::new(),
        /// Revenue expected in a year; deprecated.
        future_annual_revenue: Option<i64> = None,
        /// Whether the business comes from another product.
        switching: bool = false,
        /// Which one.
        switching_from: Option<SwitchingFrom> = None,
        /// Revenue in the last year; deprecated.
        previous_annual_revenue: Option<i64> = None,
    }
}

settings! {
    /// Fields of the 2024 and 2025 documents (docs/contracts/founding-operations.md, 3): deprecated, kept and shown.
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
        /// Least pledge in US cents.
        pledge_minimum_amount: i64 = 2000,
        /// Whether the badge shows the sum pledged.
        pledge_badge_show_amount: bool = false,
        /// Contributors' share, per cent.
        default_upfront_split_to_contributors: Option<i64> = None,
        /// Address for bills, not checked.
        billing_email: Option<String> = None,
        /// Text of the badge.
        default_badge_custom_content: Option<String> = None,
        /// US cents a month.
        total_monthly_spending_limit: Option<i64> = None,
        /// US cents a month and person.
        per_user_monthly_spending_limit: Option<i64> = None,
        /// The public profile page.
        profile_settings: Option<ProfileSettings> = None,
    }
}

/// The public profile page of the 2024 document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileSettings {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// Text, at most 160 characters.
    pub description: Option<String>,
    /// Ids of projects shown.
    pub featured_projects: Option<Vec<uuid::Uuid>>,
    /// Ids of organizations shown.
    pub featured_organizations: Option<Vec<uuid::Uuid>>,
    /// Links shown.
    pub links: Option<Vec<HttpUrl>>,
    /// The box for subscribing.
    pub subscribe: ProfileSubscribe,
    /// Colour.
    pub accent_color: Option<String>,
}

settings! {
    /// The box for subscribing on a profile page.
    ProfileSubscribe {
        /// Whether it is promoted.
        promote: bool = true,
        /// Whether the number of subscribers is shown.
        show_count: bool = true,
        /// Whether those who do not pay count.
        count_free: bool = true,
    }
}

/// A change of the profile page, merged key by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileSettingsChange {
    /// Whether there is one.
    pub enabled: Patch<bool>,
    /// Text.
    pub description: Patch<String>,
    /// Ids of projects shown.
    pub featured_projects: Patch<Vec<uuid::Uuid>>,
    /// Ids of organizations shown.
    pub featured_organizations: Patch<Vec<uuid::Uuid>>,
    /// Links shown.
    pub links: Patch<Vec<HttpUrl>>,
    /// The box for subscribing.
    pub subscribe: Patch<ProfileSubscribe>,
    /// Colour.
    pub accent_color: Patch<String>,
}

settings! {
    /// Fields of the AhaSend dialect (docs/contracts/ahasend.md, 1.4).
    AccountSettings {
        /// Free text.
        about: String = String::new(),
        /// Whether opens are tracked unless a message says otherwise.
        track_opens: bool = true,
        /// Whether clicks are tracked unless a message says otherwise.
        track_clicks: bool = true,
        /// Whether known bad addresses are refused.
        reject_bad_recipients: bool = true,
        /// Whether mistyped domains are refused.
        reject_mistyped_recipients: bool = true,
        /// Days that a message's metadata is kept, 1 to 30.
        message_metadata_retention: i64 = 30,
        /// Days that a message is kept, 0 to 30.
        message_data_retention: i64 = 7,
        /// Cap a month, 0 to 1,000,000,000; 0 for none. Set by the parent of a sub-account.
        monthly_credit: i64 = 0,
        /// How the parent of a sub-account wrote its website. It counts as long as it means the website.
        website_as_sent: Option<String> = None,
    }
}
