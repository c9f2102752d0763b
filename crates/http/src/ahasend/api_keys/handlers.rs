//! Handlers of the endpoints on API keys.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tenantry_app::api_keys::{ApiKeyCreate, ApiKeyDelete, ApiKeyRotate, ApiKeyUpdate};
use tenantry_app::cursors::CursorScope;
use tenantry_app::tokens::IssuedToken;
use tenantry_app::{AccountPath, Error};
use tenantry_core::ids::TokenId;
use tenantry_core::token::{AccessToken, NewAccessToken};
use tenantry_store::StoredResponse;

use super::wire::{ApiKeyCreated, ApiKeyView, CreateAPIKeyRequest, UpdateAPIKeyRequest};
use crate::ahasend::errors::ErrorResponse;
use crate::ahasend::page;
use crate::ahasend::path::{self, account, sub_account};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::wire::TokenRotate;

/// The account in the path: the caller's own, or one of its sub-accounts.
fn account_path(call: &Call) -> Result<AccountPath, ErrorResponse> {
    let own = account(call)?;
    if !call.has_path_parameter("sub_account_id") {
        return Ok(AccountPath::Own(own));
    }
    Ok(AccountPath::Sub { parent: own, child: sub_account(call)? })
}

fn key(call: &Call) -> Result<(AccountPath, TokenId), ErrorResponse> {
    let account = account_path(call)?;
    Ok((account, TokenId::new(path::id(call, "key_id", "invalid key_id")?)))
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let account = account_path(&call)?;
    let of = CursorScope { organization: account.account(), list: "api-keys" };
    let keyset = page::read(&call, of)?;
    let page = call.app.api_keys(&call.requester(), account, keyset).await?;
    page::response::<_, ApiKeyView<'_>>(&call, of, &page)
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let account = account_path(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body();
    let CreateAPIKeyRequest { label, scopes, ip_allow_list } = input.finish(body)?;
    let new = NewAccessToken {
        label: label.0,
        scopes: scopes.0,
        ip_allow_list: ip_allow_list.map(|networks| networks.0).unwrap_or_default(),
        lifetime: None,
    };
    let operation =
        ApiKeyCreate { by: call.requester(), account, new, hash_key: call.app.hash_key().clone() };
    let created = |issued: &IssuedToken<AccessToken>| with_secret(StatusCode::CREATED, issued);
    Ok(call.write_once(operation, created).await?)
}

/// The response that shows a key's new secret.
fn with_secret(status: StatusCode, issued: &IssuedToken<AccessToken>) -> Result<StoredResponse, Error> {
    let key = ApiKeyView::from(&issued.token);
    to_stored(status, &ApiKeyCreated { key, secret_key: issued.secret.expose() })
}

pub(super) async fn rotate(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body::<TokenRotate>();
    let overlap = input.finish(body)?.overlap();
    let hash_key = call.app.hash_key().clone();
    let operation = ApiKeyRotate { by: call.requester(), account, id, overlap, hash_key };
    let rotated = |issued: &IssuedToken<AccessToken>| with_secret(StatusCode::OK, issued);
    Ok(call.write_once(operation, rotated).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let token = call.app.api_key(&call.requester(), account, id).await?;
    Ok(response::json(StatusCode::OK, &ApiKeyView::from(&token)))
}

fn shown(token: &AccessToken) -> Result<Vec<u8>, Error> {
    response::body(&ApiKeyView::from(token))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body::<UpdateAPIKeyRequest>();
    let change = input.finish(body)?.into();
    let operation = ApiKeyUpdate { by: call.requester(), account, id, change, from: call.address };
    let token = call.write_row(operation, shown).await?;
    Ok(response::json(StatusCode::OK, &ApiKeyView::from(&token)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let (account, id) = key(&call)?;
    let deletion = ApiKeyDelete { by: call.requester(), account, id };
    let AccessToken { id, label, .. } = call.write_row(deletion, shown).await?;
    let message = format!("api key {id} ({label}) deleted successfully");
    Ok(response::json(StatusCode::OK, &json!({"message": message})))
}
