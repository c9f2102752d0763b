//! The steps before routing, for every request:
//!
//! 1. assign the request id and find the client's address,
//! 2. refuse a request with a malformed or too large head ([`framing`]),
//! 3. normalize the path,
//! 4. in the Polar dialect, negotiate the version and answer CORS preflights; for a page, take a slot and count the
//!    request against the limit of the address ([`pages`]),
//! 5. route.
//!
//! On the way back the gateway adds the headers that every response of the dialect carries, and logs.

mod client_address;
mod cors;
mod framing;
mod pages;

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use tenantry_app::App;
use tenantry_core::values::IpAllowList;
use tenantry_store::PeerChannel;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;

use crate::api::request::{BodyRead, ClientAddress, RequestId, RequestLog};
use crate::api::response;
use crate::health::{self, Health};
use crate::limits::{Limits, SHARE_EVERY};
use crate::meters::{Meters, ServerReading};
use crate::pipeline::memory::MemoryBudget;
use crate::pipeline::rate_limit::{RateLimiters, Rates};
use crate::pipeline::slots::Slots;
use crate::state::AppState;
use crate::{ahasend, docs, polar};
use client_address::client_address;
use cors::CorsPolicy;
use framing::Malformed;

/// Responses are data: a browser must not show them in a frame, nor load anything for them.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Configuration of the gateway.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Limits of the wire.
    pub limits: Limits,
    /// The duration from which on a request is logged as a warning. Zero: no request is.
    pub slow_request: Duration,
    /// Origins of browser applications that may send credentials.
    pub trusted_origins: Vec<String>,
    /// Rate limits of callers. Absent when callers are not limited.
    pub rates: Option<Rates>,
    /// Proxies that report the client's address in `X-Forwarded-For`.
    pub trusted_proxies: IpAllowList,
    /// The base URL of the portal's pages.
    pub portal_url: String,
    /// The address at which people reach the server, with which links to the console begin.
    pub public_url: String,
    /// Pages for people, below `/console`.
    pub pages: Router,
}

/// Answers every request of the server.
#[derive(Clone)]
pub struct Gateway {
    state: Arc<AppState>,
    router: Router,
    cors: Arc<CorsPolicy>,
    trusted_proxies: Arc<IpAllowList>,
    start: u64,
    requests: Arc<AtomicU64>,
    slow_request: Duration,
}

impl Gateway {
    /// The gateway of an application.
    #[must_use]
    pub fn new(app: Arc<App>, config: Config) -> Self {
        let Config {
            limits,
            slow_request,
            trusted_origins,
            rates,
            trusted_proxies,
            portal_url,
            public_url,
            pages,
        } = config;
        let has_peers = app.store().peers().is_some();
        let start = u64::try_from(app.now().as_micros()).unwrap_or(0) >> 4 & 0xffff_ffff_ffff;
        let health = Arc::new(Health::new(Arc::clone(&app), limits.ready_kept));
        let state = Arc::new(AppState {
            app,
            bodies: MemoryBudget::new(limits.body_memory),
            responses: MemoryBudget::new(limits.response_memory),
            slots: Slots::new(limits.in_flight),
            limits,
            meters: Meters::new(crate::endpoints()),
            rate_limiters: rates.map(|rates| RateLimiters::new(rates, has_peers)),
            health: Arc::clone(&health),
            portal_url: portal_url.into(),
            public_url: public_url.into(),
        });
        let documents = [("/v1/openapi.json", polar::document()), ("/v2/openapi.json", ahasend::document())];
        let router = polar::router(&state)
            .merge(ahasend::router(&state))
            .merge(health::router(&health))
            .merge(docs::router(documents))
            .merge(pages)
            .fallback(|uri: Uri| async move { not_found(&uri) })
            .method_not_allowed_fallback(|uri: Uri| async move { method_not_allowed(&uri) });
        let cors = Arc::new(CorsPolicy::new(trusted_origins));
        let trusted_proxies = Arc::new(trusted_proxies);
        Self { state, router, cors, trusted_proxies, start, requests: Arc::default(), slow_request }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.state.limits
    }

    /// The application behind it.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.state.app
    }

    /// The requests and connections so far, and those at this moment.
    #[must_use]
    pub fn reading(&self) -> ServerReading {
        let AppState { meters, slots, limits, .. } = &*self.state;
        let (in_flight, writes_in_flight) = slots.taken();
        ServerReading {
            requests: meters.requests(),
            rejected: meters.rejected(),
            in_flight,
            writes_in_flight,
            in_flight_limit: limits.in_flight,
            connections_accepted: meters.connections.accepted(),
            connections_open: meters.connections.open_now(),
            connections_limit: limits.connections,
            connections_rejected: meters.connections.rejected(),
        }
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.state.meters
    }

    /// Whether this peer is a trusted proxy.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        !self.trusted_proxies.is_empty() && self.trusted_proxies.covers(peer)
    }

    /// Marks the server as about to stop: `/readyz` answers 503, and every response closes its connection.
    pub fn drain(&self) {
        self.state.health.drain();
    }

    /// Drops the rate limits of callers that have been idle.
    pub fn sweep(&self) {
        if let Some(limiters) = &self.state.rate_limiters {
            limiters.sweep();
        }
    }

    /// Exchanges rate limit counts with the other nodes until `stop` completes.
    pub async fn share_budgets(&self, stop: impl Future<Output = ()>) {
        let Some(limiters) = &self.state.rate_limiters else { return };
        let Some(mut peers) = self.state.app.store().peers() else { return };
        let mut every = tokio::time::interval(SHARE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                received = peers.receive() => match received {
                    Some(report) => limiters.apply_report(&report),
                    None => return,
                },
                _ = every.tick() => {
                    // A report that is lost is not sent again: the buckets have refilled by then.
                    for report in limiters.reports(PeerChannel::BYTES) {
                        peers.publish(report);
                    }
                    limiters.pay_debts();
                }
            }
        }
    }

    /// Answers a request from `peer` that came over a connection.
    pub(crate) async fn answer_received(&self, request: Request<Body>, peer: IpAddr) -> Response {
        let malformed = framing::without_host(&request).or_else(|| framing::malformed(&request));
        self.answer_checked(request, peer, malformed).await
    }

    /// Answers a request from `peer`. It needs no `Host`.
    pub async fn answer(&self, request: Request<Body>, peer: IpAddr) -> Response {
        let malformed = framing::malformed(&request);
        self.answer_checked(request, peer, malformed).await
    }

    async fn answer_checked(
        &self,
        mut request: Request<Body>,
        peer: IpAddr,
        malformed: Option<Malformed>,
    ) -> Response {
        let id = RequestId::new(self.start, self.requests.fetch_add(1, Ordering::Relaxed));
        request.extensions_mut().insert(id.clone());
        let address = client_address(peer, request.headers(), &self.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(address));
        let begun = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let has_body = !request.body().is_end_stream();
        let closes = malformed.is_some();
        let mut response = match malformed {
            Some(malformed) => refuse(malformed, request.uri()),
            None => self.dispatch(request).await,
        };
        let body_is_left = has_body && response.extensions_mut().remove::<BodyRead>().is_none();
        if closes || body_is_left || self.state.health.is_draining() {
            // The end of the request is uncertain, the rest of its body may still arrive, or the server is about to
            // stop.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response::set(&mut response, REQUEST_ID, id.as_str());
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
        self.finish((&id, address), (&method, &path), &mut response, begun.elapsed());
        response
    }

    /// Records the response, and logs the event `request finished`. `route` is the declared path of the endpoint or
    /// another path that is served, and empty for every other request. So a client cannot write long texts into the log.
    fn finish(
        &self,
        (request_id, address): (&RequestId, Option<IpAddr>),
        (method, path): (&Method, &str),
        response: &mut Response,
        duration: Duration,
    ) {
        let meters = &self.state.meters;
        let log = response.extensions_mut().remove::<RequestLog>();
        let operation = log.and_then(|log| log.operation);
        let operation = operation.unwrap_or_else(|| meters.operation(operation_of(path)));
        let operation = meters.record(operation, response.status(), duration);
        let route =
            log.map(|log| log.route).filter(|route| !route.is_empty()).unwrap_or_else(|| fixed_path(path));
        let method = if HTTP_METHODS.contains(method) { method.as_str() } else { "other" };
        let organization_id = log.and_then(|log| log.organization).map(tracing::field::display);
        let credential = log.and_then(|log| log.credential);
        let caller = credential.map(|credential| credential.kind);
        let credential_id = credential.map(|credential| tracing::field::display(credential.id));
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        let status = response.status().as_u16();
        let client_address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let is_slow = !self.slow_request.is_zero() && duration >= self.slow_request;
        if status >= 500 {
            tracing::error!(
                method, route, operation, status, duration_ms, %request_id, organization_id, caller, credential_id,
                client_address, "request finished"
            );
        } else if is_slow {
            tracing::warn!(
                method, route, operation, status, duration_ms, %request_id, organization_id, caller, credential_id,
                client_address, "request finished"
            );
        } else {
            tracing::info!(
                method, route, operation, status, duration_ms, %request_id, organization_id, caller, credential_id,
                client_address, "request finished"
            );
        }
    }

    async fn dispatch(&self, mut request: Request<Body>) -> Response {
        let moved = normalize_path(request.uri_mut());
        let is_polar = request.uri().path().starts_with("/v1/");
        let is_ahasend = request.uri().path().starts_with("/v2/");
        if is_polar {
            self.dispatch_polar(request, moved).await
        } else if pages::is_page(request.uri().path()) {
            pages::answer(self, request).await
        } else {
            let mut response = self.route(request).await;
            if is_ahasend {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            response
        }
    }

    /// `moved` says that the request used the former root `/api/v1`.
    async fn dispatch_polar(&self, request: Request<Body>, moved: bool) -> Response {
        let version = match polar::version::negotiate(request.headers()) {
            Ok(version) => version,
            Err(response) => return *response,
        };
        let cors = self.cors.of(request.headers());
        let mut response =
            if cors.is_preflight(&request) { cors.preflight(&request) } else { self.route(request).await };
        version.set_headers(&mut response, moved);
        self.cors.set_headers(&cors, &mut response);
        response
    }

    async fn route(&self, request: Request<Body>) -> Response {
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Normalizes a path: `/api/v1` becomes `/v1`, and a slash at the end is dropped. Returns whether the request used
/// the former root `/api/v1`.
fn normalize_path(uri: &mut Uri) -> bool {
    let path = uri.path();
    let moved = path == "/api/v1" || path.starts_with("/api/v1/");
    let normal = if moved { path.trim_start_matches("/api") } else { path };
    let keeps_slash = normal.len() == 1 || normal == docs::PATH_WITH_SLASH;
    let normal = if keeps_slash { normal } else { normal.strip_suffix('/').unwrap_or(normal) };
    if normal.len() == path.len() {
        return false;
    }
    let with_query = match uri.query() {
        Some(query) => format!("{normal}?{query}"),
        None => normal.to_owned(),
    };
    if let Ok(normal) = with_query.parse() {
        *uri = normal;
    }
    moved
}

fn not_found(uri: &Uri) -> Response {
    if uri.path().starts_with("/v2") { ahasend::not_found() } else { polar::not_found() }
}

fn method_not_allowed(uri: &Uri) -> Response {
    if uri.path().starts_with("/v2") { ahasend::method_not_allowed() } else { polar::method_not_allowed() }
}

/// The response to a request with a malformed head.
fn refuse(Malformed { status, text }: Malformed, uri: &Uri) -> Response {
    let error = match status {
        StatusCode::NOT_IMPLEMENTED => "NotImplemented",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "RequestHeadersTooLarge",
        _ => "BadRequest",
    };
    let body = if uri.path().starts_with("/v2") {
        json!({"message": text})
    } else {
        json!({"error": error, "detail": text})
    };
    response::json(status, &body)
}

/// The methods that the log names (RFC 9110, section 9.3, and RFC 5789).
const HTTP_METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// The paths that are served beside the endpoints.
const FIXED_PATHS: [&str; 7] =
    ["/", "/healthz", "/readyz", "/docs", docs::PATH_WITH_SLASH, "/v1/openapi.json", "/v2/openapi.json"];

/// The path, if it is one of [`FIXED_PATHS`]. Empty for every other path.
fn fixed_path(path: &str) -> &'static str {
    FIXED_PATHS.into_iter().find(|fixed| *fixed == path).unwrap_or_default()
}

/// The operation of a path that is no endpoint's.
fn operation_of(path: &str) -> &'static str {
    match path.strip_suffix('/').unwrap_or(path) {
        "/healthz" => "health",
        "/readyz" => "readiness",
        "" | "/docs" | "/v1/openapi.json" | "/v2/openapi.json" => "documents",
        path if path.starts_with(docs::PATH_WITH_SLASH) => "documents",
        _ => pages::operation(path).unwrap_or("unknown"),
    }
}
