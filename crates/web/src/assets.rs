//! Style sheet and scripts. Their hash is in the path, so browsers may keep them for good.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;

use crate::Console;
use crate::portal::brand;

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, content type and text of each asset.
const ASSETS: [(&str, &str, &str); 5] = [
    ("console.css", CSS, include_str!("../assets/console.css")),
    ("portal.css", CSS, include_str!("../assets/portal.css")),
    ("console.js", JAVASCRIPT, include_str!("../assets/console.js")),
    ("passkeys.js", JAVASCRIPT, include_str!("../assets/passkeys.js")),
    ("htmx.min.js", JAVASCRIPT, include_str!("../assets/htmx/htmx.min.js")),
];

/// The folder of the assets below a path.
pub(crate) fn folder(root: &str) -> String {
    let mut hasher = DefaultHasher::new();
    ASSETS.hash(&mut hasher);
    format!("{root}/{:016x}", hasher.finish())
}

/// Adds the routes of the assets: the files, and a style sheet for each colour of an organization.
pub(crate) fn routes(router: Router<Arc<Console>>, folder: &str) -> Router<Arc<Console>> {
    let router = router.route(&format!("{folder}/brand/{{color}}"), get(brand));
    ASSETS.iter().fold(router, |router, (name, kind, text)| {
        router.route(&format!("{folder}/{name}"), get(async move || asset(kind, *text)))
    })
}

/// The style sheet of a colour, such as `brand/0a7c4a.css`.
async fn brand(Path(file): Path<String>) -> Response {
    match file.strip_suffix(".css").and_then(brand::style_sheet) {
        Some(text) => asset(CSS, text),
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn asset(kind: &'static str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
