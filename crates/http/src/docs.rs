//! The OpenAPI documents and the page that shows them.

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;

use crate::api::response;

const PAGE: &str = include_str!("../assets/docs.html");
/// The page loads nothing but the two documents of this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// Serves each document at its path, and the page at `/docs`.
pub(crate) fn router(documents: impl IntoIterator<Item = (&'static str, Value)>) -> Router {
    documents
        .into_iter()
        .fold(Router::new(), |router, (path, document)| {
            let text = document.to_string().into_bytes();
            router.route(
                path,
                get(move || {
                    let text = text.clone();
                    async move { response::rendered(StatusCode::OK, text) }
                }),
            )
        })
        .route("/docs", get(async || page()))
}

fn page() -> Response {
    let mut response = Response::new(Body::from(PAGE));
    response::set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    response::set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response
}
