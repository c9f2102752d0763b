//! Responses to requests that do not get to a handler.

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::body::{failed, invalid_token, oauth, plain};
use crate::api::rejection::{Rejection, fault_status};
use crate::api::response::RenderedError;

/// Renders a rejection.
pub(super) fn of_rejection(rejection: Rejection) -> RenderedError {
    match rejection {
        Rejection::Unauthorized => plain(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
            .with(WWW_AUTHENTICATE, "Bearer realm=\"tenantry\""),
        Rejection::InvalidToken | Rejection::Suspended | Rejection::BadAccount => invalid_token(),
        Rejection::InsufficientScope(scopes) => oauth(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token.",
            &scopes,
        ),
        Rejection::AddressNotAllowed => plain(
            StatusCode::FORBIDDEN,
            "NotPermitted",
            "The access token may not be used from this address.",
        ),
        Rejection::NoSuchPath => not_found(),
        Rejection::TooLarge(limit) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            &format!("A request body has at most {limit} bytes."),
        ),
        Rejection::RateLimited { retry_after_s } => {
            plain(StatusCode::TOO_MANY_REQUESTS, "RateLimited", "Too many requests. Try again later.")
                .with(RETRY_AFTER, retry_after_s.to_string())
        }
        Rejection::BadKey(detail) => plain(StatusCode::BAD_REQUEST, "IdempotencyKeyInvalid", detail),
        Rejection::BrokenBody => {
            plain(StatusCode::BAD_REQUEST, "BadRequest", "The request body did not arrive whole.")
        }
        Rejection::Store(error) => {
            tracing::error!(%error, "token lookup failed");
            failed(fault_status(&error))
        }
    }
}

/// The response for a path that no endpoint has.
pub(super) fn not_found() -> RenderedError {
    RenderedError::new(StatusCode::NOT_FOUND, json!({"detail": "Not Found"}))
}

/// The response for a path that no endpoint has with this method.
pub(super) fn method_not_allowed() -> RenderedError {
    RenderedError::new(StatusCode::METHOD_NOT_ALLOWED, json!({"detail": "Method Not Allowed"}))
}
