//! An organization: the tenant. AhaSend calls it an account; both dialects read and write this one row.
//!
//! Invariants: the slug is unique for good and never changes; an organization has exactly one owner;
//! settings that cannot be cleared keep their value when `null` is sent; who has a parent has no children.

mod decide;
mod legal_entity;
mod settings;
mod sub_account;
mod suspension;

pub use decide::{
    AccountChange, InitialState, LegacyChange, NewOrganization, OrganizationChange, OrganizationViolation,
    create, update,
};
pub use legal_entity::LegalEntity;
pub use settings::{
    AccountSettings, CustomerEmailSettings, CustomerPortalSettings, Details, DisputeSettings,
    FeatureSettings, FeatureSettingsChange, LegacySettings, PortalCustomer, PortalSubscription, PortalUsage,
    ProfileSettings, ProfileSettingsChange, ProfileSubscribe, ProrationBehavior, SubscriptionSettings,
    SubscriptionSettingsChange, SwitchingFrom, TaxBehavior,
};

pub use sub_account::{
    NewSubAccount, SubAccountChange, SubAccountError, SubAccountFacts, SubAccountStatus, check_parent,
    create_sub_account, sub_account_status, sub_account_website, update_sub_account,
};
pub use suspension::{Suspension, suspend, unsuspend};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, UserId};
use crate::values::{
    Country, Currency, EmailAddress, EmbedHost, HttpUrl, OrganizationName, Slug, SocialPlatform,
};

/// How far an organization has come, and what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationStatus {
    /// Created by a person and not reviewed: has its API, and no payments.
    Created,
    /// May do everything.
    Active,
    /// Shut out: its tokens are dead.
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

/// A link to a profile elsewhere; the platform follows from the URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocialLink {
    /// The platform, told by the URL's host.
    pub platform: SocialPlatform,
    /// The profile.
    pub url: HttpUrl,
}

/// Everything of an organization that nothing is looked up by. Stored as one JSON object: a field that
/// a stored object lacks has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Picture.
    pub avatar_url: Option<HttpUrl>,
    /// Address for support.
    pub email: Option<EmailAddress>,
    /// Home page.
    pub website: Option<HttpUrl>,
    /// Profiles elsewhere.
    pub socials: Vec<SocialLink>,
    /// What the business does.
    pub details: Details,
    /// When `details` were first given.
    pub details_submitted_at: Option<Timestamp>,
    /// When a client first changed the organization.
    pub onboarded_at: Option<Timestamp>,
    /// Where the business is.
    pub country: Option<Country>,
    /// Who stands behind it before the law; told at creation, shown by no operation.
    pub legal_entity: Option<LegalEntity>,
    /// What is switched on.
    pub feature_settings: FeatureSettings,
    /// How subscriptions behave.
    pub subscription_settings: SubscriptionSettings,
    /// Which mails customers get.
    pub customer_email_settings: CustomerEmailSettings,
    /// What customers may do for themselves.
    pub customer_portal_settings: CustomerPortalSettings,
    /// How disputes are met.
    pub dispute_settings: DisputeSettings,
    /// Where checkouts may be embedded.
    pub embed_hosts: Vec<EmbedHost>,
    /// Currency that prices are shown in.
    pub default_presentment_currency: Currency,
    /// Whether prices include tax.
    pub default_tax_behavior: TaxBehavior,
    /// Whether people must sign in through the organization's own identity provider.
    pub sso_enforced: bool,
    /// Fields of the 2024 and 2025 documents, deprecated but kept.
    pub legacy: LegacySettings,
    /// Fields of the AhaSend dialect.
    pub account: AccountSettings,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Id; also AhaSend's account id.
    pub id: OrganizationId,
    /// The parent, for a sub-account.
    pub parent: Option<OrganizationId>,
    /// When the organization was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Option<Timestamp>,
    /// Display name.
    pub name: OrganizationName,
    /// Name in URLs.
    pub slug: Slug,
    /// Status.
    pub status: OrganizationStatus,
    /// The person who holds it.
    pub owner: UserId,
    /// Since when it is suspended, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// The rest.
    pub profile: Profile,
}

impl Organization {
    /// Whether its tokens and people are let in, as far as it depends on itself alone; a child also depends
    /// on its parent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.suspended.is_none() && self.status != OrganizationStatus::Blocked
    }

    /// Whether members can be added to customers.
    #[must_use]
    pub const fn members_enabled(&self) -> bool {
        let features = &self.profile.feature_settings;
        features.member_model_enabled || features.seat_based_pricing_enabled
    }
}
