//! Facts about a request that the gateway establishes before routing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use tenantry_app::Caller;
use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::meters::OperationIndex;

/// The id of a request. It is a header of the response and a field of the log and of audit entries.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// The id of the request `number` since the process started at `start`, in units of 16 microseconds, cut to 48
    /// bits.
    pub(crate) fn new(start: u64, number: u64) -> Self {
        Self(format!("req_{start:012x}{number:08x}").into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of the client: the peer's, or the one that a trusted proxy reports. Absent when such a proxy reports
/// none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl ClientAddress {
    /// The client's address in canonical form: an IPv4 address is never written as IPv6.
    pub(crate) fn of(parts: &Parts) -> Option<IpAddr> {
        parts.extensions.get::<Self>()?.0.map(|address| address.to_canonical())
    }
}

/// Facts for the log that only the pipeline knows. An extension of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLog {
    /// The operation, where it is known better than by the path.
    pub(crate) operation: Option<OperationIndex>,
    /// The declared path of the endpoint. Empty for a page.
    pub(crate) route: &'static str,
    /// The credential of the request, if it is valid.
    pub(crate) credential: Option<Credential>,
    /// The account in the path, or the organization of the token.
    pub(crate) organization: Option<OrganizationId>,
}

/// A credential as the log shows it: its kind and its id, never its secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credential {
    pub(crate) kind: &'static str,
    pub(crate) id: Uuid,
}

impl Credential {
    pub(crate) const fn of(caller: &Caller) -> Self {
        Self { kind: caller.kind(), id: caller.credential() }
    }
}

/// Marks the response to a request whose body was read to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyRead;
