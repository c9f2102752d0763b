//! Wire types of access tokens.

use crate::limits;
use crate::wire::{
    List, PatchField, PreviousSecretView, Uuid4, Validation, VisibleText, Wire, inline_schema, wire_object,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, Scope, Scopes};
use tenantry_core::values::{Lifetime, one_of};

/// A scope of either dialect.
#[derive(Debug, Clone)]
pub(crate) struct ScopeText(pub(super) Scope);

impl Wire for ScopeText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let scope = value.as_str().and_then(|name| name.parse().ok());
        if scope.is_none() {
            let expected = one_of(Scope::POLAR);
            let ctx = Some(json!({"expected": expected}));
            at.violate("enum", format!("Input should be {expected}"), value, ctx);
        }
        scope.map(Self)
    }
}

/// Lifetime of a token: seconds, or a duration of ISO 8601.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpiresIn(pub(in crate::polar) Lifetime);

impl Wire for ExpiresIn {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let lifetime = match value {
            Value::String(text) => Lifetime::parse(text),
            Value::Number(number) => Lifetime::from_seconds(whole_seconds(number)),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                at.violate("time_delta_type", "Input should be a valid timedelta", value, None);
                return None;
            }
        };
        at.accept(lifetime, value).map(Self)
    }
}

/// A fraction of a second is rounded up. A duration that is out of range becomes the largest number.
pub(super) fn whole_seconds(number: &serde_json::Number) -> i64 {
    let float = number.as_f64().unwrap_or(f64::MAX).ceil();
    let within = format!("{float:.0}").parse().ok();
    number.as_i64().or(within).unwrap_or(if float < 0.0 { i64::MIN } else { i64::MAX })
}

wire_object! {
    /// A new token.
    OrganizationAccessTokenCreate {
        /// The organization. Only for tokens of users.
        organization_id: Option<Uuid4>,
        /// The label, for people.
        comment: VisibleText<0, { limits::TEXT }>,
        /// The scopes. The caller must hold each of them.
        scopes: List<ScopeText, { limits::SCOPES }>,
        /// Lifetime. Without it the token does not expire.
        expires_in: Option<ExpiresIn>,
    }
}

wire_object! {
    /// A partial update of a token. Absent and `null` keep the value.
    OrganizationAccessTokenUpdate {
        /// The label, for people.
        comment: PatchField<VisibleText<0, { limits::TEXT }>>,
        /// The new scopes. They replace the old ones.
        scopes: PatchField<List<ScopeText, { limits::SCOPES }>>,
    }
}

pub(super) fn scopes(list: List<ScopeText, { limits::SCOPES }>) -> Scopes {
    Scopes::new(list.0.into_iter().map(|scope| scope.0).collect())
}

/// An access token of an organization, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationAccessToken", transform = crate::api::openapi::token_fields_required)]
pub(crate) struct AccessTokenView<'a> {
    /// When it was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// Its id.
    #[schemars(with = "Uuid4")]
    pub(super) id: TokenId,
    /// The scopes that this dialect knows, sorted.
    pub(super) scopes: Vec<&'a str>,
    /// Time of expiry.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) expires_at: Option<Timestamp>,
    /// The label, for people.
    pub(super) comment: &'a str,
    /// When it was last used, accurate to six minutes.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) last_used_at: Option<Timestamp>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// The secret before the last rotation. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_secret: Option<PreviousSecretView>,
}

impl<'a> From<&'a AccessToken> for AccessTokenView<'a> {
    fn from(token: &'a AccessToken) -> Self {
        let AccessToken {
            id,
            organization,
            created_at,
            modified_at,
            label,
            expires_at,
            last_used_at,
            previous_secret,
            ..
        } = token;
        Self {
            created_at: *created_at,
            modified_at: *modified_at,
            id: *id,
            scopes: token.scopes().polar_names(),
            expires_at: *expires_at,
            comment: label,
            last_used_at: *last_used_at,
            organization_id: *organization,
            previous_secret: previous_secret.map(Into::into),
        }
    }
}

/// A new token with its secret, which no other response contains.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationAccessTokenCreateResponse", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct AccessTokenCreated<'a> {
    /// The token.
    pub(super) organization_access_token: AccessTokenView<'a>,
    /// Its secret.
    pub(super) token: &'a str,
}

inline_schema! {
    ScopeText => {"type": "string"},
    ExpiresIn => {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "format": "duration"}]
    },
}
