//! Authentication of the bearer token of a request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName};
use tenantry_app::{App, AuthenticationError, Caller};
use tenantry_core::ids::OrganizationId;
use tenantry_core::values::parse_uuid;

use crate::api::access::Access;
use crate::api::call::Call;
use crate::api::rejection::Rejection;
use crate::limits;

/// The request header with the organization that a caller of several acts on.
const ORGANIZATION: HeaderName = HeaderName::from_static("polar-organization");

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
    admit(app.authenticate(bearer).await, access, address).map(Some)
}

/// The caller, if the credential may be used for such an endpoint from this address.
fn admit(
    caller: Result<Arc<Caller>, AuthenticationError>,
    access: Access,
    address: Option<IpAddr>,
) -> Result<Arc<Caller>, Rejection> {
    let caller = caller.map_err(|error| match error {
        AuthenticationError::Unknown => Rejection::InvalidToken,
        AuthenticationError::Suspended => Rejection::Suspended,
        AuthenticationError::Store(error) => Rejection::Store(error),
    })?;
    if caller.is_suspended() && !matches!(access, Access::Parent(_)) {
        return Err(Rejection::Suspended);
    }
    if caller.allows_address(address) { Ok(caller) } else { Err(Rejection::AddressNotAllowed) }
}

/// Restricts the caller to the organization that the request names in `Polar-Organization`, if it names one.
pub(crate) fn restrict(call: &mut Call) -> Result<(), Rejection> {
    let Some(caller) = call.caller.as_ref().filter(|_| call.takes_organization) else { return Ok(()) };
    let mut sent = call.headers.get_all(ORGANIZATION).iter();
    let Some(only) = sent.next() else { return Ok(()) };
    let text = String::from_utf8_lossy(only.as_bytes());
    let text = text.trim();
    let id = parse_uuid(text).ok().filter(|_| sent.next().is_none());
    let id = id.map(OrganizationId::new).ok_or_else(|| Rejection::BadOrganization(text.to_owned()))?;
    let restricted = caller.restrict(id).ok_or(Rejection::UnknownOrganization(id))?;
    call.caller = Some(Arc::new(restricted));
    Ok(())
}

/// Authenticates and authorizes a call again, because the caller's rights may have ended during a long request.
pub(crate) async fn renew(call: &mut Call) -> Result<(), Rejection> {
    if let Some(caller) = &call.caller {
        call.caller = Some(admit(call.app.authenticate_again(caller).await, call.access, call.address)?);
    }
    restrict(call)?;
    call.account = call.access.authorize(call.caller.as_deref(), call.path_parameter("account_id"))?;
    Ok(())
}
