//! Facts about a request that the gateway establishes before routing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use tenantry_core::ids::OrganizationId;

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
    /// The declared path of the endpoint.
    pub(crate) route: &'static str,
    /// The account in the path, or the organization of the token.
    pub(crate) organization: Option<OrganizationId>,
}

/// Marks the response to a request whose body was read to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyRead;
