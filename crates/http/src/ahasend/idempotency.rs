//! `Idempotency-Key` on the wire (contracts/ahasend-behaviour.md 1.8).

use axum::http::HeaderName;
use axum::response::Response;
use tenantry_app::idempotency::{Answered, claim};
use tenantry_core::ids::OrganizationId;
use tenantry_store::Claim;

use super::error::{self, Failure, REPLAYED};
use crate::call::{self, Call};
use crate::limits;
use crate::wire::Violation;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the request claims, when it has a key.
pub(super) fn claimed(call: &Call, account: OrganizationId) -> Result<Option<Claim>, Failure> {
    let Some(key) = call.headers.get(KEY) else { return Ok(None) };
    let key =
        key.to_str().map_err(|_| Failure::Bad("Idempotency-Key has characters that a header cannot have"))?;
    if key.is_empty() {
        return Ok(None);
    }
    if key.chars().count() > limits::IDEMPOTENCY_KEY {
        return Err(Failure::Bad("Idempotency-Key has more than 255 characters"));
    }
    // An id means the same in either case.
    Ok(Some(claim(account, key.to_owned(), call.method, &call.path.to_lowercase(), &call.body)))
}

/// The answer as it was given, marked when it is given again.
pub(super) fn show(answered: Answered) -> Response {
    let Answered { answer, replayed } = answered;
    let mut response = error::show(answer);
    if replayed {
        call::set(&mut response, REPLAYED, "true");
    }
    response
}

/// A request that cannot be read is answered alike when it is sent again with its key.
pub(super) async fn refuse(
    call: &Call,
    claim: Option<Claim>,
    violations: Vec<Violation>,
) -> Result<Response, Failure> {
    let Some(claim) = claim else { return Err(violations.into()) };
    let answer = error::malformed(&violations);
    Ok(show(call.app.answer_once(claim, answer, |outcome| outcome.unwrap_or_else(error::stored)).await?))
}
