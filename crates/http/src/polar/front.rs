//! What every request and answer of the dialect carries: its version, and leave for browsers
//! (docs/contracts/polar/http.md, 1.1, 1.2 and 1.11).

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_TYPE, HeaderName,
    ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::Response;

use super::error;
use crate::call;

const VERSION: HeaderName = HeaderName::from_static("polar-version");
const DEPRECATION: HeaderName = HeaderName::from_static("x-polar-deprecation-notice");
const VERSIONS: [&str; 2] = ["2026-04", "2026-10"];
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/// Headers that a browser may send from any origin; `idempotency-key` is Tenantry's own.
const HEADERS: [&str; 7] = [
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Language",
    "Content-Type",
    "Idempotency-Key",
    "Polar-Version",
];

/// What stands before the dialect's operations.
pub(crate) struct Front {
    trusted_origins: Vec<String>,
}

/// One request inside the dialect.
pub(crate) struct Visit {
    version: &'static str,
    cors: Cors,
    moved: bool,
}

enum Cors {
    None,
    Public,
    Trusted(HeaderValue),
}

impl Front {
    pub(crate) const fn new(trusted_origins: Vec<String>) -> Self {
        Self { trusted_origins }
    }

    /// Lets a request in, or answers it: a version that is not known, a browser's question.
    pub(crate) fn enter(&self, request: &Request<Body>, moved: bool) -> Result<Visit, Box<Response>> {
        let asked = request.headers().get(VERSION).map(|value| value.to_str().unwrap_or("?"));
        let version = match asked {
            None | Some("") => VERSIONS.first().copied(),
            Some(asked) => VERSIONS.into_iter().find(|known| *known == asked),
        };
        let version = version.ok_or_else(|| Box::new(error::not_found()))?;
        let cors = match request.headers().get(ORIGIN) {
            None => Cors::None,
            Some(origin)
                if self.trusted_origins.iter().any(|trusted| trusted.as_bytes() == origin.as_bytes()) =>
            {
                Cors::Trusted(origin.clone())
            }
            Some(_) => Cors::Public,
        };
        let visit = Visit { version, cors, moved };
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && !matches!(visit.cors, Cors::None);
        if asks { Err(Box::new(visit.preflight(request))) } else { Ok(visit) }
    }
}

impl Visit {
    /// Adds what every answer carries.
    pub(crate) fn leave(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(VERSION, HeaderValue::from_static(self.version));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
        if self.moved {
            let notice = "The API root has moved from /api/v1 to /v1. Please update your integration.";
            headers.insert(DEPRECATION, HeaderValue::from_static(notice));
        }
        match &self.cors {
            Cors::None => {}
            Cors::Public => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Polar-Version"));
            }
            Cors::Trusted(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                headers.insert(VARY, HeaderValue::from_static("Origin"));
            }
        }
    }

    fn preflight(&self, request: &Request<Body>) -> Response {
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
        let asked = asked.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = |name: &str| HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name));
        let mut unknown = asked.split(',').map(str::trim).filter(|name| !name.is_empty() && !known(name));
        let trusted = matches!(self.cors, Cors::Trusted(_));
        let refused = !trusted && unknown.next().is_some();
        let (status, text) = if refused {
            (StatusCode::BAD_REQUEST, "Disallowed CORS headers")
        } else {
            (StatusCode::OK, "OK")
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let allowed = if trusted { asked.to_owned() } else { HEADERS.join(", ") };
        call::set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
        call::set(&mut response, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        call::set(&mut response, ACCESS_CONTROL_MAX_AGE, "600");
        call::set(&mut response, ACCESS_CONTROL_ALLOW_HEADERS, &allowed);
        self.leave(&mut response);
        response
    }
}
