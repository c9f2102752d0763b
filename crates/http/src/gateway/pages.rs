//! Pages for people: the bounds that the pipeline sets for the dialects.
//!
//! | bound | beyond it |
//! |---|---|
//! | a slot for requests in progress, which a request has while the server works on it | 503 |
//! | the rate of the person or customer of the session, as of their tokens; without a session that of the address; assets apart | 429 |
//! | the rate of mails of a customer, as in the portal's API | 429 |
//! | size, time and memory of a form, as of other bodies ([`body`]) | 413, 408, 429 or 503 |
//! | memory of unread pages ([`memory`]), assets apart | 429 or 503 |
//! | [`Limits::request_timeout`](crate::Limits), without the time in which a form arrives | 504 |

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_TYPE, COOKIE, HeaderName, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::Response;
use tenantry_app::{App, Caller, RequestOrigin};
use tenantry_core::console::{SESSION_COOKIE, cookie};
use tenantry_core::portal::{PortalCookies, page_slug};
use tokio::time::{Instant, timeout_at};

use super::Gateway;
use crate::api::rejection::Rejection;
use crate::api::request::{BodyRead, ClientAddress, Credential, RequestId, RequestLog};
use crate::limits;
use crate::pipeline::{body, key_of, memory};
use crate::server::peers::Peer;

/// The path of every page of the console.
const ROOT: &str = "/console";
/// The paths of style sheets and scripts, which browsers keep.
const ASSETS: [&str; 2] = ["/console/assets/", "/portal-assets/"];
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whether a path is one of a page or of what pages load.
pub(super) fn is_page(path: &str) -> bool {
    is_console(path) || is_asset(path) || page_slug(path).is_some()
}

fn is_console(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_asset(path: &str) -> bool {
    // An older organization may have the name of a folder as its slug.
    ASSETS.iter().any(|folder| path.starts_with(folder)) && page_slug(path).is_none()
}

/// Answers a request for a page.
pub(super) async fn answer(gateway: &Gateway, request: Request<Body>) -> Response {
    let answered = answer_bounded(gateway, request).await;
    answered.unwrap_or_else(|rejection| {
        gateway.state.meters.reject(&rejection);
        refused(&rejection)
    })
}

/// The operation of a page, or of what pages load. None for any other path.
pub(super) fn operation(path: &str) -> Option<&'static str> {
    if is_asset(path) {
        Some("asset")
    } else if is_console(path) {
        Some("console")
    } else {
        page_slug(path).map(|_| "portal")
    }
}

async fn answer_bounded(gateway: &Gateway, request: Request<Body>) -> Result<Response, Rejection> {
    let state = &gateway.state;
    let writes = !request.method().is_safe();
    let (mut parts, mut body) = request.into_parts();
    let mut deadline = Instant::now() + state.limits.request_timeout;
    let address = ClientAddress::of(&parts);
    let mut slot = state.slots.take(writes)?;
    let is_asset = is_asset(parts.uri.path());
    let caller = match is_asset {
        true => None,
        false => timeout_at(deadline, caller(&state.app, &parts)).await.unwrap_or(None),
    };
    let key = key_of(caller.as_deref(), address);
    if let Some(limiters) = state.rate_limiters.as_ref().filter(|_| !is_asset) {
        limiters.take(key).check()?;
        if writes && caller.is_some() && sends_mail(parts.uri.path()) {
            limiters.take_mail(key).check()?;
        }
    }
    if let (Some(_), Some(peer)) = (&caller, parts.extensions.get::<Arc<Peer>>()) {
        peer.admitted(key);
    }
    if writes {
        memory::check_unread(&state.responses, key)?;
    }
    let (mut form, mut is_read) = (None, false);
    if writes && !body.is_end_stream() {
        drop(slot);
        let begun = Instant::now();
        let read = body::read(body, limits::FORM, state.limits.body_grace, state.bodies.open(key)).await?;
        (body, form, is_read) = (Body::from(read.0), Some(read.1), true);
        deadline += begun.elapsed();
        slot = state.slots.take(writes)?;
    }
    let request_id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    parts.extensions.insert(RequestOrigin { request_id, address });
    let routed = timeout_at(deadline, gateway.route(Request::from_parts(parts, body))).await;
    let mut response = routed.map_err(|_| Rejection::TimedOut)?;
    let credential = caller.as_deref().map(Credential::of);
    let log = RequestLog { operation: None, route: "", credential, organization: None };
    response.extensions_mut().insert(log);
    if is_read {
        response.extensions_mut().insert(BodyRead);
    }
    drop((slot, form));
    // All connections share the bytes of an asset.
    if is_asset { Ok(response) } else { memory::hold_page(&state.responses, key, writes, response) }
}

/// Whether a form of the portal sends mail for its customer, as an endpoint of the portal does.
fn sends_mail(path: &str) -> bool {
    page_slug(path).is_some() && path.ends_with("/portal/email")
}

/// The person of the session, of the portal on its pages. None where the session is unknown or cannot be looked up.
async fn caller(app: &App, parts: &Parts) -> Option<Arc<Caller>> {
    let headers = &parts.headers;
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let path = parts.uri.path();
    match page_slug(path).filter(|_| !is_console(path)) {
        Some(slug) => {
            let destination = headers.get(&DESTINATION).and_then(|value| value.to_str().ok());
            let name = PortalCookies::of(slug, destination).session();
            app.authenticate(cookie(lines, &name)?).await.ok()
        }
        None => app.authenticate_session(cookie(lines, SESSION_COOKIE)?).await.ok(),
    }
}

/// A refusal as plain text: the server has no time for more.
fn refused(rejection: &Rejection) -> Response {
    let busy = "The server is busy. Please try again in a moment.";
    let (status, text, retry_after_s) = match rejection {
        Rejection::RateLimited { retry_after_s } => {
            let text = "Too many requests. Please wait a minute.";
            (StatusCode::TOO_MANY_REQUESTS, text, Some(*retry_after_s))
        }
        Rejection::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.", None),
        Rejection::SlowBody => {
            (StatusCode::REQUEST_TIMEOUT, "The form arrived too slowly. Please send it again.", None)
        }
        Rejection::BrokenBody => {
            (StatusCode::BAD_REQUEST, "The form did not arrive. Please send it again.", None)
        }
        Rejection::TimedOut => (StatusCode::GATEWAY_TIMEOUT, busy, None),
        _ => (StatusCode::SERVICE_UNAVAILABLE, busy, Some(1)),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_those_of_console_and_portal() {
        for (path, expected) in [
            ("/console", true),
            ("/console/sign-in", true),
            ("/consoles", false),
            ("/acme/portal", true),
            ("/acme/portal/team", true),
            ("/portal-assets/0/brand.css", true),
            ("/portal-assets/portal/email", true),
            ("/acme", false),
            ("/v1/console", false),
            ("/", false),
        ] {
            assert_eq!(is_page(path), expected, "{path}");
        }
    }

    #[test]
    fn a_slug_that_begins_like_the_console_has_a_portal() {
        assert!(is_console("/console/portal"));
        assert!(is_asset("/portal-assets/0/brand.css") && !is_asset("/portal-assets/portal/email"));
        assert!(!is_console("/console-acme/portal") && is_page("/console-acme/portal"));
    }
}
