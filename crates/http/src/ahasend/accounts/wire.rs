//! Wire types of accounts.

use crate::wire::{
    AnyUuid, Between, BoundedText, HttpUrlText, PlainText, Strict, Validation, Wire, wire_object,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{AccountChange, Organization, OrganizationChange, account_website};
use tenantry_core::values::{HttpUrl, OrganizationName};
use tenantry_core::{Patch, Timestamp};

/// A name of at most 255 characters, not blank.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct AccountName(#[schemars(with = "BoundedText<1, 255>")] pub(crate) OrganizationName);

impl Wire for AccountName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let BoundedText(text) = BoundedText::<1, 255>::read(value, at)?;
        at.accept(OrganizationName::parse(text.trim()), value).map(Self)
    }
}

/// A URL with the text that was sent for it. An empty text means no URL.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct Website(#[schemars(with = "String")] pub(super) Option<(HttpUrl, String)>);

impl Wire for Website {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        if value.as_str().is_some_and(str::is_empty) {
            return Some(Self(None));
        }
        let HttpUrlText(url) = HttpUrlText::read(value, at)?;
        let text = value.as_str().unwrap_or_default().trim();
        // The URL parser drops tabs and line breaks. A text with these is not shown again.
        let is_plain = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        let text = if is_plain { text } else { url.as_str() }.to_owned();
        Some(Self(Some((url, text))))
    }
}

wire_object! {
    /// A partial update of an account. An absent field keeps its value.
    UpdateAccountRequest {
        /// Display name.
        name: Option<AccountName>,
        /// Home page.
        website: Option<Website>,
        /// Free text.
        about: Option<PlainText>,
        /// Whether opens are tracked by default.
        track_opens: Option<Strict<bool>>,
        /// Whether clicks are tracked by default.
        track_clicks: Option<Strict<bool>>,
        /// Whether addresses that are known to be undeliverable are refused.
        reject_bad_recipients: Option<Strict<bool>>,
        /// Whether mistyped domains are refused.
        reject_mistyped_recipients: Option<Strict<bool>>,
        /// Days that a message's metadata is kept.
        message_metadata_retention: Option<Strict<Between<1, 30>>>,
        /// Days that a message is kept.
        message_data_retention: Option<Strict<Between<0, 30>>>,
    }
}

impl From<UpdateAccountRequest> for OrganizationChange {
    fn from(request: UpdateAccountRequest) -> Self {
        let (website, website_as_sent) = match request.website {
            None => (Patch::Absent, None),
            Some(Website(None)) => (Patch::Null, None),
            Some(Website(Some((url, text)))) => (Patch::Value(url), Some(text)),
        };
        Self {
            name: request.name.map_or(Patch::Absent, |name| Patch::Value(name.0)),
            website,
            account: AccountChange {
                about: request.about,
                track_opens: request.track_opens.map(|on| on.0),
                track_clicks: request.track_clicks.map(|on| on.0),
                reject_bad_recipients: request.reject_bad_recipients.map(|on| on.0),
                reject_mistyped_recipients: request.reject_mistyped_recipients.map(|on| on.0),
                message_metadata_retention: request.message_metadata_retention.map(|days| days.0.0),
                message_data_retention: request.message_data_retention.map(|days| days.0.0),
                website_as_sent,
            },
            ..Self::default()
        }
    }
}

/// An account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Account", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct AccountView<'a> {
    /// Always `account`.
    pub(super) object: &'static str,
    /// The account's id; also the organization's.
    #[schemars(with = "AnyUuid")]
    pub(super) id: OrganizationId,
    /// The parent, for a sub-account.
    #[schemars(with = "Option<AnyUuid>")]
    pub(super) parent_account_id: Option<OrganizationId>,
    /// When the account was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed. Until the first change, the time of creation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) updated_at: Timestamp,
    /// Display name.
    pub(super) name: &'a str,
    /// Home page; empty for none.
    pub(super) website: &'a str,
    /// Free text.
    pub(super) about: &'a str,
    /// Whether opens are tracked by default.
    pub(super) track_opens: bool,
    /// Whether clicks are tracked by default.
    pub(super) track_clicks: bool,
    /// Whether addresses that are known to be undeliverable are refused.
    pub(super) reject_bad_recipients: bool,
    /// Whether mistyped domains are refused.
    pub(super) reject_mistyped_recipients: bool,
    /// Days that a message's metadata is kept.
    pub(super) message_metadata_retention: i64,
    /// Days that a message is kept.
    pub(super) message_data_retention: i64,
    /// The user that owns the account.
    #[schemars(with = "AnyUuid")]
    pub(super) owner_id: UserId,
}

impl<'a> From<&'a Organization> for AccountView<'a> {
    fn from(organization: &'a Organization) -> Self {
        let Organization { id, parent, created_at, modified_at, name, owner, profile, .. } = organization;
        let account = &profile.account;
        Self {
            object: "account",
            id: *id,
            parent_account_id: *parent,
            created_at: *created_at,
            updated_at: modified_at.unwrap_or(*created_at),
            name: name.as_str(),
            website: account_website(organization),
            about: &account.about,
            track_opens: account.track_opens,
            track_clicks: account.track_clicks,
            reject_bad_recipients: account.reject_bad_recipients,
            reject_mistyped_recipients: account.reject_mistyped_recipients,
            message_metadata_retention: account.message_metadata_retention,
            message_data_retention: account.message_data_retention,
            owner_id: *owner,
        }
    }
}

/// A message for a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SuccessResponse")]
pub(crate) struct Message {
    /// The text.
    pub(super) message: &'static str,
}
