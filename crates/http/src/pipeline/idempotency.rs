//! `Idempotency-Key` on the wire: every POST of both dialects that has a caller honours it
//! (docs/contracts/ahasend.md, 1.8).
//!
//! The pipeline claims the key before the handler runs and keeps the handler's refusals; a handler's part is
//! to run its use case by [`Call::write_once`], which keeps the answer in the transaction of the effect.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderName;
use axum::response::Response;
use http_body_util::BodyExt;
use tenantry_app::idempotency::IdempotencyAttempt;
use tenantry_store::StoredResponse;

use crate::api::call::Call;
use crate::api::endpoint::Endpoint;
use crate::api::rejection::{Reject, Rejection};
use crate::api::response::{Settled, idempotent};
use crate::limits;

/// The request header that carries the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The claim on the idempotency key of the request. Nothing when it has none.
pub(crate) fn attempt(
    endpoint: &Endpoint,
    call: &Call,
    path: &str,
) -> Result<Option<Arc<IdempotencyAttempt>>, Rejection> {
    let Some(caller) = call.caller.as_ref().filter(|_| endpoint.takes_idempotency_key()) else {
        return Ok(None);
    };
    let mut sent = call.headers.get_all(KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Rejection::BadKey("Idempotency-Key is given more than once"));
    }
    let unfit = Rejection::BadKey("Idempotency-Key has characters that a header cannot have");
    let key = key.to_str().map_err(|_| unfit)?;
    if key.is_empty() {
        return Ok(None);
    }
    if key.chars().count() > limits::IDEMPOTENCY_KEY {
        return Err(Rejection::BadKey("Idempotency-Key has more than 255 characters"));
    }
    // Ids are compared without case. An external id is not.
    let by_id = !endpoint.path.contains("external_id");
    let path = if by_id { path.to_lowercase() } else { path.to_owned() };
    let request = (endpoint.method.as_str(), path.as_str(), call.body.as_ref());
    let attempt =
        IdempotencyAttempt::new(caller, call.account, key.to_owned(), endpoint.returns_secret, request);
    Ok(Some(Arc::new(attempt)))
}

/// Runs the handler of a request with a key, and keeps its refusal if that is its outcome.
pub(crate) async fn respond(
    endpoint: &Endpoint,
    reject: Reject,
    call: Call,
    attempt: Arc<IdempotencyAttempt>,
) -> Response {
    let app = Arc::clone(&call.app);
    let running = match app.begin(&attempt) {
        Ok(running) => running,
        Err(error) => return reject(Rejection::Key(error)),
    };
    let response = (endpoint.handler)(call).await;
    let is_settled = response.extensions().get::<Settled>().is_some();
    if is_settled || !response.status().is_client_error() || !attempt.keeps_refusals() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return reject(Rejection::BrokenBody) };
    let body = body.to_bytes();
    let refusal = StoredResponse { status: parts.status.as_u16(), body: body.to_vec() };
    let answered = app.refuse_once(attempt, refusal).await;
    drop(running);
    match answered {
        Ok(answered) if answered.replayed => idempotent(answered),
        Ok(_) => Response::from_parts(parts, Body::from(body)),
        Err(error) => reject(Rejection::Key(error)),
    }
}
