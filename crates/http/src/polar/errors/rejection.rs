//! Responses to requests that do not get to a handler.

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde_json::json;

use super::body::{invalid_token, oauth, plain, unavailable};
use crate::api::rejection::{Rejection, fault_status};
use crate::api::response::{json, set};

/// The answer to a request that did not reach its handler.
pub(crate) fn reject(rejection: Rejection) -> Response {
    match rejection {
        Rejection::Unauthorized => {
            let mut response = plain(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
            set(&mut response, WWW_AUTHENTICATE, "Bearer realm=\"tenantry\"");
            response
        }
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
            let mut response =
                plain(StatusCode::TOO_MANY_REQUESTS, "RateLimited", "Too many requests. Try again later.");
            set(&mut response, RETRY_AFTER, &retry_after_s.to_string());
            response
        }
        Rejection::BadKey(detail) => plain(StatusCode::BAD_REQUEST, "IdempotencyKeyInvalid", detail),
        Rejection::Key(error) => super::use_case::of(&error),
        Rejection::BrokenBody => {
            plain(StatusCode::BAD_REQUEST, "BadRequest", "The request body did not arrive whole.")
        }
        Rejection::Store(error) => {
            tracing::error!(%error, "a token could not be looked up");
            unavailable(fault_status(&error))
        }
    }
}

/// There is no such path.
pub(crate) fn not_found() -> Response {
    json(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"}))
}

/// There is such a path, but not for this method.
pub(crate) fn method_not_allowed() -> Response {
    json(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "Method Not Allowed"}))
}
