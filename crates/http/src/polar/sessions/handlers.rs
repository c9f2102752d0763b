//! The handler that creates customer sessions.

use super::wire::{CustomerSessionView, SessionCreateBody};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use tenantry_app::sessions::{SessionCreate, SessionCreated};

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let SessionCreateBody { customer, member, return_url } = input.finish(body)?;
    let hash_key = call.app.hash_key().clone();
    let create = SessionCreate { by: call.requester(), customer, member, return_url, hash_key };
    let portal_url = Arc::clone(&call.portal_url);
    let shown = move |created: &SessionCreated| {
        to_stored(StatusCode::CREATED, &CustomerSessionView::new(created, &portal_url))
    };
    Ok(call.write_once(create, shown).await?)
}
