//! Style sheet and scripts. Their hash is in the path, so browsers may keep them for good.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;

use crate::Console;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, content type and text of each asset.
const ASSETS: [(&str, &str, &str); 4] = [
    ("console.css", "text/css; charset=utf-8", include_str!("../assets/console.css")),
    ("console.js", JAVASCRIPT, include_str!("../assets/console.js")),
    ("passkeys.js", JAVASCRIPT, include_str!("../assets/passkeys.js")),
    ("htmx.min.js", JAVASCRIPT, include_str!("../assets/htmx/htmx.min.js")),
];

/// The folder of the assets.
pub(crate) fn folder() -> String {
    let mut hasher = DefaultHasher::new();
    ASSETS.hash(&mut hasher);
    format!("{}/assets/{:016x}", crate::ROOT, hasher.finish())
}

/// Adds the routes of the assets.
pub(crate) fn routes(router: Router<Arc<Console>>, folder: &str) -> Router<Arc<Console>> {
    ASSETS.iter().fold(router, |router, (name, kind, text)| {
        router.route(&format!("{folder}/{name}"), get(async move || asset(kind, text)))
    })
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
