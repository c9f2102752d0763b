//! Declarations that the endpoints of this dialect share.

use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::call::Call;
use crate::api::endpoint::{Endpoint, Method, ResponseFuture};

/// An endpoint that can fail with 400 and 500.
pub(super) const fn endpoint(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    access: Access,
    handler: fn(Call) -> ResponseFuture,
) -> Endpoint {
    Endpoint { errors: &[400, 500], ..Endpoint::new(method, path, id, summary, access, handler) }
}

/// A token with this scope, for the account in the path.
pub(super) const fn account(scope: &'static str) -> Access {
    Access::Account(RequiredScope::new(scope))
}

/// A token with this scope, for the sub-accounts of the account in the path.
pub(super) const fn parent(scope: &'static str) -> Access {
    Access::Parent(RequiredScope::new(scope))
}
