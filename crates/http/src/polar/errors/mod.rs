//! Error responses of the dialect (docs/contracts/polar/http.md, 1.6).
//!
//! [`rejection`] renders a request that was refused before its handler, [`use_case`] an error of a use case. The
//! other modules render the errors of one noun each.

mod body;
mod customers;
mod invitations;
mod members;
mod organizations;
mod portal;
mod rejection;
mod team;
mod tokens;
mod use_case;

use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::portal::PortalError;

pub(super) use portal::of_billing;

use crate::api::rejection::{ErrorShapes, Rejection};
use crate::wire::Violation;

/// The error of a handler.
#[derive(Debug)]
pub(crate) enum ErrorResponse {
    /// The input does not have the form that the endpoint takes.
    Malformed(Vec<Violation>),
    /// The input breaks a rule that is checked before the use case.
    Rules(Vec<Violation>),
    /// The resource does not exist.
    NotFound(&'static str),
    /// The endpoint is not for callers of this kind.
    Rejection(Rejection),
    /// The use case failed.
    App(Error),
}

impl From<Rejection> for ErrorResponse {
    fn from(rejection: Rejection) -> Self {
        Self::Rejection(rejection)
    }
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

impl From<PortalError> for ErrorResponse {
    fn from(error: PortalError) -> Self {
        Self::App(error.into())
    }
}

impl From<ErrorResponse> for Response {
    fn from(error: ErrorResponse) -> Self {
        let rendered = match error {
            ErrorResponse::Malformed(violations) => body::invalid("RequestValidationError", &violations),
            ErrorResponse::Rules(violations) => body::invalid("PolarRequestValidationError", &violations),
            ErrorResponse::NotFound(detail) => body::plain(StatusCode::NOT_FOUND, "ResourceNotFound", detail),
            ErrorResponse::Rejection(rejection) => rejection::of_rejection(rejection),
            ErrorResponse::App(error) => use_case::of(&error),
        };
        rendered.into()
    }
}

/// The error shapes of the dialect.
pub(super) const SHAPES: ErrorShapes = ErrorShapes {
    reject: |rejection| rejection::of_rejection(rejection).into(),
    render_refusal: |error| use_case::of(error).into_stored(),
};

/// The response to an unknown version of the API.
pub(super) fn unknown_version(served: &[&str]) -> Response {
    rejection::unknown_version(served).into()
}

/// The response for a path without an endpoint.
pub(crate) fn not_found() -> Response {
    rejection::not_found().into()
}

/// The response for a path without an endpoint of this method.
pub(crate) fn method_not_allowed() -> Response {
    rejection::method_not_allowed().into()
}
