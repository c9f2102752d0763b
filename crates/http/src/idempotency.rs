//! `Idempotency-Key` on the wire: what every POST of both dialects honours that has a caller
//! (docs/contracts/ahasend.md, 1.8).
//!
//! The router claims the key before the handler runs and keeps the handler's refusals; a handler's part is
//! to run its use case by [`Call::write_once`], which keeps the answer in the transaction of the effect.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::Serialize;
use tenantry_app::Error;
use tenantry_app::idempotency::{IdempotencyAttempt, IdempotentResponse};
use tenantry_store::{StoredResponse, UseCase};

use crate::call::{Call, set, with_json};
use crate::limits;
use crate::route::{Access, Endpoint, Method, Refuse, Rejection};

/// Names a request.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells a replay from a first answer.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Marks an answer that is not to be kept: it is kept already, or must not be.
#[derive(Debug, Clone, Copy)]
struct Settled;

/// The same answer, not to be kept for a key.
pub(crate) fn settled(mut response: Response) -> Response {
    response.extensions_mut().insert(Settled);
    response
}

impl Endpoint {
    /// Whether a request can be named by a key. Without a caller there is nobody whose key it could be.
    pub(crate) const fn takes_key(&self) -> bool {
        matches!(self.method, Method::Post) && !matches!(self.access, Access::Public)
    }
}

/// What the request claims, when it has a key.
pub(crate) fn claimed(
    operation: &Endpoint,
    call: &Call,
) -> Result<Option<Arc<IdempotencyAttempt>>, Rejection> {
    let Some(caller) = call.caller.as_ref().filter(|_| operation.takes_key()) else { return Ok(None) };
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
    let account =
        matches!(operation.access, Access::Account(_) | Access::Parent(_)).then(|| call.param("account_id"));
    // An id means the same in either case; a merchant's own id does not.
    let by_id = !operation.path.contains("external_id");
    let path = if by_id { call.path.to_lowercase() } else { call.path.clone() };
    let request = (call.method, path.as_str(), call.body.as_ref());
    Ok(Some(Arc::new(IdempotencyAttempt::new(caller, account, key.to_owned(), operation.secret, request))))
}

/// Runs the handler of a request with a key, and keeps its refusal if that is its outcome.
pub(crate) async fn answer(
    operation: &Endpoint,
    refuse: Refuse,
    call: Call,
    attempt: Arc<IdempotencyAttempt>,
) -> Response {
    let app = Arc::clone(&call.app);
    let running = match app.begin(&attempt) {
        Ok(running) => running,
        Err(error) => return refuse(Rejection::Key(error)),
    };
    let response = (operation.handler)(call).await;
    let is_settled = response.extensions().get::<Settled>().is_some();
    if is_settled || !response.status().is_client_error() || !attempt.keeps_refusals() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return refuse(Rejection::BrokenBody) };
    let body = body.to_bytes();
    let refusal = StoredResponse { status: parts.status.as_u16(), body: body.to_vec() };
    let answered = app.refuse_once(attempt, refusal).await;
    drop(running);
    match answered {
        Ok(answered) if answered.replayed => show(answered),
        Ok(_) => Response::from_parts(parts, Body::from(body)),
        Err(error) => refuse(Rejection::Key(error)),
    }
}

/// What an operation is answered with, as it is kept for a key.
pub(crate) fn written<T: Serialize>(status: StatusCode, body: &T) -> Result<StoredResponse, Error> {
    Ok(StoredResponse { status: status.as_u16(), body: serde_json::to_vec(body)? })
}

/// The answer as it was given, marked when it is given again.
fn show(answered: IdempotentResponse) -> Response {
    let IdempotentResponse { answer, replayed } = answered;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = with_json(status, answer.body);
    if replayed {
        set(&mut response, REPLAYED, "true");
    }
    response
}

impl Call {
    /// Runs the use case that a POST is about: once for its key, where it has one.
    pub(crate) async fn write_once<O: UseCase<Error = Error>>(
        &self,
        operation: O,
        render: impl Fn(&O::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
    ) -> Result<Response, Error> {
        let Some(attempt) = &self.attempt else {
            let answer = render(&self.app.write(operation).await?)?;
            return Ok(show(IdempotentResponse { answer, replayed: false }));
        };
        Ok(settled(show(self.app.write_once(Arc::clone(attempt), operation, render).await?)))
    }
}
