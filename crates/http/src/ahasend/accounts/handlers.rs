//! Handlers of the endpoints on accounts.

use super::wire::{AccountView, UpdateAccountRequest};
use crate::ahasend::errors::ErrorResponse;
use crate::ahasend::path::account;
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tenantry_app::organizations::OrganizationUpdate;
use tenantry_core::organization::Organization;

pub(super) async fn ping(_: Call) -> Result<Response, ErrorResponse> {
    Ok(response::json(StatusCode::OK, &json!({"message": "pong"})))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let organization = call.app.organization(&call.requester(), account(&call)?).await?;
    Ok(response::json(StatusCode::OK, &AccountView::from(&organization)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let id = account(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body::<UpdateAccountRequest>();
    let change = input.finish(body)?.into();
    let update = OrganizationUpdate { by: call.requester(), id, change };
    let shown = |row: &Organization| response::body(&AccountView::from(row));
    let organization = call.write_row(update, shown).await?;
    Ok(response::json(StatusCode::OK, &AccountView::from(&organization)))
}
