//! Wire types of API keys.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, ApiKeyChange, Scope, Scopes, public_key};
use tenantry_core::values::{IpAllowList, time_ordered_uuid};
use uuid::Uuid;

use crate::limits;
use crate::wire::{
    AnyUuid, BoundedText, List, PreviousSecretView, Validation, VisibleText, Wire, inline_schema, wire_object,
};

/// A scope of either dialect.
#[derive(Debug, Clone)]
pub(crate) struct ScopeName(pub(super) Scope);

impl Wire for ScopeName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let BoundedText(name) = BoundedText::<1, { limits::SCOPE }>::read(value, at)?;
        at.accept(name.parse(), value).map(Self)
    }
}

/// The scopes of a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyScopes(pub(super) Scopes);

impl Wire for KeyScopes {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let List(names) = List::<ScopeName, { limits::SCOPES }>::read(value, at)?;
        let scopes = names.into_iter().map(|name| name.0).collect();
        at.accept(Scopes::for_api_key(scopes), value).map(Self)
    }
}

/// The networks from which a key may be used.
#[derive(Debug, Clone)]
pub(crate) struct Networks(pub(super) IpAllowList);

impl Wire for Networks {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let List(entries) =
            List::<BoundedText<1, { limits::NETWORK }>, { limits::NETWORKS_SENT }>::read(value, at)?;
        at.accept(IpAllowList::parse(entries.iter().map(|entry| entry.0.as_str())), value).map(Self)
    }
}

inline_schema! {
    KeyScopes => {"type": "array", "items": {"type": "string"}, "minItems": 1},
    Networks => {"type": "array", "items": {"type": "string"}},
}

wire_object! {
    /// A new key.
    CreateAPIKeyRequest {
        /// The label, for people.
        label: VisibleText<1, { limits::KEY_LABEL }>,
        /// The scopes. The caller must hold each of them.
        scopes: KeyScopes,
        /// Networks (CIDR) or addresses from which the key may be used, at most 100. Empty means no restriction.
        ip_allow_list: Option<Networks>,
    }
}

wire_object! {
    /// A change of a key. At least one value must be given and differ from the current one. Absent and `null` keep
    /// the value.
    UpdateAPIKeyRequest {
        /// The label, for people.
        label: Option<VisibleText<1, { limits::KEY_LABEL }>>,
        /// The new scopes. They replace the old ones.
        scopes: Option<KeyScopes>,
        /// The networks from which the key may be used. They replace the old ones; an empty list means no
        /// restriction.
        ip_allow_list: Option<Networks>,
    }
}

impl From<UpdateAPIKeyRequest> for ApiKeyChange {
    fn from(request: UpdateAPIKeyRequest) -> Self {
        let UpdateAPIKeyRequest { label, scopes, ip_allow_list } = request;
        Self {
            label: label.map(|label| label.0),
            scopes: scopes.map(|scopes| scopes.0),
            ip_allow_list: ip_allow_list.map(|networks| networks.0),
        }
    }
}

/// A scope that is granted to a key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKeyScope", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct GrantView<'a> {
    /// Its id. A scope that is granted again later gets another id.
    #[schemars(with = "AnyUuid")]
    pub(super) id: Uuid,
    /// When it was granted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// Equals `created_at`: a grant does not change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) updated_at: Timestamp,
    /// The key.
    #[schemars(with = "AnyUuid")]
    pub(super) api_key_id: TokenId,
    /// The scope.
    pub(super) scope: &'a str,
    /// Always `null`: Tenantry has no domains.
    #[schemars(with = "Option<AnyUuid>")]
    pub(super) domain_id: Option<Uuid>,
}

impl<'a> GrantView<'a> {
    pub(super) fn new(key: TokenId, scope: &'a Scope, since: Timestamp) -> Self {
        let id = grant_id(key, scope, since);
        Self {
            id,
            created_at: since,
            updated_at: since,
            api_key_id: key,
            scope: scope.as_str(),
            domain_id: None,
        }
    }
}

/// The id of a grant. It is stable while the key keeps the scope, and unique.
pub(super) fn grant_id(key: TokenId, scope: &Scope, since: Timestamp) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(key.uuid().as_bytes());
    hash.update(since.as_micros().to_be_bytes());
    hash.update(scope.as_str());
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    time_ordered_uuid(since.as_micros(), [a, b, c, d, e, f, g, h])
}

/// A key, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKey", transform = crate::api::openapi::token_fields_required)]
pub(crate) struct ApiKeyView<'a> {
    /// Always `api_key`.
    pub(super) object: &'static str,
    /// Its id.
    #[schemars(with = "AnyUuid")]
    pub(super) id: TokenId,
    /// When it was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed. Until the first change, the time of creation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) updated_at: Timestamp,
    /// When it was last used, accurate to six minutes.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) last_used_at: Option<Timestamp>,
    /// The account.
    #[schemars(with = "AnyUuid")]
    pub(super) account_id: OrganizationId,
    /// The label, for people.
    pub(super) label: &'a str,
    /// Public name of the key. It authenticates nothing.
    pub(super) public_key: String,
    /// The scopes, sorted.
    pub(super) scopes: Vec<GrantView<'a>>,
    /// The networks from which the key may be used. Empty means no restriction.
    #[schemars(with = "Vec<String>")]
    pub(super) ip_allow_list: &'a IpAllowList,
    /// The secret before the last rotation. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_secret: Option<PreviousSecretView>,
}

impl<'a> From<&'a AccessToken> for ApiKeyView<'a> {
    fn from(token: &'a AccessToken) -> Self {
        let AccessToken {
            id,
            organization,
            created_at,
            modified_at,
            label,
            grants,
            ip_allow_list,
            last_used_at,
            previous_secret,
            ..
        } = token;
        Self {
            object: "api_key",
            id: *id,
            created_at: *created_at,
            updated_at: modified_at.unwrap_or(*created_at),
            last_used_at: *last_used_at,
            account_id: *organization,
            label,
            public_key: public_key(*id),
            scopes: grants.iter().map(|(scope, since)| GrantView::new(*id, scope, since)).collect(),
            ip_allow_list,
            previous_secret: previous_secret.map(Into::into),
        }
    }
}

/// A new key with its secret, which no other response contains.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKeyCreated", transform = crate::api::openapi::token_fields_required)]
pub(crate) struct ApiKeyCreated<'a> {
    #[serde(flatten)]
    pub(super) key: ApiKeyView<'a>,
    /// Its secret.
    pub(super) secret_key: &'a str,
}
