//! Reasons to refuse a request before its handler runs.

use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::idempotency::RenderRefusal;
use tenantry_core::ids::OrganizationId;
use tenantry_core::token::RequiredScope;
use tenantry_store::StoreError;

/// The reason why a request does not reach its handler. Each dialect renders it in its own shape.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// There is no token, or the endpoint does not admit tokens of this kind.
    Unauthorized,
    /// The token is unknown, expired or revoked.
    InvalidToken,
    /// The token's organization is suspended.
    Suspended,
    /// The token's IP allow list does not contain the client's address.
    AddressNotAllowed,
    /// The token has none of these permissions.
    InsufficientScope(Vec<RequiredScope>),
    /// The account id in the path is malformed.
    BadAccount,
    /// The header with the organization of the request is repeated, or this text, which is no id.
    BadOrganization(String),
    /// The header names an organization that the caller has no access to.
    UnknownOrganization(OrganizationId),
    /// The endpoint admits tokens of people alone.
    PersonRequired,
    /// The path is not UTF-8.
    NoSuchPath,
    /// The body is larger than this number of bytes.
    TooLarge(usize),
    /// The body ended before it was complete.
    BrokenBody,
    /// The body arrived too slowly.
    SlowBody,
    /// The body is compressed.
    EncodedBody,
    /// The query has more than [`crate::limits::QUERY_PARAMETERS`] parameters.
    TooManyParameters,
    /// The server has no free slot, or not enough memory, for the request now.
    Busy,
    /// The caller has used up its rate limit.
    RateLimited {
        /// Seconds until the next request can be admitted.
        retry_after_s: u64,
    },
    /// The request took longer than [`Limits::request_timeout`](crate::Limits). Its effect may have happened.
    TimedOut,
    /// The idempotency key is malformed.
    BadKey(&'static str),
    /// `If-Match` or `If-None-Match` is malformed.
    BadCondition(&'static str),
    /// The row is not in the state that the request asks for.
    ConditionFailed,
    /// The database failed.
    Store(StoreError),
}

/// The error shapes of a dialect.
#[derive(Clone, Copy)]
pub(crate) struct ErrorShapes {
    pub(crate) reject: fn(Rejection) -> Response,
    pub(crate) render_refusal: RenderRefusal,
}

/// The status of a database failure: 503 when nothing happened and a retry is worth it, 504 when the outcome is
/// unknown, 500 otherwise.
pub(crate) const fn fault_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::InDoubt(_) => StatusCode::GATEWAY_TIMEOUT,
        StoreError::Violated(_)
        | StoreError::Unexpected(_)
        | StoreError::WrongEncoding(_)
        | StoreError::NewerSchema { .. }
        | StoreError::OlderSchema { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
