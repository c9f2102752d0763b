//! Keys of rate limit buckets.

use std::net::{IpAddr, Ipv6Addr};

use uuid::Uuid;

/// The owner of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// An organization, a user or a customer.
    Known(Uuid),
    /// A client's address. IPv6 addresses share the bucket of their /64 network: one host has all of it.
    Unknown(IpAddr),
    /// Clients whose address a trusted proxy did not report.
    Unidentified,
}

impl RateLimitKey {
    /// The bucket of a client's address. Clients whose address is unknown share one.
    pub(crate) fn at(address: Option<IpAddr>) -> Self {
        let Some(address) = address else { return Self::Unidentified };
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Self::Unknown(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
            v4 @ IpAddr::V4(_) => Self::Unknown(v4),
        }
    }
}

/// The purpose of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum BucketKind {
    /// Requests of organizations, users and customers.
    Known,
    /// Requests from an address without a valid token.
    Unknown,
    /// Requests that send mail.
    Mail,
}

impl BucketKind {
    /// The kind that counts every request of this owner.
    pub(super) const fn of(key: RateLimitKey) -> Self {
        match key {
            RateLimitKey::Known(_) => Self::Known,
            RateLimitKey::Unknown(_) | RateLimitKey::Unidentified => Self::Unknown,
        }
    }
}
