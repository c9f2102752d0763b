//! The rules of sub-accounts, as pure functions of facts (docs/contracts/ahasend.md, 1.7). A sub-account
//! is an organization like any other; its parent makes, changes, suspends and deletes it.
//!
//! Invariants: there is one level; whether a child stands under a suspended parent is derived, never stored.

use super::{AccountSettings, FeatureSettings, Organization, Profile};
use crate::Timestamp;
use crate::ids::OrganizationId;
use crate::values::{HttpUrl, OrganizationName, Slug, Website};

/// Characters of a website as it is shown.
const WEBSITE_MAX: usize = 255;

/// What a new sub-account is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubAccount {
    /// Display name.
    pub name: OrganizationName,
    /// Home page.
    pub website: Website,
    /// Cap a month; 0 for none.
    pub monthly_credit: i64,
}

/// A partial update of a sub-account; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubAccountChange {
    /// Display name.
    pub name: Option<OrganizationName>,
    /// Home page.
    pub website: Option<Website>,
    /// Cap a month.
    pub monthly_credit: Option<i64>,
}

/// What must be known to make a sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAccountFacts {
    /// The parent.
    pub parent: Organization,
    /// Its live sub-accounts.
    pub count: i64,
    /// How many it may have.
    pub limit: i64,
}

/// Why nothing was done about a sub-account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubAccountError {
    /// A sub-account has none of its own.
    #[error("a sub account cannot have sub accounts")]
    Nested,
    /// The parent has as many as it may have.
    #[error("an account can have at most {0} sub accounts")]
    LimitReached(i64),
    /// An update says nothing.
    #[error("at least one of name, website and monthly_credit is needed")]
    NoFieldGiven,
    /// An update says what is so already.
    #[error("at least one value must differ from the current one")]
    NoChange,
}

/// How a sub-account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubAccountStatus {
    /// It is let in.
    Active,
    /// It is shut out itself.
    Suspended,
    /// It is shut out because its parent is.
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

/// How a sub-account of this parent stands.
#[must_use]
pub fn sub_account_status(child: &Organization, parent: &Organization) -> SubAccountStatus {
    match (child.is_open(), parent.is_open()) {
        (false, _) => SubAccountStatus::Suspended,
        (true, false) => SubAccountStatus::ParentSuspended,
        (true, true) => SubAccountStatus::Active,
    }
}

/// Whether an organization may have sub-accounts at all.
///
/// # Errors
/// [`SubAccountError::Nested`].
pub const fn check_parent(parent: &Organization) -> Result<(), SubAccountError> {
    if parent.parent.is_some() { Err(SubAccountError::Nested) } else { Ok(()) }
}

/// Makes a sub-account. Its owner is the parent's, and it has come as far as the parent.
///
/// # Errors
/// When the parent is a sub-account itself, or has as many as it may have.
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
/// When nothing is given, or nothing would be different.
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
    profile.account.website_as_sent = Some(website.written().to_owned());
}

/// The website of a sub-account: as its parent wrote it while it still means the organization's website, else
/// the address, or its host alone where the whole is too long to be shown; empty for none.
#[must_use]
pub fn sub_account_website(child: &Organization) -> &str {
    let Some(url) = &child.profile.website else { return "" };
    let written = child.profile.account.website_as_sent.as_deref();
    let means_it = |text: &&str| Website::parse(text).is_ok_and(|website| website.url() == url);
    written.filter(means_it).unwrap_or_else(|| short(url))
}

fn short(url: &HttpUrl) -> &str {
    let text = url.as_str();
    if text.chars().nth(WEBSITE_MAX).is_some() { url.host() } else { text }
}
