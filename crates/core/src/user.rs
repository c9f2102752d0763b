//! Users: people who administer organizations. One person is one user in all organizations.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::UserId;
use crate::values::{EmailAddress, PersonName};

/// A language of the pages and mails for people. It is known by its tag in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag (BCP 47).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a tag.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == tag)
    }
}

/// A subject of notices that a person can switch off. Every other mail is always sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeTopic {
    /// API tokens that expire soon.
    TokenExpiry,
    /// Webhook endpoints whose deliveries fail, or that were disabled.
    Webhooks,
}

impl NoticeTopic {
    /// Every topic.
    pub const ALL: [Self; 2] = [Self::TokenExpiry, Self::Webhooks];

    /// The name in storage and in forms.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpiry => "token_expiry",
            Self::Webhooks => "webhooks",
        }
    }

    /// The topic of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }
}

/// A person who administers organizations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// When the user was created: at the first use of the address.
    pub created_at: Timestamp,
    /// E-mail address. Its key ([`EmailAddress::key`]) identifies the user.
    pub email: EmailAddress,
    /// Display name, once the person has proved the address. Organizations name their members themselves.
    pub name: Option<PersonName>,
    /// The language of pages and mails: that of the first sign-in, until the person chooses another one. `None` before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The notices that the person has switched off.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub muted_notices: BTreeSet<NoticeTopic>,
}

/// A refused change of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No user has this id or address.
    #[error("user not found")]
    NotFound,
    /// Another user has the new address.
    #[error("another user has this address")]
    AddressTaken,
    /// The user owns the organizations with these slugs.
    #[error(
        "the user owns {}: make another person the owner with `tenantry organization transfer` first",
        .0.join(", ")
    )]
    OwnsOrganizations(Vec<String>),
    /// The user owns the organizations with these slugs, which are deleted and not purged yet. No other person can
    /// become their owner meanwhile.
    #[error(
        "the user owns {}, which is deleted and can still be brought back: wait for its purge, or bring it back with \
         `tenantry organization undelete` and make another person the owner",
        .0.join(", ")
    )]
    OwnsDeletedOrganizations(Vec<String>),
}
