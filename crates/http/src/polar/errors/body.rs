//! The bodies of error responses (docs/contracts/polar/http.md, 1.6).

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use crate::api::response::RenderedError;
use crate::wire::Violation;

/// An error with a text as its detail.
pub(super) fn plain(status: StatusCode, error: &str, detail: &str) -> RenderedError {
    RenderedError::new(status, json!({"error": error, "detail": detail}))
}

/// An error with violations as its detail.
pub(super) fn invalid(error: &str, violations: &[Violation]) -> RenderedError {
    RenderedError::new(StatusCode::UNPROCESSABLE_ENTITY, json!({"error": error, "detail": violations}))
}

/// An error about one value that breaks a business rule.
pub(super) fn rule(
    kind: &'static str,
    loc: &[&'static str],
    msg: &'static str,
    input: Value,
) -> RenderedError {
    invalid("PolarRequestValidationError", &[Violation::rule(kind, loc, msg, input)])
}

/// The response to a token that does not authenticate.
pub(super) fn invalid_token() -> RenderedError {
    oauth(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
        &[],
    )
}

/// An error of RFC 6750, section 3.1. Clients compare its words.
pub(super) fn oauth(
    status: StatusCode,
    code: &str,
    description: &str,
    scopes: &[RequiredScope],
) -> RenderedError {
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let scope = if scopes.is_empty() { String::new() } else { format!(" scope=\"{}\",", scopes.join(" ")) };
    let challenge =
        format!("Bearer realm=\"tenantry\",{scope} error=\"{code}\", error_description=\"{description}\"");
    RenderedError::new(status, json!({"error": code, "error_description": description}))
        .with(WWW_AUTHENTICATE, challenge)
        .with(CACHE_CONTROL, "no-store")
        .with(PRAGMA, "no-cache")
}

/// The response to a request that the server cannot process: 503 when a retry can succeed, 504 when the outcome is
/// unknown, or 500.
pub(super) fn failed(status: StatusCode) -> RenderedError {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            plain(status, "ServiceUnavailable", "Try again in a moment.").with(RETRY_AFTER, "1")
        }
        StatusCode::GATEWAY_TIMEOUT => {
            plain(status, "Timeout", "It took too long, and may have happened or not.")
        }
        _ => plain(status, "InternalServerError", "Internal Server Error"),
    }
}
