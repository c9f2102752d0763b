//! Building blocks of responses.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::idempotency::IdempotentResponse;
use tenantry_store::StoredResponse;

/// `true` on a replayed response, `false` on a conflict with a request in progress.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A response with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => rendered(status, bytes),
        Err(error) => {
            tracing::error!(%error, "response body cannot be serialized");
            rendered(StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec())
        }
    }
}

/// A response whose JSON body is serialized already.
pub(crate) fn rendered(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The body of the response that shows a row.
pub(crate) fn body<T: Serialize>(shown: &T) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(shown)?)
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header. A value that is not valid in a header is left out.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A response in the form in which it is stored for an idempotency key.
pub(crate) fn to_stored<T: Serialize>(status: StatusCode, body: &T) -> Result<StoredResponse, Error> {
    Ok(StoredResponse { status: status.as_u16(), body: serde_json::to_vec(body)? })
}

/// The response of an idempotent request. A replay is marked.
pub(crate) fn idempotent(outcome: IdempotentResponse) -> Response {
    let IdempotentResponse { response: stored, replayed } = outcome;
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = rendered(status, stored.body);
    if replayed {
        set(&mut response, IDEMPOTENT_REPLAYED, "true");
    }
    response
}

/// An error as it goes over the wire.
#[derive(Debug)]
pub(crate) struct RenderedError {
    status: StatusCode,
    body: Value,
    headers: Vec<(HeaderName, String)>,
}

impl RenderedError {
    /// An error with this JSON body.
    pub(crate) const fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// An error without a body.
    pub(crate) const fn empty(status: StatusCode) -> Self {
        Self::new(status, Value::Null)
    }

    /// The same error with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The error in the form in which it is stored for an idempotency key: without headers, and with `null` as the
    /// `input` of violations, which otherwise repeats the request.
    pub(crate) fn into_stored(mut self) -> Result<StoredResponse, Error> {
        let violations = self.body.get_mut("detail").and_then(Value::as_array_mut);
        for violation in violations.into_iter().flatten().filter_map(Value::as_object_mut) {
            if let Some(input) = violation.get_mut("input") {
                *input = Value::Null;
            }
        }
        to_stored(self.status, &self.body)
    }
}

impl From<RenderedError> for Response {
    fn from(error: RenderedError) -> Self {
        let mut response =
            if error.body.is_null() { empty(error.status) } else { json(error.status, &error.body) };
        for (name, value) in error.headers {
            set(&mut response, name, &value);
        }
        response
    }
}
