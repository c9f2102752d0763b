//! How the dialect says no: always `{"message": ..}` (docs/contracts/ahasend.md, 1.1, 1.2 and 3).

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde_json::json;
use tenantry_app::Error;
use tenantry_core::organization::SubAccountError;
use tenantry_core::team::TeamError;
use tenantry_core::token::{Scope, TokenError};

use crate::api::rejection::{Rejection, fault_status};
use crate::api::response::{IDEMPOTENT_REPLAYED, settled};
use crate::api::response::{json as json_response, set};
use crate::wire::Violation;

/// Why a handler of the dialect has nothing to show.
#[derive(Debug)]
pub(crate) enum ErrorResponse {
    /// What was sent is not what the operation takes.
    Malformed(Vec<Violation>),
    /// The same, in a word.
    Bad(&'static str),
    /// The use case failed.
    App(Error),
}

impl From<Vec<Violation>> for ErrorResponse {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Malformed(violations)
    }
}

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl From<ErrorResponse> for Response {
    fn from(failure: ErrorResponse) -> Self {
        match failure {
            ErrorResponse::Malformed(violations) => malformed(&violations),
            ErrorResponse::Bad(text) => message(StatusCode::BAD_REQUEST, text),
            ErrorResponse::App(error) if error.is_outcome() => of(&error),
            ErrorResponse::App(error) => settled(of(&error)),
        }
    }
}

pub(super) fn message(status: StatusCode, text: &str) -> Response {
    json_response(status, &json!({"message": text}))
}

/// The first fault, with its place: `role: Input should be ..`.
fn malformed(violations: &[Violation]) -> Response {
    let text = violations.first().map_or_else(
        || "invalid request body".to_owned(),
        |Violation { loc, msg, .. }| {
            let place: Vec<String> = loc.iter().skip(1).map(String::from).collect();
            let unreadable = violations.iter().any(|violation| violation.kind == "json_invalid");
            if unreadable || place.is_empty() {
                format!("invalid request body: {msg}")
            } else {
                format!("{}: {msg}", place.join("."))
            }
        },
    );
    message(StatusCode::BAD_REQUEST, &text)
}

/// The answer to a use case's failure.
fn of(error: &Error) -> Response {
    let text = error.to_string();
    let (status, text) = match error {
        Error::OrganizationNotFound => (StatusCode::NOT_FOUND, "account not found".to_owned()),
        Error::TokenNotFound => (StatusCode::NOT_FOUND, "api key not found".to_owned()),
        Error::Token(TokenError::ScopesExceed(scopes)) => {
            let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            (StatusCode::FORBIDDEN, format!("the caller does not hold these scopes: {}", names.join(", ")))
        }
        Error::Token(TokenError::NoFieldGiven | TokenError::NoChange) => (StatusCode::BAD_REQUEST, text),
        Error::Team(TeamError::NotFound | TeamError::OrganizationNotFound)
        | Error::SubAccountNotFound
        | Error::Member(_)
        | Error::Webhook(_)
        | Error::Portal(_)
        | Error::Customer(_) => (StatusCode::NOT_FOUND, text),
        Error::Team(
            TeamError::CannotRemoveOwner
            | TeamError::CannotRemoveSelf
            | TeamError::OwnerRoleFixed
            | TeamError::OwnerCannotLeave
            | TeamError::OnlyMember
            | TeamError::LastManager,
        )
        | Error::SubAccount(SubAccountError::Nested | SubAccountError::LimitReached(_))
        | Error::NotPermitted(_) => (StatusCode::FORBIDDEN, text),
        Error::OrganizationInvalid(violations) => {
            (StatusCode::BAD_REQUEST, violations.first().map_or(text, ToString::to_string))
        }
        Error::SubAccount(SubAccountError::NoFieldGiven | SubAccountError::NoChange)
        | Error::OrganizationGiven(_)
        | Error::OrganizationUnknown(_)
        | Error::OrganizationNeeded => (StatusCode::BAD_REQUEST, text),
        Error::Team(TeamError::AlreadyMember)
        | Error::AmbiguousCustomer
        | Error::AnswerForgotten
        | Error::Token(TokenError::ExcludesCaller) => (StatusCode::CONFLICT, text),
        Error::Lost(error) => return of(error),
        Error::InProgress { retry_after_s } => return in_progress(*retry_after_s),
        Error::KeyReused => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency key was already used with a different request payload".to_owned(),
        ),
        Error::Store(error) => {
            tracing::error!(%error, "a use case failed");
            return unavailable(fault_status(error));
        }
    };
    message(status, &text)
}

fn in_progress(retry_after_s: u64) -> Response {
    let text = "A request with this idempotency key is already in progress";
    let mut response = message(StatusCode::CONFLICT, text);
    set(&mut response, RETRY_AFTER, &retry_after_s.to_string());
    set(&mut response, IDEMPOTENT_REPLAYED, "false");
    response
}

/// The answer to a request that did not reach its handler.
pub(super) fn reject(rejection: Rejection) -> Response {
    match rejection {
        Rejection::Unauthorized => challenge("missing or malformed bearer token"),
        Rejection::InvalidToken => challenge("invalid API key"),
        Rejection::Suspended => challenge("Account is suspended"),
        Rejection::InsufficientScope(_) => {
            message(StatusCode::FORBIDDEN, "insufficient permissions for the required scope")
        }
        Rejection::AddressNotAllowed => {
            message(StatusCode::FORBIDDEN, "this API key may not be used from this IP address")
        }
        Rejection::BadAccount => message(StatusCode::BAD_REQUEST, "invalid account_id"),
        Rejection::NoSuchPath => not_found(),
        Rejection::TooLarge(limit) => {
            message(StatusCode::PAYLOAD_TOO_LARGE, &format!("request body is larger than {limit} bytes"))
        }
        Rejection::RateLimited { retry_after_s } => {
            let mut response = message(StatusCode::TOO_MANY_REQUESTS, "Too many requests, rate limited.");
            set(&mut response, RETRY_AFTER, &retry_after_s.to_string());
            response
        }
        Rejection::BadKey(text) => message(StatusCode::BAD_REQUEST, text),
        Rejection::Key(error) => of(&error),
        Rejection::BrokenBody => message(StatusCode::BAD_REQUEST, "invalid request body"),
        Rejection::Store(error) => {
            tracing::error!(%error, "a token could not be looked up");
            unavailable(fault_status(&error))
        }
    }
}

fn challenge(text: &str) -> Response {
    let mut response = message(StatusCode::UNAUTHORIZED, text);
    set(&mut response, WWW_AUTHENTICATE, "Bearer");
    response
}

/// There is no such path.
pub(crate) fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "not found")
}

/// There is such a path, but not for this method.
pub(crate) fn method_not_allowed() -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

/// The server cannot answer, now or at all.
pub(crate) fn unavailable(status: StatusCode) -> Response {
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let mut response = message(status, "service unavailable, please try again");
        set(&mut response, RETRY_AFTER, "1");
        response
    } else {
        message(
            status,
            if status == StatusCode::GATEWAY_TIMEOUT { "request timed out" } else { "internal server error" },
        )
    }
}
