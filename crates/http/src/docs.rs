//! The OpenAPI documents, the API reference at `/docs` that shows them, and an overview of both at `/`.
//!
//! The reference is Swagger UI, vendored in `assets/docs`. The page loads nothing from another origin. Its assets carry a
//! hash of their content in the path, so browsers may keep them for good. The files of Swagger UI are compressed, which
//! makes the program 1.4 MB smaller; every browser takes them in this form.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::api::response;

const PAGE: &str = include_str!("../assets/docs/reference.html");
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file that the page loads.
#[derive(Hash)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    is_gzip: bool,
}

static ASSETS: [Asset; 4] = [
    Asset {
        name: "swagger-ui.css",
        content_type: CSS,
        bytes: include_bytes!("../assets/docs/swagger-ui/swagger-ui.css.gz"),
        is_gzip: true,
    },
    Asset {
        name: "swagger-ui-bundle.js",
        content_type: JAVASCRIPT,
        bytes: include_bytes!("../assets/docs/swagger-ui/swagger-ui-bundle.js.gz"),
        is_gzip: true,
    },
    Asset {
        name: "reference.css",
        content_type: CSS,
        bytes: include_bytes!("../assets/docs/reference.css"),
        is_gzip: false,
    },
    Asset {
        name: "reference.js",
        content_type: JAVASCRIPT,
        bytes: include_bytes!("../assets/docs/reference.js"),
        is_gzip: false,
    },
];

/// The page's path with a slash at its end. The gateway leaves it as it is, because the page's links are relative.
pub(crate) const PATH_WITH_SLASH: &str = "/docs/";

/// Serves each document at its path, the page at `/docs`, the page's assets, and the overview at `/`.
pub(crate) fn router(documents: impl IntoIterator<Item = (&'static str, Value)>) -> Router {
    let router = documents.into_iter().fold(Router::new(), |router, (path, document)| {
        let text = Bytes::from(document.to_string());
        router.route(path, get(async move || response::rendered(StatusCode::OK, text.clone())))
    });
    let folder = format!("assets/{:016x}", hash_of_assets());
    let (page, page_with_slash) = (page_with(&format!("docs/{folder}")), page_with(&folder));
    let router = router
        .route("/", get(async || response::rendered(StatusCode::OK, overview())))
        .route("/docs", get(async move || html(page.clone())))
        .route(PATH_WITH_SLASH, get(async move || html(page_with_slash.clone())));
    ASSETS.iter().fold(router, |router, one| {
        router.route(&format!("/docs/{folder}/{}", one.name), get(async move || asset(one)))
    })
}

/// The APIs of the server and the paths of their documents.
fn overview() -> Vec<u8> {
    json!({
        "service": "tenantry",
        "docs": "/docs",
        "apis": {
            "polar": {"path": "/v1", "openapi": "/v1/openapi.json"},
            "ahasend": {"path": "/v2", "openapi": "/v2/openapi.json"},
        },
        "health": "/healthz",
        "readiness": "/readyz",
    })
    .to_string()
    .into_bytes()
}

/// The page, whose links to its assets begin with `folder`.
fn page_with(folder: &str) -> Bytes {
    Bytes::from(PAGE.replace("ASSETS", folder))
}

fn hash_of_assets() -> u64 {
    let mut hasher = DefaultHasher::new();
    ASSETS.hash(&mut hasher);
    hasher.finish()
}

fn html(page: Bytes) -> Response {
    let mut response = Response::new(Body::from(page));
    response::set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    response::set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response::set(&mut response, CONTENT_TYPE_OPTIONS, "nosniff");
    response::set(&mut response, CACHE_CONTROL, "no-cache");
    response
}

fn asset(asset: &'static Asset) -> Response {
    let mut response = Response::new(Body::from(asset.bytes));
    response::set(&mut response, CONTENT_TYPE, asset.content_type);
    if asset.is_gzip {
        response::set(&mut response, CONTENT_ENCODING, "gzip");
    }
    response::set(&mut response, CONTENT_TYPE_OPTIONS, "nosniff");
    response::set(&mut response, CACHE_CONTROL, "public, max-age=31536000, immutable");
    response
}
