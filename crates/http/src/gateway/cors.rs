//! Cross-origin requests of browsers to the Polar dialect (docs/contracts/polar/http.md, 1.11).

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;

use crate::api::response;

const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/// Request headers that a browser may send from any origin. The original does not know
/// `Idempotency-Key`, `If-Match` and `If-None-Match`.
const HEADERS: [&str; 10] = [
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Language",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Polar-Organization",
    "Polar-Version",
];

/// Response headers that a browser shows to its page. The original exposes the first alone.
const EXPOSED: &str =
    "Polar-Version, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotent-Replayed, ETag";

/// The origins that browsers may send credentials from.
pub(super) struct CorsPolicy {
    trusted_origins: Vec<String>,
}

/// The origin of a request, as the policy sees it.
pub(super) enum Cors {
    /// The request names no origin.
    SameOrigin,
    /// Any origin: without credentials.
    Public,
    /// A trusted origin: with credentials.
    Trusted(HeaderValue),
}

impl CorsPolicy {
    pub(super) const fn new(trusted_origins: Vec<String>) -> Self {
        Self { trusted_origins }
    }

    /// Adds the headers that let a page read the response. Where an origin is trusted, every response says that it
    /// depends on the origin, so that a cache never gives the one of an origin to another.
    pub(super) fn set_headers(&self, cors: &Cors, response: &mut Response) {
        if !self.trusted_origins.is_empty() {
            response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
        }
        cors.set_headers(response);
    }

    /// The origin of a request.
    pub(super) fn of(&self, headers: &HeaderMap) -> Cors {
        let is_trusted = |origin: &HeaderValue| {
            self.trusted_origins.iter().any(|trusted| trusted.as_bytes() == origin.as_bytes())
        };
        match headers.get(ORIGIN) {
            None => Cors::SameOrigin,
            Some(origin) if is_trusted(origin) => Cors::Trusted(origin.clone()),
            Some(_) => Cors::Public,
        }
    }
}

impl Cors {
    /// Whether a request is a CORS preflight.
    pub(super) fn is_preflight(&self, request: &Request<Body>) -> bool {
        request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && !matches!(self, Self::SameOrigin)
    }

    /// Adds the headers that let a page read the response.
    fn set_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        match self {
            Self::SameOrigin => {}
            Self::Public => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
            }
            Self::Trusted(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
            }
        }
    }

    /// The response to a preflight. A trusted origin may send any header.
    pub(super) fn preflight(&self, request: &Request<Body>) -> Response {
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
        let asked = asked.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = |name: &str| HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name));
        let mut unknown = asked.split(',').map(str::trim).filter(|name| !name.is_empty() && !known(name));
        let trusted = matches!(self, Self::Trusted(_));
        let (status, text) = if !trusted && unknown.next().is_some() {
            (StatusCode::BAD_REQUEST, "Disallowed CORS headers")
        } else {
            (StatusCode::OK, "OK")
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let allowed = if trusted { asked.to_owned() } else { HEADERS.join(", ") };
        response::set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
        response::set(&mut response, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        response::set(&mut response, ACCESS_CONTROL_MAX_AGE, "600");
        response::set(&mut response, ACCESS_CONTROL_ALLOW_HEADERS, &allowed);
        response
    }
}
