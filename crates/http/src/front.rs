//! What stands before the operations: every request gets an id, its path is settled, a time limit and a
//! place, and every answer what its dialect always carries.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use tenantry_app::App;
use tenantry_core::values::IpAllowList;
use tenantry_store::PeerChannel;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;

use crate::docs::Readiness;
use crate::limits::{Limits, SHARE_EVERY};
use crate::rate::{Limiters, Rates};
use crate::route::AppState;
use crate::{ahasend, call, docs, polar};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the front is told at start.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Limits.
    pub limits: Limits,
    /// Origins of browser applications that may send credentials.
    pub trusted_origins: Vec<String>,
    /// Limits of callers; nothing when nobody is limited.
    pub rates: Option<Rates>,
    /// Proxies that are believed when they say for whom they ask; nobody is when it is empty.
    pub trusted_proxies: IpAllowList,
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

/// Marks the answer to a request whose body was read to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyRead;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The address that a request comes from: the peer's, unless it is a trusted proxy; then the last one that
/// its `X-Forwarded-For` names and that is no trusted proxy itself.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &IpAllowList) -> IpAddr {
    if trusted.is_empty() || !trusted.covers(peer) {
        return peer;
    }
    // By octets: what a client puts in front must not hide what a proxy wrote behind it.
    let lines = headers.get_all("x-forwarded-for").iter().rev().map(HeaderValue::as_bytes);
    let mut address = peer;
    for hop in lines.flat_map(|line| line.rsplit(|octet| *octet == b',')) {
        let hop = str::from_utf8(hop).ok().and_then(|hop| hop.trim().parse().ok());
        let Some(hop) = hop else { break };
        address = hop;
        if !trusted.covers(hop) {
            break;
        }
    }
    address
}

/// Everything the server answers with.
#[derive(Clone)]
pub struct Front {
    shared: Arc<AppState>,
    router: Router,
    polar: Arc<polar::Front>,
    trusted_proxies: Arc<IpAllowList>,
    places: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    start: u64,
    requests: Arc<AtomicU64>,
}

impl Front {
    /// The front of an application.
    #[must_use]
    pub fn new(app: Arc<App>, config: Config) -> Self {
        let Config { limits, trusted_origins, rates, trusted_proxies, portal_url } = config;
        let places = Arc::new(Semaphore::new(limits.in_flight));
        // Where writes wait for something, reads go on.
        let writes = Arc::new(Semaphore::new(limits.in_flight - limits.in_flight / 4));
        let has_company = app.store().company().is_some();
        let start = u64::try_from(app.now().as_micros()).unwrap_or(0) >> 4 & 0xffff_ffff_ffff;
        let shared = Arc::new(AppState {
            app,
            limits,
            limiters: rates.map(|rates| Limiters::new(rates, has_company)),
            draining: AtomicBool::new(false),
            readiness: Readiness::default(),
            portal_url: portal_url.into(),
        });
        let router = polar::router(&shared)
            .merge(ahasend::router(&shared))
            .merge(docs::router(&shared))
            .fallback(|uri: Uri| async move { not_found(&uri) })
            .method_not_allowed_fallback(|uri: Uri| async move { method_not_allowed(&uri) });
        let polar = Arc::new(polar::Front::new(trusted_origins));
        let trusted_proxies = Arc::new(trusted_proxies);
        Self { shared, router, polar, trusted_proxies, places, writes, start, requests: Arc::default() }
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

    /// From now on the server is not ready, and every answer asks for its connection to be closed: whoever
    /// sends it requests should turn to another.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Forgets callers that have not called for a while.
    pub fn sweep(&self) {
        if let Some(limiters) = &self.shared.limiters {
            limiters.sweep();
        }
    }

    /// Tells the other nodes what callers took here, and hears what they took there, until `stop` comes to pass.
    pub async fn share_budgets(&self, stop: impl Future<Output = ()>) {
        let Some(limiters) = &self.shared.limiters else { return };
        let Some(mut company) = self.shared.app.store().company() else { return };
        let mut every = tokio::time::interval(SHARE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                heard = company.hear() => match heard {
                    Some(text) => limiters.hear(&text),
                    None => return,
                },
                _ = every.tick() => {
                    // What cannot be told is not told later: by then the buckets are fuller again.
                    for report in limiters.reports(PeerChannel::BYTES) {
                        company.tell(report);
                    }
                    limiters.settle();
                }
            }
        }
    }

    /// Answers a request that came from `peer`.
    pub async fn answer(&self, mut request: Request<Body>, peer: IpAddr) -> Response {
        let id = RequestId { start: self.start, number: self.requests.fetch_add(1, Ordering::Relaxed) };
        request.extensions_mut().insert(id);
        let address = client_address(peer, request.headers(), &self.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(address));
        let begun = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let has_body = !request.body().is_end_stream();
        let mut response = self.dispatch(request).await;
        let body_is_left = has_body && response.extensions_mut().remove::<BodyRead>().is_none();
        if body_is_left || self.shared.draining.load(Ordering::Relaxed) {
            // The rest of the body may still be on its way, or the connection is of no use soon.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
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
        // First: a write that is refused takes no read's place.
        let among_writes = (!request.method().is_safe()).then(|| self.writes.try_acquire());
        if matches!(among_writes, Some(Err(_))) {
            return busy(request.uri());
        }
        let place = self.places.try_acquire();
        // A server that is busy is alive, and others may be as busy.
        if place.is_err() && !matches!(request.uri().path(), "/healthz" | "/readyz") {
            return busy(request.uri());
        }
        let uri = request.uri().clone();
        let answer = self.router.clone().oneshot(request);
        match tokio::time::timeout(self.shared.limits.request_timeout, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => late(&uri),
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

/// Nothing was done: there is no place for the request now.
fn busy(uri: &Uri) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if uri.path().starts_with("/v2") { ahasend::unavailable(status) } else { polar::unavailable(status) }
}

/// The request took too long; what it was about may have happened or not.
fn late(uri: &Uri) -> Response {
    let status = StatusCode::GATEWAY_TIMEOUT;
    if uri.path().starts_with("/v2") { ahasend::unavailable(status) } else { polar::unavailable(status) }
}

fn log(id: RequestId, method: &Method, path: &str, status: StatusCode, begun: Instant) {
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    if status >= 500 {
        tracing::error!(request_id = %id, %method, path, status, micros, "answered");
    } else {
        tracing::info!(request_id = %id, %method, path, status, micros, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_for_whom_they_ask() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7, 198.51.100.9"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.1.1.1"));
        let from = |peer: &str, trusted: &IpAllowList| {
            client_address(peer.parse().unwrap(), &headers, trusted).to_string()
        };
        assert_eq!(from("10.2.2.2", &trusted), "198.51.100.9");
        assert_eq!(from("192.0.2.1", &trusted), "192.0.2.1");
        assert_eq!(from("10.2.2.2", &IpAllowList::default()), "10.2.2.2");
    }

    #[test]
    fn what_a_client_sends_hides_nothing_that_a_proxy_writes() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
        let appended = b"\xff, 198.51.100.9, 10.1.1.1";
        headers.append("x-forwarded-for", HeaderValue::from_bytes(appended).unwrap());
        let address = client_address("10.2.2.2".parse().unwrap(), &headers, &trusted);
        assert_eq!(address.to_string(), "198.51.100.9");
        // Nor is anything believed that stands in front of what is no address.
        headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 10.1.1.1").unwrap());
        let address = client_address("10.2.2.2".parse().unwrap(), &headers, &trusted);
        assert_eq!(address.to_string(), "10.1.1.1");
    }
}
