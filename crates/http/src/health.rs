//! `/healthz` and `/readyz`.
//!
//! `/healthz` says that the process answers. `/readyz` says whether requests should be sent here:
//!
//! | status | body | meaning |
//! |---|---|---|
//! | 200 | `ok` | The database commits a write. |
//! | 200 | `degraded` | Reads work. Writes wait, a server behind the database is lost, or the clock is off. |
//! | 503 | `unavailable` | The database answers neither. |
//! | 503 | `draining` | The server is about to stop. |
//!
//! These endpoints need no token, so the result of one probe serves all requests within
//! [`Limits::ready_kept`](crate::Limits::ready_kept).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use tenantry_app::{App, WriteAttempts};
use tokio::sync::Mutex;

use crate::api::response;
use crate::limits;

/// The result of a probe of the database.
#[derive(Debug, Clone)]
enum Readiness {
    Ok,
    /// The node serves requests, with this restriction.
    Degraded(String),
    Unavailable,
}

/// The health of this node.
pub(crate) struct Health {
    app: Arc<App>,
    /// The time for which a probe's result is reused.
    ready_kept: Duration,
    draining: AtomicBool,
    last: Mutex<Option<(Instant, Readiness)>>,
}

/// The routes of this module.
pub(crate) fn router(health: &Arc<Health>) -> Router {
    let health = Arc::clone(health);
    Router::new()
        .route("/healthz", get(async || response::json(StatusCode::OK, &json!({"status": "ok"}))))
        .route("/readyz", get(async move || health.ready().await))
}

impl Health {
    pub(crate) fn new(app: Arc<App>, ready_kept: Duration) -> Self {
        Self { app, ready_kept, draining: AtomicBool::new(false), last: Mutex::default() }
    }

    /// Marks the server as about to stop.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The response of `/readyz`, within two seconds.
    async fn ready(&self) -> Response {
        if self.is_draining() {
            return draining();
        }
        // The request that runs the probe may be cancelled. The next one then runs it.
        let longest = limits::READY_COMMIT + limits::READY_READ;
        let readiness = tokio::time::timeout(longest, self.readiness()).await;
        match readiness.unwrap_or(Readiness::Unavailable) {
            _ if self.is_draining() => draining(),
            Readiness::Ok => response::json(StatusCode::OK, &json!({"status": "ok"})),
            Readiness::Degraded(reason) => {
                response::json(StatusCode::OK, &json!({"status": "degraded", "reason": reason}))
            }
            Readiness::Unavailable => {
                response::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"}))
            }
        }
    }

    /// The result of the last probe, or of a new one.
    async fn readiness(&self) -> Readiness {
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, readiness)) if at.elapsed() < self.ready_kept => readiness.clone(),
            _ => {
                let readiness = self.probe().await;
                *last = Some((Instant::now(), readiness.clone()));
                readiness
            }
        }
    }

    async fn probe(&self) -> Readiness {
        let attempts = WriteAttempts::default();
        match tokio::time::timeout(limits::READY_COMMIT, self.app.ready(&attempts)).await {
            Ok(Ok(())) => self.probe_servers().await,
            Ok(Err(error)) => {
                tracing::warn!(%error, "database refused the readiness write");
                Readiness::Unavailable
            }
            Err(_) if attempts.is_repeated_failure() => {
                tracing::warn!("database refuses every attempt of the readiness write");
                Readiness::Unavailable
            }
            Err(_) => self.probe_reads().await,
        }
    }

    /// Probes the servers behind the database after a write was committed. A lost one affects all nodes alike, and
    /// the tenants of the others are served.
    async fn probe_servers(&self) -> Readiness {
        match tokio::time::timeout(limits::READY_READ, self.app.store().lost_servers()).await {
            Ok(Ok(0)) => check_clock(self.app.clock_skew()),
            lost => {
                tracing::warn!(?lost, "servers behind the database do not answer");
                Readiness::Degraded("a server behind the database does not answer".to_owned())
            }
        }
    }

    /// Probes reads after a write did not finish in time. While commits wait for a standby, no node can write, but
    /// all can read.
    async fn probe_reads(&self) -> Readiness {
        match tokio::time::timeout(limits::READY_READ, self.app.store().is_writable()).await {
            Ok(Ok(true)) => {
                tracing::warn!("writes wait, reads work");
                Readiness::Degraded("writes wait".to_owned())
            }
            read => {
                tracing::warn!(?read, "database does not answer");
                Readiness::Unavailable
            }
        }
    }
}

fn draining() -> Response {
    response::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "draining"}))
}

/// Degraded when the clock differs from the database's by more than [`limits::CLOCK_OFF`]. The node stays in service,
/// because the database's clock may be the wrong one.
fn check_clock(off: Duration) -> Readiness {
    if off <= limits::CLOCK_OFF {
        return Readiness::Ok;
    }
    tracing::warn!(?off, "clock differs from the database's");
    Readiness::Degraded(format!("the clock is {:.1} s off the database's", off.as_secs_f64()))
}
