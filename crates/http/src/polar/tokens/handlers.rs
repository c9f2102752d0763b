//! Handlers of the endpoints on access tokens.

use super::wire::{
    AccessTokenCreated, AccessTokenView, OrganizationAccessTokenCreate, OrganizationAccessTokenUpdate, scopes,
};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::{Time, TokenRevocation, TokenRotate, Uuid4};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::access_tokens::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenRotate, AccessTokenUpdate,
};
use tenantry_app::tokens::IssuedToken;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, NewAccessToken, TokenChange};
use tenantry_core::values::IpAllowList;
use tenantry_store::{AccessTokenKey, StoredResponse};

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, AccessTokenKey)] = &[
        ("created_at", AccessTokenKey::CreatedAt),
        ("comment", AccessTokenKey::Label),
        ("last_used_at", AccessTokenKey::LastUsedAt),
        ("organization_id", AccessTokenKey::Organization),
    ];
    let mut input = Input::new(&call);
    let wanted = input.query_list::<Uuid4>("organization_id");
    let expires_before = input.query::<Time>("expires_before");
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let (((wanted, page), order), expires_before) =
        input.finish(wanted.zip(page).zip(order).zip(expires_before))?;
    let wanted: Vec<OrganizationId> = wanted.iter().map(|id| OrganizationId::new(id.0)).collect();
    let expires_before = expires_before.map(|time| time.0);
    let tokens = call.app.access_tokens(&call.requester(), &wanted, expires_before, &order, page).await?;
    Ok(page::response(&tokens, page, AccessTokenView::from))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let OrganizationAccessTokenCreate { organization_id, comment, scopes: given, expires_in } =
        input.finish(body)?;
    let operation = AccessTokenCreate {
        by: call.requester(),
        organization: organization_id.map(|id| OrganizationId::new(id.0)),
        new: NewAccessToken {
            label: comment.0,
            scopes: scopes(given),
            ip_allow_list: IpAllowList::default(),
            lifetime: expires_in.map(|expires_in| expires_in.0),
        },
        hash_key: call.app.hash_key().clone(),
    };
    let shown = |issued: &IssuedToken<AccessToken>| with_secret(StatusCode::CREATED, issued);
    Ok(call.write_once(operation, shown).await?)
}

/// The response that shows a token's new secret.
fn with_secret(status: StatusCode, issued: &IssuedToken<AccessToken>) -> Result<StoredResponse, Error> {
    let organization_access_token = AccessTokenView::from(&issued.token);
    let token = issued.secret.expose();
    to_stored(status, &AccessTokenCreated { organization_access_token, token })
}

pub(super) async fn rotate(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<TokenRotate>();
    let (id, body) = input.finish(id.zip(body))?;
    let operation = AccessTokenRotate {
        by: call.requester(),
        id: TokenId::new(id.0),
        overlap: body.overlap(),
        hash_key: call.app.hash_key().clone(),
    };
    let shown = |issued: &IssuedToken<AccessToken>| with_secret(StatusCode::OK, issued);
    Ok(call.write_once(operation, shown).await?)
}

pub(super) async fn revoke(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<TokenRevocation>();
    let TokenRevocation { token } = input.finish(body)?;
    call.app.revoke_secret(None, (Some(call.request_id.clone()), call.client()), token.trim()).await?;
    Ok(response::empty(StatusCode::OK))
}

fn shown(token: &AccessToken) -> Result<Vec<u8>, Error> {
    response::body(&AccessTokenView::from(token))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = TokenId::new(input.finish(id)?.0);
    let token = call.app.access_token(&call.requester(), id).await?;
    Ok(response::json(StatusCode::OK, &AccessTokenView::from(&token)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body();
    let (id, OrganizationAccessTokenUpdate { comment, scopes: given }) = input.finish(id.zip(body))?;
    let change = TokenChange { label: comment.0.map(|comment| comment.0), scopes: given.0.map(scopes) };
    let operation = AccessTokenUpdate { by: call.requester(), id: TokenId::new(id.0), change };
    let token = call.write_row(operation, shown).await?;
    Ok(response::json(StatusCode::OK, &AccessTokenView::from(&token)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = TokenId::new(input.finish(id)?.0);
    call.write_row(AccessTokenDelete { by: call.requester(), id }, shown).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
