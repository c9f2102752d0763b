//! Access tokens of organizations (docs/contracts/polar/organizations.md, 4).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tenantry_app::access_tokens::{AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate};
use tenantry_app::tokens::IssuedToken;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, NewAccessToken, Scope, Scopes, TokenChange, TokenError};
use tenantry_core::values::{IpAllowList, Lifetime, one_of};
use tenantry_store::AccessTokenKey;

use super::error::{ErrorResponse, invalid, plain};
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::limits;
use crate::wire::{At, List, PlainText, Three, Uuid4, Violation, Wire, inline_schema, wire_object};

/// A scope of either dialect.
#[derive(Debug, Clone)]
pub(crate) struct ScopeText(Scope);

impl Wire for ScopeText {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let scope = value.as_str().and_then(|name| name.parse().ok());
        if scope.is_none() {
            let expected = one_of(Scope::POLAR);
            let ctx = Some(json!({"expected": expected}));
            at.violate("enum", format!("Input should be {expected}"), value, ctx);
        }
        scope.map(Self)
    }
}

/// How long a token works: seconds, or a duration of ISO 8601.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpiresIn(Lifetime);

impl Wire for ExpiresIn {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
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

/// A part of a second counts as a whole one; what is beyond all bounds is as far as a number goes.
fn whole_seconds(number: &serde_json::Number) -> i64 {
    let float = number.as_f64().unwrap_or(f64::MAX).ceil();
    let within = format!("{float:.0}").parse().ok();
    number.as_i64().or(within).unwrap_or(if float < 0.0 { i64::MIN } else { i64::MAX })
}

wire_object! {
    /// A new token.
    OrganizationAccessTokenCreate {
        /// The organization; for tokens of a person alone.
        organization_id: Option<Uuid4>,
        /// What it is for.
        comment: PlainText,
        /// What it may do; no more than who makes it.
        scopes: List<ScopeText, { limits::SCOPES }>,
        /// How long it works; for good unless this is given.
        expires_in: Option<ExpiresIn>,
    }
}

wire_object! {
    /// A partial update of a token; absent and `null` leave a field as it is.
    OrganizationAccessTokenUpdate {
        /// What it is for.
        comment: Three<PlainText>,
        /// What it may do, in place of what it might.
        scopes: Three<List<ScopeText, { limits::SCOPES }>>,
    }
}

fn scopes(list: List<ScopeText, { limits::SCOPES }>) -> Scopes {
    Scopes::new(list.0.into_iter().map(|scope| scope.0).collect())
}

/// An access token of an organization, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationAccessToken", transform = crate::openapi::always_whole)]
pub(crate) struct AccessTokenView<'a> {
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// Its id.
    #[schemars(with = "Uuid4")]
    id: TokenId,
    /// What it may do in this dialect, sorted.
    scopes: Vec<&'a str>,
    /// When it stops working.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// What it is for.
    comment: &'a str,
    /// When it was last used, to within five minutes.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<Timestamp>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
}

impl<'a> From<&'a AccessToken> for AccessTokenView<'a> {
    fn from(token: &'a AccessToken) -> Self {
        let AccessToken {
            id, organization, created_at, modified_at, label, expires_at, last_used_at, ..
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
        }
    }
}

/// A new token and its secret, which is never shown again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrganizationAccessTokenCreateResponse", transform = crate::openapi::always_whole)]
pub(crate) struct AccessTokenCreated<'a> {
    /// The token.
    organization_access_token: AccessTokenView<'a>,
    /// Its secret.
    token: &'a str,
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, AccessTokenKey)] = &[
        ("created_at", AccessTokenKey::CreatedAt),
        ("comment", AccessTokenKey::Label),
        ("last_used_at", AccessTokenKey::LastUsedAt),
        ("organization_id", AccessTokenKey::Organization),
    ];
    let mut input = call.input();
    let wanted = input.query_each::<Uuid4>("organization_id");
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let ((wanted, page), order) = input.finish(wanted.zip(page).zip(order))?;
    let wanted: Vec<OrganizationId> = wanted.iter().map(|id| OrganizationId::new(id.0)).collect();
    let tokens = call.app.access_tokens(&call.by(), &wanted, &order, page).await?;
    Ok(page::answer(&tokens, page, AccessTokenView::from))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body();
    let OrganizationAccessTokenCreate { organization_id, comment, scopes: given, expires_in } =
        input.finish(body)?;
    let operation = AccessTokenCreate {
        by: call.by(),
        organization: organization_id.map(|id| OrganizationId::new(id.0)),
        new: NewAccessToken {
            label: comment,
            scopes: scopes(given),
            ip_allow_list: IpAllowList::default(),
            lifetime: expires_in.map(|expires_in| expires_in.0),
        },
        hash_key: call.app.hash_key().clone(),
    };
    let shown = |issued: &IssuedToken<AccessToken>| {
        let organization_access_token = AccessTokenView::from(&issued.token);
        let token = issued.secret.expose();
        written(StatusCode::CREATED, &AccessTokenCreated { organization_access_token, token })
    };
    Ok(call.write_once(operation, shown).await?)
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let body = input.body();
    let (id, OrganizationAccessTokenUpdate { comment, scopes: given }) = input.finish(id.zip(body))?;
    let change = TokenChange { label: comment.0, scopes: given.0.map(scopes) };
    let operation = AccessTokenUpdate { by: call.by(), id: TokenId::new(id.0), change };
    let token = call.app.write(operation).await?;
    Ok(call::json(StatusCode::OK, &AccessTokenView::from(&token)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let id = TokenId::new(input.finish(id)?.0);
    call.app.write(AccessTokenDelete { by: call.by(), id }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}

/// The answer to a token that could not be made or changed.
pub(super) fn refusal(error: &TokenError) -> Response {
    let excess = match error {
        TokenError::ScopesExceed(excess) => excess,
        // Of changes of API keys, which this dialect does not make.
        TokenError::NoFieldGiven | TokenError::NoChange | TokenError::ExcludesCaller => {
            return plain(StatusCode::BAD_REQUEST, "BadRequest", &error.to_string());
        }
    };
    let excess: Vec<&str> = excess.iter().map(Scope::as_str).collect();
    let msg = "Nobody can give a scope that they do not hold.";
    let violation = Violation::rule("value_error", &["body", "scopes"], msg, Value::from(excess));
    invalid("PolarRequestValidationError", &[violation])
}

inline_schema! {
    ScopeText => {"type": "string"},
    ExpiresIn => {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "format": "duration"}]
    },
}
