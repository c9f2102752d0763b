//! Sessions of the customer portal, created by the organization (docs/contracts/polar/portal.md, 7).

mod handlers;
pub(super) mod wire;

use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use wire::{CustomerSessionView, SessionCreateBody};

const SESSIONS_WRITE: Access = Access::Scoped(&[RequiredScope::new("customer_sessions:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[Endpoint {
    body: Some(schema::<SessionCreateBody>),
    returns_secret: true,
    success: 201,
    response: Some(schema::<CustomerSessionView<'static>>),
    errors: &[409, 422],
    ..Endpoint::new(
        Method::Post,
        "/v1/customer-sessions",
        "customer-sessions:create",
        "Create a session of the customer portal",
        SESSIONS_WRITE,
        handler!(handlers::create),
    )
}];
