//! What needs no token: whether the server is well, the OpenAPI documents, and a page that shows them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use crate::call;
use crate::openapi::Dialect;
use crate::route::Shared;

const PAGE: &str = include_str!("../assets/docs.html");
/// The page loads nothing but the two documents of this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// The routes of this file.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let shared = Arc::clone(shared);
    let document = |dialect| {
        let text = crate::openapi_document(dialect).to_string().into_bytes();
        move || {
            let text = text.clone();
            async move { call::with_json(StatusCode::OK, text) }
        }
    };
    Router::new()
        .route("/healthz", get(async || call::json(StatusCode::OK, &json!({"status": "ok"}))))
        .route("/readyz", get(async move || ready(&shared).await))
        .route("/v1/openapi.json", get(document(Dialect::Polar)))
        .route("/v2/openapi.json", get(document(Dialect::AhaSend)))
        .route("/docs", get(async || page()))
}

async fn ready(shared: &Shared) -> Response {
    if shared.draining.load(Ordering::Relaxed) {
        return call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "draining"}));
    }
    match shared.app.ready().await {
        Ok(()) => call::json(StatusCode::OK, &json!({"status": "ok"})),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"}))
        }
    }
}

fn page() -> Response {
    let mut response = Response::new(Body::from(PAGE));
    call::set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    call::set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response
}
