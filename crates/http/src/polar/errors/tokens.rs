//! Errors about access tokens.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use serde_json::Value;
use tenantry_core::token::{Scope, TokenError};

use super::body::{invalid, plain};
use crate::wire::Violation;

/// Renders an error of the rules of tokens.
pub(super) fn of_token(error: &TokenError) -> RenderedError {
    let excess = match error {
        TokenError::ScopesExceed(excess) => excess,
        TokenError::TargetExceeds(_) | TokenError::NetworksExceed | TokenError::ExpiryExceeds => {
            return plain(StatusCode::FORBIDDEN, "NotPermitted", &error.to_string());
        }
        TokenError::Expired => {
            return plain(StatusCode::CONFLICT, "TokenExpired", "The token has expired: create a new one.");
        }
        // These errors are about changes of API keys, which this dialect does not have.
        TokenError::NoFieldGiven | TokenError::NoChange | TokenError::ExcludesCaller => {
            return plain(StatusCode::BAD_REQUEST, "BadRequest", &error.to_string());
        }
    };
    let excess: Vec<&str> = excess.iter().map(Scope::as_str).collect();
    let msg = "You cannot grant a scope that you do not hold.";
    let violation = Violation::rule("value_error", &["body", "scopes"], msg, Value::from(excess));
    invalid("PolarRequestValidationError", &[violation])
}
