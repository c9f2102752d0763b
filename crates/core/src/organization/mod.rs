//! Organizations: the tenants. AhaSend calls an organization an account. Both dialects read and write the same row
//! (docs/contracts/polar/organizations.md; docs/contracts/ahasend.md, 1.4).
//!
//! Invariants:
//! - A slug never changes, and no other organization ever gets it, even after a deletion.
//! - An organization has exactly one owner.
//! - `null` keeps the value of a setting that cannot be cleared.
//! - A sub-account (an organization with a parent) has no sub-accounts.

mod decide;
mod deletion;
mod legal_entity;
mod settings;
mod sub_account;
mod suspension;

pub use decide::{
    AccountChange, InitialState, LegacyChange, NewOrganization, OrganizationChange, OrganizationViolation,
    create, update,
};
pub use deletion::{DeletedOrganization, DeletionError, check_delete, check_undelete};
pub use legal_entity::LegalEntity;
pub use settings::{
    AccountSettings, CustomerEmailSettings, CustomerPortalSettings, Details, DisputeSettings,
    FeatureSettings, FeatureSettingsChange, LegacySettings, PortalCustomer, PortalSubscription, PortalUsage,
    ProfileSettings, ProfileSettingsChange, ProfileSubscribe, ProrationBehavior, SubscriptionSettings,
    SubscriptionSettingsChange, SwitchingFrom, TaxBehavior, TeamAdmission,
};

pub use sub_account::{
    NewSubAccount, SubAccountChange, SubAccountError, SubAccountFacts, SubAccountStatus, account_website,
    check_parent, create_sub_account, sub_account_status, sub_account_website, update_sub_account,
};
pub use suspension::{Suspension, suspend, unsuspend};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, UserId};
use crate::portal::PortalSettings;
use crate::values::{
    Country, Currency, EmailAddress, EmbedHost, HttpUrl, OrganizationName, Slug, SocialPlatform,
};

/// The status of an organization's review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationStatus {
    /// Created by a user and not reviewed yet: the API works, payments do not.
    Created,
    /// Reviewed: everything works.
    Active,
    /// Blocked: its tokens, users and sessions are refused.
    Blocked,
}

impl OrganizationStatus {
    /// The status's name in storage and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Active => "active",
            Self::Blocked => "blocked",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Active, Self::Blocked].into_iter().find(|status| status.as_str() == name)
    }
}

/// A link to a profile in a social network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocialLink {
    /// The platform, determined from the host of the URL.
    pub platform: SocialPlatform,
    /// The URL of the profile.
    pub url: HttpUrl,
}

/// The fields of an organization that no query searches. They are stored as one JSON object. A field that is missing in
/// a stored object gets its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// URL of the picture.
    pub avatar_url: Option<HttpUrl>,
    /// E-mail address for support.
    pub email: Option<EmailAddress>,
    /// Website.
    pub website: Option<HttpUrl>,
    /// Profiles in social networks.
    pub socials: Vec<SocialLink>,
    /// Description of the business.
    pub details: Details,
    /// Time at which `details` were first set.
    pub details_submitted_at: Option<Timestamp>,
    /// Time of the first change by a client.
    pub onboarded_at: Option<Timestamp>,
    /// Country of the business.
    pub country: Option<Country>,
    /// Legal entity. Set at creation, shown by no operation.
    pub legal_entity: Option<LegalEntity>,
    /// Enabled features.
    pub feature_settings: FeatureSettings,
    /// Settings of subscriptions.
    pub subscription_settings: SubscriptionSettings,
    /// Mails that customers receive.
    pub customer_email_settings: CustomerEmailSettings,
    /// Operations that customers can do themselves.
    pub customer_portal_settings: CustomerPortalSettings,
    /// Handling of disputes.
    pub dispute_settings: DisputeSettings,
    /// Hosts that may embed a checkout.
    pub embed_hosts: Vec<EmbedHost>,
    /// Currency in which prices are shown.
    pub default_presentment_currency: Currency,
    /// Whether prices include tax.
    pub default_tax_behavior: TaxBehavior,
    /// Whether users must sign in through the organization's own identity provider.
    pub sso_enforced: bool,
    /// The way in which people join the team.
    pub team_admission: TeamAdmission,
    /// Look and sections of the portal.
    pub portal: PortalSettings,
    /// Deprecated fields of the OpenAPI documents of 2024 and 2025.
    pub legacy: LegacySettings,
    /// Fields that only the AhaSend dialect shows.
    pub account: AccountSettings,
}

/// An organization (table `organizations`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Id; also AhaSend's account id.
    pub id: OrganizationId,
    /// The parent of a sub-account.
    pub parent: Option<OrganizationId>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change; none when it never changed.
    pub modified_at: Option<Timestamp>,
    /// Display name.
    pub name: OrganizationName,
    /// Name in URLs.
    pub slug: Slug,
    /// Status of the review.
    pub status: OrganizationStatus,
    /// The user who owns it.
    pub owner: UserId,
    /// The suspension, while it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// All other fields.
    pub profile: Profile,
}

impl Organization {
    /// Whether the organization itself admits its tokens, users and sessions: it is neither suspended nor blocked. A
    /// sub-account is also refused while its parent is not open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.suspended.is_none() && self.status != OrganizationStatus::Blocked
    }

    /// Whether customers can have members besides their owner.
    #[must_use]
    pub const fn members_enabled(&self) -> bool {
        let features = &self.profile.feature_settings;
        features.member_model_enabled || features.seat_based_pricing_enabled
    }
}
