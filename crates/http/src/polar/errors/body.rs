//! The bodies of error responses (docs/contracts/polar/http.md, 1.6).

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde_json::{Value, json};

use tenantry_core::token::RequiredScope;

use crate::api::response::{json, set};
use crate::wire::Violation;

pub(super) fn plain(status: StatusCode, error: &str, detail: &str) -> Response {
    json(status, &json!({"error": error, "detail": detail}))
}

pub(super) fn invalid(error: &str, violations: &[Violation]) -> Response {
    json(StatusCode::UNPROCESSABLE_ENTITY, &json!({"error": error, "detail": violations}))
}

pub(super) fn rule(kind: &'static str, loc: &[&'static str], msg: &'static str, input: Value) -> Response {
    invalid("PolarRequestValidationError", &[Violation::rule(kind, loc, msg, input)])
}

/// The response to a token that does not work.
pub(super) fn invalid_token() -> Response {
    oauth(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
        &[],
    )
}

/// An error of RFC 6750, section 3.1. Clients compare its words.
pub(super) fn oauth(status: StatusCode, code: &str, description: &str, scopes: &[RequiredScope]) -> Response {
    let mut response = json(status, &json!({"error": code, "error_description": description}));
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let scope = if scopes.is_empty() { String::new() } else { format!(" scope=\"{}\",", scopes.join(" ")) };
    let challenge =
        format!("Bearer realm=\"tenantry\",{scope} error=\"{code}\", error_description=\"{description}\"");
    set(&mut response, WWW_AUTHENTICATE, &challenge);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The server cannot answer, now or at all.
pub(crate) fn unavailable(status: StatusCode) -> Response {
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let mut response = plain(status, "ServiceUnavailable", "Try again in a moment.");
        set(&mut response, RETRY_AFTER, "1");
        response
    } else {
        let (error, detail) = match status {
            StatusCode::GATEWAY_TIMEOUT => ("Timeout", "It took too long, and may have happened or not."),
            _ => ("InternalServerError", "Internal Server Error"),
        };
        plain(status, error, detail)
    }
}
