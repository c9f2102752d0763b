//! What needs no token: whether the server is well, the OpenAPI documents, and a page that shows them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use tenantry_app::WriteAttempts;
use tokio::sync::Mutex;

use crate::call;
use crate::limits;
use crate::openapi::Dialect;
use crate::route::AppState;

const PAGE: &str = include_str!("../assets/docs.html");
/// The page loads nothing but the two documents of this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// The routes of this file.
pub(crate) fn router(shared: &Arc<AppState>) -> Router {
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

/// What a node says of itself.
#[derive(Debug, Clone)]
enum Said {
    Ok,
    /// It serves, not as well as it should.
    Degraded(String),
    Unavailable,
}

/// What `/readyz` says, and said last. Anybody may ask: the database is asked by one of them for all.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Said)>>);

impl Readiness {
    async fn now(&self, shared: &AppState) -> Said {
        let mut last = self.0.lock().await;
        match &*last {
            Some((at, said)) if at.elapsed() < shared.limits.ready_kept => said.clone(),
            _ => {
                let said = judge(shared).await;
                *last = Some((Instant::now(), said.clone()));
                said
            }
        }
    }
}

/// Whether requests should be sent here. It always answers within two seconds.
async fn ready(shared: &AppState) -> Response {
    if shared.draining.load(Ordering::Relaxed) {
        return draining();
    }
    // Whoever asked before may have hung up, and left the question to the next.
    let longest = limits::READY_COMMIT + limits::READY_READ;
    let said = tokio::time::timeout(longest, shared.readiness.now(shared)).await;
    match said.unwrap_or(Said::Unavailable) {
        _ if shared.draining.load(Ordering::Relaxed) => draining(),
        Said::Ok => call::json(StatusCode::OK, &json!({"status": "ok"})),
        Said::Degraded(reason) => {
            call::json(StatusCode::OK, &json!({"status": "degraded", "reason": reason}))
        }
        Said::Unavailable => call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"})),
    }
}

fn draining() -> Response {
    call::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "draining"}))
}

async fn judge(shared: &AppState) -> Said {
    let tries = WriteAttempts::default();
    match tokio::time::timeout(limits::READY_COMMIT, shared.app.ready(&tries)).await {
        Ok(Ok(())) => with_clock(shared.app.clock_off()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not take a write");
            Said::Unavailable
        }
        Err(_) if tries.are_many() => {
            tracing::warn!("the database refuses writes");
            Said::Unavailable
        }
        Err(_) => waiting(shared).await,
    }
}

/// Which of two clocks is wrong, neither can tell. Were it the database's, no node would be left.
fn with_clock(off: Duration) -> Said {
    if off <= limits::CLOCK_OFF {
        return Said::Ok;
    }
    tracing::warn!(?off, "the clock differs too much from the database's");
    Said::Degraded(format!("the clock is {:.1} s off the database's", off.as_secs_f64()))
}

/// A commit waits, for a standby perhaps that is away: all nodes wait then, and reads need not.
async fn waiting(shared: &AppState) -> Said {
    match tokio::time::timeout(limits::READY_READ, shared.app.store().is_writable()).await {
        Ok(Ok(true)) => {
            tracing::warn!("writes wait; the database answers reads");
            Said::Degraded("writes wait".to_owned())
        }
        read => {
            tracing::warn!(?read, "the database does not answer");
            Said::Unavailable
        }
    }
}

fn page() -> Response {
    let mut response = Response::new(Body::from(PAGE));
    call::set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    call::set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response
}
