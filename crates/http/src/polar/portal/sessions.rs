//! The sessions of a person in the portal.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::portal_sessions::PortalSessionEnd;
use tenantry_core::Timestamp;
use tenantry_core::ids::SessionId;

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::wire::{AnyUuid, Uuid4};

/// A session of the caller's person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerPortalSession", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalSessionView {
    /// The session's id.
    #[schemars(with = "Uuid4")]
    id: SessionId,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// Whether the request uses it.
    is_current: bool,
}

/// The sessions of the caller's person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerPortalSessions", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalSessionsView {
    /// The sessions that have not ended, newest first.
    items: Vec<PortalSessionView>,
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let by = call.requester();
    let current = by.session().map(|session| session.id);
    let sessions = call.app.portal_sessions(&by).await?;
    let items = sessions.into_iter().map(|session| PortalSessionView {
        id: session.id,
        created_at: session.created_at,
        expires_at: session.expires_at,
        is_current: Some(session.id) == current,
    });
    Ok(response::json(StatusCode::OK, &PortalSessionsView { items: items.collect() }))
}

pub(super) async fn end(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("id");
    let session = Some(SessionId::new(input.finish(id)?.0));
    call.write(PortalSessionEnd { by: call.requester(), session }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn sign_out(call: Call) -> Result<Response, ErrorResponse> {
    call.write(PortalSessionEnd { by: call.requester(), session: None }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
