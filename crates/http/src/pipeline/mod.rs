//! The steps between the router and a handler, in this order:
//!
//! 1. take a slot ([`slots`]) and decode the path and the query,
//! 2. authenticate the bearer token ([`auth`]),
//! 3. count the request against the caller's rate limit ([`rate_limit`]),
//! 4. restrict the caller to the organization of `Polar-Organization`, and check permissions
//!    ([`crate::api::access`]),
//! 5. release the slot, read the body within its bounds ([`body`]), and take a slot again; or let the handler read it
//!    ([`upload`]),
//! 6. repeat 2 and 4, since an upload may outlive the caller's rights,
//! 7. read the idempotency key ([`crate::api::idempotency_key`]) and the conditions on the row ([`crate::api::conditions`]).
//!
//! A large response counts as further requests. It also counts against the caller's share of memory until the client has
//! taken it ([`memory`]). All steps but the reading of the body have [`Limits::request_timeout`](crate::Limits) together.
//!
//! The first step that fails answers the request with a [`Rejection`], which the dialect renders.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod memory;
pub(crate) mod rate_limit;
pub(crate) mod slots;
pub(crate) mod upload;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use axum::response::Response;
use axum::routing::on;
use bytes::Bytes;
use tenantry_app::{Caller, Principal};
use tenantry_core::ids::OrganizationId;
use tokio::time::{Instant, timeout_at};

use crate::api::access::Access;
use crate::api::call::{Call, Operation, query_pairs};
use crate::api::conditions::Conditions;
use crate::api::endpoint::Endpoint;
use crate::api::idempotency_key;
use crate::api::rejection::{ErrorShapes, Rejection};
use crate::api::request::{BodyRead, ClientAddress, Credential, RequestId, RequestLog};
use crate::limits;
use crate::meters::OperationIndex;
use crate::server::peers::Peer;
use crate::state::AppState;
use rate_limit::{RateLimitKey, RateLimitState};
use slots::Slot;
use upload::Upload;

/// A router that serves these endpoints.
pub(crate) fn router(state: &Arc<AppState>, endpoints: &'static [Endpoint], errors: ErrorShapes) -> Router {
    endpoints.iter().fold(Router::new(), |router, endpoint| {
        let operation = state.meters.operation(endpoint.id);
        let state = Arc::clone(state);
        let serve = move |request: Request| serve(Arc::clone(&state), (endpoint, operation), errors, request);
        router.route(endpoint.path, on(endpoint.method.filter(), serve))
    })
}

async fn serve(
    state: Arc<AppState>,
    (endpoint, operation): (&'static Endpoint, OperationIndex),
    errors: ErrorShapes,
    request: Request,
) -> Response {
    let mut seen = Seen::default();
    let answered = answer(&state, endpoint, errors, request, &mut seen).await;
    let mut response = answered.unwrap_or_else(|rejection| {
        state.meters.reject(&rejection);
        (errors.reject)(rejection)
    });
    if let Some(rate_limit) = seen.rate_limit {
        rate_limit.set_headers(&mut response);
    }
    if seen.body_read {
        response.extensions_mut().insert(BodyRead);
    }
    let Seen { organization, credential, .. } = seen;
    let operation = Some(operation);
    response.extensions_mut().insert(RequestLog {
        operation,
        route: endpoint.path,
        credential,
        organization,
    });
    response
}

/// Facts about a request that are needed even if a later step refuses it.
#[derive(Default)]
struct Seen {
    rate_limit: Option<RateLimitState>,
    organization: Option<OrganizationId>,
    credential: Option<Credential>,
    /// Whether the handler ran, so that nothing of the body is left.
    body_read: bool,
}

/// A request whose caller may send it.
struct Authorized {
    call: Call,
    body: Body,
    key: RateLimitKey,
    slot: Slot,
}

/// Runs every step. The time in which the client sends the body does not count for the time-out.
async fn answer(
    state: &AppState,
    endpoint: &'static Endpoint,
    errors: ErrorShapes,
    request: Request,
    seen: &mut Seen,
) -> Result<Response, Rejection> {
    let writes = !request.method().is_safe();
    let deadline = Instant::now() + state.limits.request_timeout;
    let authorizing = authorize(state, endpoint, errors, request, seen);
    let authorized = timeout_at(deadline, authorizing).await.unwrap_or(Err(Rejection::TimedOut))?;
    let Authorized { mut call, body, key, mut slot } = authorized;
    if writes {
        memory::check_unread(&state.responses, key)?;
    }
    if !endpoint.upload.is_empty() {
        drop(slot);
        if is_encoded(&call.headers) {
            return Err(Rejection::EncodedBody);
        }
        let upload = Upload::new(body, state.limits.body_grace, state.bodies.open(key), &state.slots)?;
        let is_read = upload.is_read();
        call.upload = Mutex::new(Some(upload));
        let response = (endpoint.handler)(call).await;
        seen.body_read = is_read.load(Ordering::Relaxed);
        return memory::hold(&state.responses, key, writes, response);
    }
    let (mut bytes, mut deadline) = (None, deadline);
    if !body.is_end_stream() {
        if is_encoded(&call.headers) {
            return Err(Rejection::EncodedBody);
        }
        drop(slot);
        let begun = Instant::now();
        let is_public = matches!(endpoint.access, Access::Public);
        let size = if is_public { state.limits.body.min(limits::PUBLIC_BODY) } else { state.limits.body };
        let (body, read) = body::read(body, size, state.limits.body_grace, state.bodies.open(key)).await?;
        (call.body, bytes) = (body, Some(read));
        deadline += begun.elapsed();
        slot = state.slots.take(writes)?;
    }
    let handling = async {
        if bytes.is_some() {
            auth::renew(&mut call).await?;
        }
        call.idempotency = idempotency_key::attempt(&call)?;
        let conditions = Conditions::read(endpoint, &call.headers)?;
        call.conditions = conditions.clone();
        conditions.apply(endpoint, (endpoint.handler)(call).await).await
    };
    let response = timeout_at(deadline, handling).await.unwrap_or(Err(Rejection::TimedOut))?;
    seen.body_read = true;
    charge(state, key, &response);
    drop((slot, bytes));
    memory::hold(&state.responses, key, writes, response)
}

/// Runs the steps before the body is read.
async fn authorize(
    state: &AppState,
    endpoint: &Endpoint,
    errors: ErrorShapes,
    request: Request,
    seen: &mut Seen,
) -> Result<Authorized, Rejection> {
    let (mut parts, body) = request.into_parts();
    let slot = state.slots.take(!parts.method.is_safe())?;
    let path_parameters = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        Err(_) => return Err(Rejection::NoSuchPath),
    };
    let query = query_pairs(parts.uri.query()).ok_or(Rejection::TooManyParameters)?;
    let address = ClientAddress::of(&parts);
    let caller = auth::authenticate(&state.app, endpoint.access, &parts.headers, address).await;
    seen.organization = caller.as_ref().ok().and_then(Option::as_ref).and_then(|caller| organization(caller));
    seen.credential = caller.as_ref().ok().and_then(Option::as_deref).map(Credential::of);
    let key = rate_limit_key(&caller, address);
    apply_rate_limit(state, endpoint, &caller, key, &mut seen.rate_limit)?;
    if let (Ok(Some(_)), Some(peer)) = (&caller, parts.extensions.get::<Arc<Peer>>()) {
        peer.admitted(key);
    }
    let mut call = Call {
        app: Arc::clone(&state.app),
        portal_url: Arc::clone(&state.portal_url),
        public_url: Arc::clone(&state.public_url),
        caller: caller?,
        access: endpoint.access,
        operation: Operation {
            method: endpoint.method.as_str(),
            path: endpoint.path,
            takes_idempotency_key: endpoint.takes_idempotency_key(),
            returns_secret: endpoint.returns_secret,
        },
        takes_organization: endpoint.takes_organization(),
        account: None,
        address,
        request_id: parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default(),
        path_parameters,
        query,
        headers: parts.headers,
        body: Bytes::new(),
        upload: Mutex::default(),
        idempotency: None,
        conditions: Conditions::default(),
        render_refusal: errors.render_refusal,
        response_bytes: state.responses.open(key),
    };
    auth::restrict(&mut call)?;
    seen.organization = call.caller.as_ref().and_then(|caller| caller.restricted_to()).or(seen.organization);
    call.account = call.access.authorize(call.caller.as_deref(), call.path_parameter("account_id"))?;
    seen.organization = call.account.or(seen.organization);
    Ok(Authorized { call, body, key, slot })
}

/// Whether a body is compressed, or encoded otherwise.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| !encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Counts the request against the caller's buckets. It is not counted when the look-up of its caller failed.
fn apply_rate_limit(
    state: &AppState,
    endpoint: &Endpoint,
    caller: &Result<Option<Arc<Caller>>, Rejection>,
    key: RateLimitKey,
    rate_limit: &mut Option<RateLimitState>,
) -> Result<(), Rejection> {
    let Some(limiters) = &state.rate_limiters else { return Ok(()) };
    if matches!(caller, Err(Rejection::Store(_))) {
        return Ok(());
    }
    let taken = limiters.take(key);
    *rate_limit = Some(taken);
    taken.check()?;
    if endpoint.sends_mail {
        limiters.take_mail(key).check()?;
    }
    Ok(())
}

/// Counts a large response against the caller's buckets. One that is made while it is sent is not counted.
fn charge(state: &AppState, key: RateLimitKey, response: &Response) {
    let bytes = response.body().size_hint().exact();
    if let (Some(limiters), Some(bytes)) = (&state.rate_limiters, bytes) {
        limiters.charge(key, bytes);
    }
}

/// The organization that a caller acts for. A user may act for several.
const fn organization(caller: &Caller) -> Option<OrganizationId> {
    match &caller.principal {
        Principal::Organization { organization, .. } => Some(*organization),
        Principal::Customer(session) | Principal::Member(session) => Some(session.organization),
        Principal::User { .. } => None,
    }
}

/// The party that a request counts for. All organizations of one owner count together, so that limits do not multiply.
/// A customer session counts for its customer and for the portals of the owner, so that customers cannot use up the
/// limits of their organization. A refused token counts for the client's address.
fn rate_limit_key(caller: &Result<Option<Arc<Caller>>, Rejection>, address: Option<IpAddr>) -> RateLimitKey {
    key_of(caller.as_ref().ok().and_then(Option::as_deref), address)
}

/// The party of a caller; without one, the client's address.
pub(crate) fn key_of(caller: Option<&Caller>, address: Option<IpAddr>) -> RateLimitKey {
    let Some(caller) = caller else { return RateLimitKey::at(address) };
    let owner = caller.limited_as();
    match caller.portal_customer() {
        Some(customer) => RateLimitKey::Customer { customer: customer.uuid(), owner },
        None => RateLimitKey::Known(owner),
    }
}
