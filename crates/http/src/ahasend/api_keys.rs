//! API keys of an account, and of its sub-accounts (docs/contracts/ahasend.md, 1.6 and 1.7). A key is an
//! access token of the organization, whichever dialect made it.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenantry_app::AccountPath;
use tenantry_app::api_keys::{ApiKeyCreate, ApiKeyDelete, ApiKeyUpdate};
use tenantry_app::cursors::CursorPage;
use tenantry_app::tokens::IssuedToken;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, ApiKeyChange, NewAccessToken, Scope, Scopes, public_key};
use tenantry_core::values::{IpAllowList, time_ordered_uuid};
use uuid::Uuid;

use super::accounts::account;
use super::error::ErrorResponse;
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::limits;
use crate::wire::{AnyUuid, At, BoundedText, List, Wire, inline_schema, wire_object};

/// A scope of either dialect.
#[derive(Debug, Clone)]
pub(crate) struct ScopeName(Scope);

impl Wire for ScopeName {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let BoundedText(name) = BoundedText::<1, { limits::SCOPE }>::read(value, at)?;
        at.accept(name.parse(), value).map(Self)
    }
}

/// What a key may do.
#[derive(Debug, Clone)]
pub(crate) struct KeyScopes(Scopes);

impl Wire for KeyScopes {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let List(names) = List::<ScopeName, { limits::SCOPES }>::read(value, at)?;
        let scopes = names.into_iter().map(|name| name.0).collect();
        at.accept(Scopes::for_api_key(scopes), value).map(Self)
    }
}

/// From where a key may be used.
#[derive(Debug, Clone)]
pub(crate) struct Networks(IpAllowList);

impl Wire for Networks {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
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
        /// What it is for.
        label: BoundedText<1, { limits::KEY_LABEL }>,
        /// What it may do; no more than who makes it.
        scopes: KeyScopes,
        /// Networks (CIDR) or addresses from which it may be used, at most 100; from everywhere when there are
        /// none.
        ip_allow_list: Option<Networks>,
    }
}

wire_object! {
    /// A change of a key: something must be given, and differ. Absent and `null` leave a field as it is.
    UpdateAPIKeyRequest {
        /// What it is for.
        label: Option<BoundedText<1, { limits::KEY_LABEL }>>,
        /// What it may do, in place of what it might.
        scopes: Option<KeyScopes>,
        /// From where it may be used, in place of what was; the empty list means from everywhere.
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

/// One thing that a key may do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKeyScope", transform = crate::openapi::always_whole)]
pub(crate) struct GrantView<'a> {
    /// Its id; another one when it is granted again later.
    #[schemars(with = "AnyUuid")]
    id: Uuid,
    /// When it was granted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// The same: what is granted does not change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
    /// The key.
    #[schemars(with = "AnyUuid")]
    api_key_id: TokenId,
    /// The scope.
    scope: &'a str,
    /// Always `null`: there are no domains.
    #[schemars(with = "Option<AnyUuid>")]
    domain_id: Option<Uuid>,
}

impl<'a> GrantView<'a> {
    fn new(key: TokenId, scope: &'a Scope, since: Timestamp) -> Self {
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

/// Names the grant of a scope: the same as long as the key has it, and no other grant's.
fn grant_id(key: TokenId, scope: &Scope, since: Timestamp) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(key.uuid().as_bytes());
    hash.update(since.as_micros().to_be_bytes());
    hash.update(scope.as_str());
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    time_ordered_uuid(since.as_micros(), [a, b, c, d, e, f, g, h])
}

/// A key, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKey", transform = crate::openapi::always_whole)]
pub(crate) struct ApiKeyView<'a> {
    /// Always `api_key`.
    object: &'static str,
    /// Its id.
    #[schemars(with = "AnyUuid")]
    id: TokenId,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last changed; the time of creation until then.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
    /// When it was last used, to within six minutes.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<Timestamp>,
    /// The account.
    #[schemars(with = "AnyUuid")]
    account_id: OrganizationId,
    /// What it is for.
    label: &'a str,
    /// Names the key, and opens nothing.
    public_key: String,
    /// What it may do, sorted.
    scopes: Vec<GrantView<'a>>,
    /// The networks from which it may be used; from everywhere when there are none.
    #[schemars(with = "Vec<String>")]
    ip_allow_list: &'a IpAllowList,
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
        }
    }
}

/// A new key and its secret, which is never shown again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "APIKeyCreated", transform = crate::openapi::always_whole)]
pub(crate) struct ApiKeyCreated<'a> {
    #[serde(flatten)]
    key: ApiKeyView<'a>,
    /// Its secret.
    secret_key: &'a str,
}

/// The account that the path names: the caller's, or a sub-account of it.
fn account_path(call: &Call) -> Result<AccountPath, ErrorResponse> {
    let own = account(call)?;
    if call.param("sub_account_id").is_empty() {
        return Ok(AccountPath::Own(own));
    }
    let mut input = call.input();
    let child = input.path::<AnyUuid>("sub_account_id");
    let child = input.finish(child).map_err(|_| ErrorResponse::Bad("invalid sub_account_id"))?;
    Ok(AccountPath::Sub { parent: own, child: OrganizationId::new(child.0) })
}

fn key(call: &Call) -> Result<(AccountPath, TokenId), ErrorResponse> {
    let account = account_path(call)?;
    let mut input = call.input();
    let id = input.path::<AnyUuid>("key_id");
    let id = input.finish(id).map_err(|_| ErrorResponse::Bad("invalid key_id"))?;
    Ok((account, TokenId::new(id.0)))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let account = account_path(&call)?;
    let of = CursorPage { organization: account.account(), list: "api-keys" };
    let keyset = page::read(&call, of)?;
    let part = call.app.api_keys(&call.by(), account, keyset).await?;
    page::show::<_, ApiKeyView<'_>>(&call, of, &part)
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let account = account_path(&call)?;
    let mut input = call.input();
    let body = input.object();
    let CreateAPIKeyRequest { label, scopes, ip_allow_list } = input.finish(body)?;
    let new = NewAccessToken {
        label: label.0,
        scopes: scopes.0,
        ip_allow_list: ip_allow_list.map(|networks| networks.0).unwrap_or_default(),
        lifetime: None,
    };
    let operation = ApiKeyCreate { by: call.by(), account, new, hash_key: call.app.hash_key().clone() };
    let created = |issued: &IssuedToken<AccessToken>| {
        let key = ApiKeyView::from(&issued.token);
        written(StatusCode::CREATED, &ApiKeyCreated { key, secret_key: issued.secret.expose() })
    };
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let token = call.app.api_key(&call.by(), account, id).await?;
    Ok(call::json(StatusCode::OK, &ApiKeyView::from(&token)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let mut input = call.input();
    let body = input.object::<UpdateAPIKeyRequest>();
    let change = input.finish(body)?.into();
    let operation = ApiKeyUpdate { by: call.by(), account, id, change, from: call.address };
    let token = call.app.write(operation).await?;
    Ok(call::json(StatusCode::OK, &ApiKeyView::from(&token)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let AccessToken { id, label, .. } = call.app.write(ApiKeyDelete { by: call.by(), account, id }).await?;
    let message = format!("api key {id} ({label}) deleted successfully");
    Ok(call::json(StatusCode::OK, &json!({"message": message})))
}
