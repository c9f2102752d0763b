//! Authentication of the bearer token of a request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use tenantry_app::{App, AuthenticationError, Caller};

use crate::api::access::Access;
use crate::api::call::Call;
use crate::api::rejection::Rejection;
use crate::limits;

/// The bearer token of a request. Nothing when there are several `Authorization` headers, the scheme is another
/// one, or the text is longer than [`limits::BEARER`].
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (sent.next(), sent.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let usable = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= limits::BEARER;
    usable.then_some(token)
}

/// The caller of a request; nothing on a public endpoint.
pub(crate) async fn authenticate(
    app: &App,
    access: Access,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Option<Arc<Caller>>, Rejection> {
    if matches!(access, Access::Public) {
        return Ok(None);
    }
    let bearer = bearer(headers).ok_or(Rejection::Unauthorized)?;
    let caller = app.authenticate(bearer).await.map_err(|error| match error {
        AuthenticationError::Unknown => Rejection::InvalidToken,
        AuthenticationError::Suspended => Rejection::Suspended,
        AuthenticationError::Store(error) => Rejection::Store(error),
    })?;
    if caller.is_suspended() && !matches!(access, Access::Parent(_)) {
        return Err(Rejection::Suspended);
    }
    if caller.allows_address(address) { Ok(Some(caller)) } else { Err(Rejection::AddressNotAllowed) }
}

/// Authenticates and authorizes a call again, because the caller's rights may have ended during a long request.
pub(crate) async fn renew(call: &mut Call) -> Result<(), Rejection> {
    call.caller = authenticate(&call.app, call.access, &call.headers, call.address).await?;
    call.account = call.access.authorize(call.caller.as_deref(), call.path_parameter("account_id"))?;
    Ok(())
}
