//! `Idempotency-Key` on the wire: every POST of both dialects that has a caller honours it.
//!
//! This module reads the key. [`Call::write_once`] runs the use case for it, and `tenantry_app::idempotency` describes
//! the states of a key.

use axum::http::HeaderName;
use tenantry_app::idempotency::IdempotencyAttempt;
use tenantry_core::values::ExternalId;
use uuid::Uuid;

use super::call::Call;
use super::rejection::Rejection;
use crate::limits;

/// The request header that carries the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The idempotency key of the request. Nothing when it has none.
pub(crate) fn attempt(call: &Call) -> Result<Option<IdempotencyAttempt>, Rejection> {
    let operation = call.operation;
    let Some(caller) = call.caller.as_ref().filter(|_| operation.takes_idempotency_key) else {
        return Ok(None);
    };
    let mut sent = call.headers.get_all(KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Rejection::BadKey("Idempotency-Key is sent more than once. Send one"));
    }
    let unfit = || Rejection::BadKey("Idempotency-Key has characters that are not printable ASCII");
    let key = key.to_str().map_err(|_| unfit())?;
    if key.contains('\t') {
        return Err(unfit());
    }
    if key.trim().is_empty() {
        return Err(Rejection::BadKey("Idempotency-Key is empty. Send 1 to 255 characters, or leave it out"));
    }
    if key.chars().count() > limits::IDEMPOTENCY_KEY {
        return Err(Rejection::BadKey("Idempotency-Key has more than 255 characters. Send 1 to 255"));
    }
    let path = path(call);
    // The organization of the header decides what the request does.
    let path = match caller.restricted_to() {
        Some(organization) => format!("{path}?organization={organization}"),
        None => path,
    };
    let request = (operation.method, path.as_str(), call.body.as_ref());
    let attempt =
        IdempotencyAttempt::new(caller, call.account, key.to_owned(), operation.returns_secret, request);
    Ok(Some(attempt))
}

/// The path of the request in one spelling: the endpoint's, and each id as it is stored.
fn path(call: &Call) -> String {
    let mut path = call.operation.path.to_owned();
    for (name, value) in &call.path_parameters {
        let id = Uuid::try_parse(value).ok().filter(|_| !name.contains("external_id"));
        path.push('\0');
        path.push_str(&id.map_or_else(|| ExternalId::key(value).to_owned(), |id| id.to_string()));
    }
    path
}
