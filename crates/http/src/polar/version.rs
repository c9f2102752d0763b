//! The version of the Polar API: the request header `Polar-Version` and the headers of every response
//! (docs/contracts/polar/http.md, 1.1 and 1.2).

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::errors;

/// The version of webhooks, and of requests that name no version.
pub(crate) const DEFAULT: &str = "2026-04";

const VERSIONS: [&str; 2] = [DEFAULT, "2026-10"];
const VERSION: HeaderName = HeaderName::from_static("polar-version");
const DEPRECATION: HeaderName = HeaderName::from_static("x-polar-deprecation-notice");

/// A version of the API that is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version(&'static str);

/// The version that a request asks for, or the response to an unknown one.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Version, Box<Response>> {
    let asked = headers.get(VERSION).map(|value| value.to_str().unwrap_or("?"));
    let version = match asked {
        None | Some("") => Some(DEFAULT),
        Some(asked) => VERSIONS.into_iter().find(|known| *known == asked),
    };
    version.map(Version).ok_or_else(|| Box::new(errors::unknown_version(&VERSIONS)))
}

impl Version {
    /// Adds the version and the caching rule. `moved` adds the notice that `/api/v1` is deprecated.
    pub(crate) fn set_headers(self, response: &mut Response, moved: bool) {
        let headers = response.headers_mut();
        headers.insert(VERSION, HeaderValue::from_static(self.0));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
        if moved {
            let notice = "The API root has moved from /api/v1 to /v1. Please update your integration.";
            headers.insert(DEPRECATION, HeaderValue::from_static(notice));
        }
    }
}
