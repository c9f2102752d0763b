//! What stands before the operations: every request gets an id, its path is settled, a time limit and a
//! place, and every answer what its dialect always carries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use tenantry_app::App;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::limits::Limits;
use crate::route::Shared;
use crate::{ahasend, call, docs, polar};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the front is told at start.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Limits.
    pub limits: Limits,
    /// Origins of browser applications that may send credentials.
    pub trusted_origins: Vec<String>,
    /// Where the portal's pages are: what the links to them begin with.
    pub portal_url: String,
}

/// The id of a request: shown on its answer, in the log and in the audit entries it caused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId {
    start: u64,
    number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:012x}{:08x}", self.start, self.number)
    }
}

/// Everything the server answers with.
#[derive(Clone)]
pub struct Front {
    shared: Arc<Shared>,
    router: Router,
    polar: Arc<polar::Front>,
    places: Arc<Semaphore>,
    start: u64,
    requests: Arc<AtomicU64>,
}

impl Front {
    /// The front of an application.
    #[must_use]
    pub fn new(app: Arc<App>, config: Config) -> Self {
        let Config { limits, trusted_origins, portal_url } = config;
        let places = Arc::new(Semaphore::new(limits.in_flight));
        let start = u64::try_from(app.now().as_micros()).unwrap_or(0) >> 4 & 0xffff_ffff_ffff;
        let shared = Arc::new(Shared { app, limits, portal_url: portal_url.into() });
        let router = polar::router(&shared)
            .merge(ahasend::router(&shared))
            .merge(docs::router(&shared))
            .fallback(|uri: Uri| async move { not_found(&uri) })
            .method_not_allowed_fallback(|uri: Uri| async move { method_not_allowed(&uri) });
        let polar = Arc::new(polar::Front::new(trusted_origins));
        Self { shared, router, polar, places, start, requests: Arc::default() }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The application behind it.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.shared.app
    }

    /// Answers a request.
    pub async fn answer(&self, mut request: Request<Body>) -> Response {
        let id = RequestId { start: self.start, number: self.requests.fetch_add(1, Ordering::Relaxed) };
        request.extensions_mut().insert(id);
        let begun = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let mut response = self.dispatch(request).await;
        call::set(&mut response, REQUEST_ID, &id.to_string());
        log(id, &method, &path, response.status(), begun);
        response
    }

    async fn dispatch(&self, mut request: Request<Body>) -> Response {
        let moved = settle(request.uri_mut());
        let is_polar = request.uri().path().starts_with("/v1/");
        let is_ahasend = request.uri().path().starts_with("/v2/");
        if is_polar {
            let visit = match self.polar.enter(&request, moved) {
                Ok(visit) => visit,
                Err(response) => return *response,
            };
            let mut response = self.route(request).await;
            visit.leave(&mut response);
            response
        } else {
            let mut response = self.route(request).await;
            if is_ahasend {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            response
        }
    }

    async fn route(&self, request: Request<Body>) -> Response {
        let Ok(_place) = self.places.try_acquire() else {
            return busy(request.uri(), StatusCode::SERVICE_UNAVAILABLE);
        };
        let uri = request.uri().clone();
        let answer = self.router.clone().oneshot(request);
        match tokio::time::timeout(self.shared.limits.request_timeout, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => busy(&uri, StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// Settles a path: `/api/v1` is `/v1`, and a slash at the end means nothing. Answers whether the root moved.
fn settle(uri: &mut Uri) -> bool {
    let path = uri.path();
    let moved = path == "/api/v1" || path.starts_with("/api/v1/");
    let settled = if moved { path.trim_start_matches("/api") } else { path };
    let settled = if settled.len() > 1 { settled.strip_suffix('/').unwrap_or(settled) } else { settled };
    if settled.len() == path.len() {
        return false;
    }
    let with_query = match uri.query() {
        Some(query) => format!("{settled}?{query}"),
        None => settled.to_owned(),
    };
    if let Ok(settled) = with_query.parse() {
        *uri = settled;
    }
    moved
}

fn not_found(uri: &Uri) -> Response {
    if uri.path().starts_with("/v2") { ahasend::not_found() } else { polar::not_found() }
}

fn method_not_allowed(uri: &Uri) -> Response {
    if uri.path().starts_with("/v2") { ahasend::method_not_allowed() } else { polar::method_not_allowed() }
}

fn busy(uri: &Uri, status: StatusCode) -> Response {
    let mut response =
        if uri.path().starts_with("/v2") { ahasend::unavailable(status) } else { polar::unavailable(status) };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn log(id: RequestId, method: &Method, path: &str, status: StatusCode, begun: Instant) {
    let (status, micros) = (status.as_u16(), begun.elapsed().as_micros());
    if status >= 500 {
        tracing::error!(request_id = %id, %method, path, status, micros, "answered");
    } else {
        tracing::info!(request_id = %id, %method, path, status, micros, "answered");
    }
}
