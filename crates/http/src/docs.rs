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
use tenantry_app::Tries;

use crate::call;
use crate::limits;
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

/// Whether requests should be sent here. It always answers within two seconds.
async fn ready(shared: &Shared) -> Response {
    if shared.draining.load(Ordering::Relaxed) {
        return call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "draining"}));
    }
    let off = shared.app.clock_off();
    if off > limits::CLOCK_OFF {
        tracing::warn!(?off, "the clock differs too much from the database's");
        let reason = format!("the clock is {:.1} s off the database's", off.as_secs_f64());
        let body = json!({"status": "unavailable", "reason": reason});
        return call::json(StatusCode::SERVICE_UNAVAILABLE, &body);
    }
    let tries = Tries::default();
    match tokio::time::timeout(limits::READY_COMMIT, shared.app.ready(&tries)).await {
        Ok(Ok(())) => call::json(StatusCode::OK, &json!({"status": "ok"})),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not take a write");
            call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"}))
        }
        Err(_) if tries.are_many() => {
            tracing::warn!("the database refuses writes");
            call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"}))
        }
        Err(_) => waiting(shared).await,
    }
}

/// A commit waits, for a standby perhaps that is away: all nodes wait then, and reads need not.
async fn waiting(shared: &Shared) -> Response {
    match tokio::time::timeout(limits::READY_READ, shared.app.store().is_writable()).await {
        Ok(Ok(true)) => {
            tracing::warn!("writes wait; the database answers reads");
            let body = json!({"status": "degraded", "reason": "writes wait"});
            call::json(StatusCode::OK, &body)
        }
        read => {
            tracing::warn!(?read, "the database does not answer");
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
