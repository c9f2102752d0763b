//! The rules of sub-accounts (docs/contracts/ahasend.md, 1.7). A sub-account is an organization that its parent creates,
//! changes, suspends and deletes.
//!
//! Invariants:
//! - A sub-account has no sub-accounts.
//! - The effect of a suspended parent on a sub-account is computed, never stored.

use super::{AccountSettings, FeatureSettings, Organization, Profile};
use crate::Timestamp;
use crate::ids::OrganizationId;
use crate::values::{HttpUrl, OrganizationName, Slug, Website};

/// Maximum characters of a sub-account's website as it is shown.
const WEBSITE_MAX: usize = 255;

/// The fields of a new sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubAccount {
    /// Display name.
    pub name: OrganizationName,
    /// Home page.
    pub website: Website,
    /// Limit of messages a month; 0 means no limit.
    pub monthly_credit: i64,
}

/// A partial update of a sub-account. An absent field keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubAccountChange {
    /// Display name.
    pub name: Option<OrganizationName>,
    /// Home page.
    pub website: Option<Website>,
    /// Limit of messages a month.
    pub monthly_credit: Option<i64>,
}

/// The facts needed to create a sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAccountFacts {
    /// The parent.
    pub parent: Organization,
    /// Number of its sub-accounts that are not deleted.
    pub count: i64,
    /// Maximum number of sub-accounts.
    pub limit: i64,
}

/// A refused creation or change of a sub-account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubAccountError {
    /// A sub-account cannot have sub-accounts.
    #[error("a sub account cannot have sub accounts")]
    Nested,
    /// The parent has the maximum number of sub-accounts.
    #[error("an account can have at most {0} sub accounts")]
    LimitReached(i64),
    /// The update has no field.
    #[error("at least one of name, website and monthly_credit is needed")]
    NoFieldGiven,
    /// The update equals the current values.
    #[error("at least one value must differ from the current one")]
    NoChange,
}

/// The status of a sub-account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubAccountStatus {
    /// It is open.
    Active,
    /// It is suspended or blocked itself.
    Suspended,
    /// It is refused because its parent is suspended or blocked.
    ParentSuspended,
}

impl SubAccountStatus {
    /// The status's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::ParentSuspended => "parent-suspended",
        }
    }
}

/// The status of a sub-account of this parent. Its own suspension takes precedence over its parent's.
#[must_use]
pub fn sub_account_status(child: &Organization, parent: &Organization) -> SubAccountStatus {
    match (child.is_open(), parent.is_open()) {
        (false, _) => SubAccountStatus::Suspended,
        (true, false) => SubAccountStatus::ParentSuspended,
        (true, true) => SubAccountStatus::Active,
    }
}

/// Checks that an organization can have sub-accounts.
///
/// # Errors
/// [`SubAccountError::Nested`] when it is a sub-account itself.
pub const fn check_parent(parent: &Organization) -> Result<(), SubAccountError> {
    if parent.parent.is_some() { Err(SubAccountError::Nested) } else { Ok(()) }
}

/// Creates a sub-account with the owner and the review status of its parent.
///
/// # Errors
/// - [`SubAccountError::Nested`] when the parent is a sub-account itself.
/// - [`SubAccountError::LimitReached`] when the parent has the maximum number of sub-accounts.
pub fn create_sub_account(
    facts: SubAccountFacts,
    new: NewSubAccount,
    slug: Slug,
    id: OrganizationId,
    now: Timestamp,
) -> Result<Organization, SubAccountError> {
    let SubAccountFacts { parent, count, limit } = facts;
    let NewSubAccount { name, website, monthly_credit } = new;
    check_parent(&parent)?;
    if count >= limit {
        return Err(SubAccountError::LimitReached(limit));
    }
    let account = AccountSettings { monthly_credit, ..AccountSettings::default() };
    let mut profile =
        Profile { feature_settings: FeatureSettings::for_new_organization(), account, ..Profile::default() };
    set_website(&mut profile, &website);
    Ok(Organization {
        id,
        parent: Some(parent.id),
        created_at: now,
        modified_at: None,
        name,
        slug,
        status: parent.status,
        owner: parent.owner,
        suspended: None,
        profile,
    })
}

/// Changes a sub-account.
///
/// # Errors
/// - [`SubAccountError::NoFieldGiven`] when the update has no field.
/// - [`SubAccountError::NoChange`] when every value equals the current one.
pub fn update_sub_account(
    before: &Organization,
    change: SubAccountChange,
    now: Timestamp,
) -> Result<Organization, SubAccountError> {
    let SubAccountChange { name, website, monthly_credit } = change;
    if name.is_none() && website.is_none() && monthly_credit.is_none() {
        return Err(SubAccountError::NoFieldGiven);
    }
    let mut after = before.clone();
    after.name = name.unwrap_or(after.name);
    after.profile.account.monthly_credit = monthly_credit.unwrap_or(after.profile.account.monthly_credit);
    if let Some(website) = website {
        set_website(&mut after.profile, &website);
    }
    if after == *before {
        return Err(SubAccountError::NoChange);
    }
    after.modified_at = Some(now);
    Ok(after)
}

fn set_website(profile: &mut Profile, website: &Website) {
    profile.website = Some(website.url().clone());
    profile.account.website_as_sent = Some(website.as_sent().to_owned());
}

/// The website of an account as AhaSend shows it. It is the text that a client sent, while it is a URL and still means
/// the organization's website. Otherwise it is the normalized URL. Empty when the organization has no website.
#[must_use]
pub fn account_website(organization: &Organization) -> &str {
    let Some(url) = &organization.profile.website else { return "" };
    as_sent(organization, url).filter(|text| text.contains("://")).unwrap_or_else(|| url.as_str())
}

/// The website of a sub-account as its parent sees it. It is the text that a client sent, a URL or a host name, while it
/// still means the organization's website and has at most 255 characters. Otherwise it is the normalized URL, or the
/// host alone when the URL is longer. Empty when the organization has no website.
#[must_use]
pub fn sub_account_website(child: &Organization) -> &str {
    let Some(url) = &child.profile.website else { return "" };
    as_sent(child, url).filter(|text| !is_too_long(text)).unwrap_or_else(|| short(url))
}

/// The website as a client sent it, unless the organization has a different website by now.
fn as_sent<'a>(organization: &'a Organization, url: &HttpUrl) -> Option<&'a str> {
    let text = organization.profile.account.website_as_sent.as_deref()?;
    let meant =
        if text.contains("://") { HttpUrl::parse(text) } else { HttpUrl::parse(&format!("https://{text}/")) };
    meant.is_ok_and(|meant| meant == *url).then_some(text)
}

fn is_too_long(text: &str) -> bool {
    text.chars().nth(WEBSITE_MAX).is_some()
}

fn short(url: &HttpUrl) -> &str {
    let text = url.as_str();
    if is_too_long(text) { url.host() } else { text }
}
