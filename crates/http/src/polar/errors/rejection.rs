//! Responses to requests that do not reach a handler.

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::body::{failed, invalid_token, oauth, plain, rule};
use crate::api::rejection::{Rejection, fault_status};
use crate::api::response::RenderedError;
use crate::limits;

/// The location of the header with the organization of a request.
const ORGANIZATION_HEADER: [&str; 2] = ["header", "Polar-Organization"];

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
        Rejection::BadOrganization(text) => bad_organization(text),
        Rejection::UnknownOrganization(id) => {
            rule("value_error", &ORGANIZATION_HEADER, "Organization not found.", id.to_string().into())
        }
        Rejection::PersonRequired => person_required(),
        Rejection::NoSuchPath => not_found(),
        Rejection::TooLarge(limit) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            &format!("A request body can have at most {limit} bytes."),
        ),
        Rejection::RateLimited { retry_after_s } => {
            RenderedError::empty(StatusCode::TOO_MANY_REQUESTS).with(RETRY_AFTER, retry_after_s.to_string())
        }
        Rejection::BadCondition(detail) => plain(StatusCode::BAD_REQUEST, "ConditionInvalid", detail),
        Rejection::ConditionFailed => plain(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "The object has changed since it was read: read it again.",
        ),
        Rejection::BadKey(detail) => plain(StatusCode::BAD_REQUEST, "IdempotencyKeyInvalid", detail),
        Rejection::BrokenBody => {
            plain(StatusCode::BAD_REQUEST, "BadRequest", "The request body ended before it was complete.")
        }
        Rejection::SlowBody => {
            plain(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request body arrived too slowly.")
        }
        Rejection::EncodedBody => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedContentEncoding",
            "Send the request body without Content-Encoding.",
        ),
        Rejection::TooManyParameters => plain(
            StatusCode::BAD_REQUEST,
            "TooManyQueryParameters",
            &format!("A query can have at most {} parameters.", limits::QUERY_PARAMETERS),
        ),
        Rejection::Busy => failed(StatusCode::SERVICE_UNAVAILABLE),
        Rejection::TimedOut => failed(StatusCode::GATEWAY_TIMEOUT),
        Rejection::Store(error) => {
            tracing::error!(%error, "token lookup failed");
            failed(fault_status(&error))
        }
    }
}

fn bad_organization(text: String) -> RenderedError {
    let message = "Input should be a valid UUID: send one id of an organization, or leave the header out.";
    rule("uuid_parsing", &ORGANIZATION_HEADER, message, text.into())
}

/// The body is the recorded one, so the header says the reason (RFC 6750, 3).
fn person_required() -> RenderedError {
    let reason =
        "Bearer realm=\"tenantry\", error_description=\"this operation needs the token of a person\"";
    plain(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized").with(WWW_AUTHENTICATE, reason)
}

/// The response to an unknown `Polar-Version`. Its status is that of the original.
pub(super) fn unknown_version(served: &[&str]) -> RenderedError {
    let detail = format!("Unknown Polar-Version. This server serves {}.", served.join(" and "));
    RenderedError::new(StatusCode::NOT_FOUND, json!({"detail": detail}))
}

/// The response for a path without an endpoint.
pub(super) fn not_found() -> RenderedError {
    RenderedError::new(StatusCode::NOT_FOUND, json!({"detail": "Not Found"}))
}

/// The response for a path without an endpoint of this method.
pub(super) fn method_not_allowed() -> RenderedError {
    RenderedError::new(StatusCode::METHOD_NOT_ALLOWED, json!({"detail": "Method Not Allowed"}))
}
