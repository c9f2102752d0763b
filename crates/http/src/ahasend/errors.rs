//! Error responses of the dialect: always `{"message": ..}` (docs/contracts/ahasend.md, 1.1, 1.2 and 3).

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde_json::json;
use tenantry_app::Error;
use tenantry_core::organization::SubAccountError;
use tenantry_core::team::TeamError;
use tenantry_core::token::{Scope, TokenError};

use crate::api::rejection::{ErrorShapes, Rejection, fault_status};
use crate::api::response::{IDEMPOTENT_REPLAYED, RenderedError};
use crate::limits;
use crate::wire::Violation;

/// The error of a handler.
#[derive(Debug)]
pub(crate) enum ErrorResponse {
    /// The input does not have the form that the endpoint takes.
    Malformed(Vec<Violation>),
    /// The input is invalid, for this reason.
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
    fn from(error: ErrorResponse) -> Self {
        let rendered = match error {
            ErrorResponse::Malformed(violations) => malformed(&violations),
            ErrorResponse::Bad(text) => message(StatusCode::BAD_REQUEST, text),
            ErrorResponse::App(error) => of(&error),
        };
        rendered.into()
    }
}

/// The error shapes of the dialect.
pub(super) const SHAPES: ErrorShapes = ErrorShapes {
    reject: |rejection| of_rejection(rejection).into(),
    render_refusal: |error| of(error).into_stored(),
};

/// The response for a path without an endpoint.
pub(crate) fn not_found() -> Response {
    no_such_path().into()
}

/// The response for a path without an endpoint of this method.
pub(crate) fn method_not_allowed() -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").into()
}

fn message(status: StatusCode, text: &str) -> RenderedError {
    RenderedError::new(status, json!({"message": text}))
}

/// The response to a request that the server cannot process: 503 when a retry can succeed, 504 when the outcome is
/// unknown, or 500.
fn failed(status: StatusCode) -> RenderedError {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            message(status, "service unavailable, please try again").with(RETRY_AFTER, "1")
        }
        StatusCode::GATEWAY_TIMEOUT => message(status, "request timed out"),
        _ => message(status, "internal server error"),
    }
}

fn no_such_path() -> RenderedError {
    message(StatusCode::NOT_FOUND, "not found")
}

/// The text of the first violation, with its location: `role: Input should be ..`.
fn malformed(violations: &[Violation]) -> RenderedError {
    let text = violations.first().map_or_else(
        || "invalid request body".to_owned(),
        |Violation { loc, msg, .. }| {
            let location: Vec<String> = loc.iter().skip(1).map(String::from).collect();
            let unreadable = violations.iter().any(|violation| violation.kind == "json_invalid");
            if unreadable || location.is_empty() {
                format!("invalid request body: {msg}")
            } else {
                format!("{}: {msg}", location.join("."))
            }
        },
    );
    message(StatusCode::BAD_REQUEST, &text)
}

/// Renders the error of a use case.
fn of(error: &Error) -> RenderedError {
    let text = error.to_string();
    let (status, text) = match error {
        Error::OrganizationNotFound => (StatusCode::NOT_FOUND, "account not found".to_owned()),
        Error::TokenNotFound => (StatusCode::NOT_FOUND, "api key not found".to_owned()),
        Error::Token(TokenError::ScopesExceed(scopes) | TokenError::TargetExceeds(scopes)) => {
            let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            (StatusCode::FORBIDDEN, format!("the caller does not hold these scopes: {}", names.join(", ")))
        }
        Error::Token(TokenError::NoFieldGiven | TokenError::NoChange) => (StatusCode::BAD_REQUEST, text),
        Error::Team(TeamError::NotFound | TeamError::OrganizationNotFound)
        | Error::SubAccountNotFound
        | Error::ImportNotFound
        | Error::AuditEntryNotFound
        | Error::PasskeyNotFound
        | Error::Member(_)
        | Error::User(_)
        | Error::Webhook(_)
        | Error::Portal(_)
        | Error::Customer(_) => (StatusCode::NOT_FOUND, text),
        Error::Team(
            TeamError::CannotRemoveOwner
            | TeamError::CannotRemoveSelf
            | TeamError::OwnerRoleFixed
            | TeamError::OwnerCannotLeave
            | TeamError::OnlyMember
            | TeamError::NotOffered
            | TeamError::InvitationRequired
            | TeamError::LastManager,
        )
        | Error::SubAccount(SubAccountError::Nested | SubAccountError::LimitReached(_))
        | Error::Token(TokenError::NetworksExceed | TokenError::ExpiryExceeds)
        | Error::LimitReached(_)
        | Error::CallerReduced
        | Error::ProofRequired
        | Error::OwnerSuspended
        | Error::NotPermitted(_) => (StatusCode::FORBIDDEN, text),
        Error::OrganizationInvalid(violations) => {
            (StatusCode::BAD_REQUEST, violations.first().map_or(text, ToString::to_string))
        }
        Error::SubAccount(SubAccountError::NoFieldGiven | SubAccountError::NoChange)
        | Error::OrganizationNotAccepted(_)
        | Error::UnknownOrganization(_)
        | Error::OrganizationRequired => (StatusCode::BAD_REQUEST, text),
        Error::Team(TeamError::AlreadyMember | TeamError::AlreadyOwner)
        | Error::Deletion(_)
        | Error::Invitation(_)
        | Error::AmbiguousCustomer
        | Error::StoredResponseExpired
        | Error::SecretOfOtherCredential
        | Error::Token(TokenError::ExcludesCaller | TokenError::Expired) => (StatusCode::CONFLICT, text),
        Error::CallerUnknown => return of_rejection(Rejection::InvalidToken),
        Error::CallerSuspended => return of_rejection(Rejection::Suspended),
        Error::ConditionFailed => return of_rejection(Rejection::ConditionFailed),
        Error::TooManyImports | Error::TooManyImportBytes => return too_many(1),
        Error::WebhookBytes { retry_after_s }
        | Error::StoredBytes { retry_after_s }
        | Error::TooManyAttempts { retry_after_s } => return too_many(*retry_after_s),
        Error::ReplayNotPermitted(error) => return of(error),
        Error::IdempotencyInProgress { retry_after_s } => return in_progress(*retry_after_s),
        Error::IdempotencyKeyReused => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency key was already used with a different request payload".to_owned(),
        ),
        Error::Store(error) => {
            tracing::error!(%error, "use case failed");
            return failed(fault_status(error));
        }
    };
    message(status, &text)
}

fn too_many(retry_after_s: u64) -> RenderedError {
    of_rejection(Rejection::RateLimited { retry_after_s })
}

fn in_progress(retry_after_s: u64) -> RenderedError {
    message(StatusCode::CONFLICT, "A request with this idempotency key is already in progress")
        .with(RETRY_AFTER, retry_after_s.to_string())
        .with(IDEMPOTENT_REPLAYED, "false")
}

/// Renders a rejection.
fn of_rejection(rejection: Rejection) -> RenderedError {
    match rejection {
        Rejection::Unauthorized | Rejection::PersonRequired => challenge("missing or malformed bearer token"),
        Rejection::BadOrganization(_) | Rejection::UnknownOrganization(_) => {
            message(StatusCode::BAD_REQUEST, "invalid organization")
        }
        Rejection::InvalidToken => challenge("invalid API key"),
        Rejection::Suspended => challenge("Account is suspended"),
        Rejection::InsufficientScope(_) => {
            message(StatusCode::FORBIDDEN, "insufficient permissions for the required scope")
        }
        Rejection::AddressNotAllowed => {
            message(StatusCode::FORBIDDEN, "this API key may not be used from this IP address")
        }
        Rejection::BadAccount => message(StatusCode::BAD_REQUEST, "invalid account_id"),
        Rejection::NoSuchPath => no_such_path(),
        Rejection::TooLarge(limit) => {
            message(StatusCode::PAYLOAD_TOO_LARGE, &format!("request body is larger than {limit} bytes"))
        }
        Rejection::RateLimited { retry_after_s } => {
            // A published client does not read this body. It could not reuse a connection with an unread body.
            RenderedError::empty(StatusCode::TOO_MANY_REQUESTS).with(RETRY_AFTER, retry_after_s.to_string())
        }
        Rejection::BadCondition(text) => message(StatusCode::BAD_REQUEST, text),
        Rejection::ConditionFailed => message(
            StatusCode::PRECONDITION_FAILED,
            "the object has changed since it was read: read it again",
        ),
        Rejection::BadKey(text) => message(StatusCode::BAD_REQUEST, text),
        Rejection::BrokenBody => message(StatusCode::BAD_REQUEST, "invalid request body"),
        Rejection::SlowBody => message(StatusCode::REQUEST_TIMEOUT, "the request body arrived too slowly"),
        Rejection::EncodedBody => {
            message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the request body without Content-Encoding")
        }
        Rejection::TooManyParameters => message(
            StatusCode::BAD_REQUEST,
            &format!("a query has at most {} parameters", limits::QUERY_PARAMETERS),
        ),
        Rejection::Busy => failed(StatusCode::SERVICE_UNAVAILABLE),
        Rejection::TimedOut => failed(StatusCode::GATEWAY_TIMEOUT),
        Rejection::Store(error) => {
            tracing::error!(%error, "token lookup failed");
            failed(fault_status(&error))
        }
    }
}

fn challenge(text: &str) -> RenderedError {
    message(StatusCode::UNAUTHORIZED, text).with(WWW_AUTHENTICATE, "Bearer")
}
