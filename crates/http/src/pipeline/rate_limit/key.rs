//! The parties that requests count for.
//!
//! | party | counts also for |
//! |---|---|
//! | an owner with all organizations | |
//! | a customer in the portal | the portals of the owner |
//! | an address without a valid token | all such addresses, in memory alone |
//!
//! So customers of a portal cannot use up what their merchant needs, and strangers not what callers need.

use std::net::{IpAddr, Ipv6Addr};

use uuid::Uuid;

/// The party that a request counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// An owner, with all organizations and tokens.
    Known(Uuid),
    /// A customer in the portal of an organization of this owner.
    Customer { customer: Uuid, owner: Uuid },
    /// All customers in the portals of this owner.
    Portal(Uuid),
    /// A client's address. IPv6 addresses share the bucket of their /64 network: one host has all of it.
    Unknown(IpAddr),
    /// Clients whose address a trusted proxy did not report.
    Unidentified,
    /// All clients without a valid token.
    Strangers,
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

    /// The larger party that this one belongs to.
    pub(crate) const fn group(self) -> Option<Self> {
        match self {
            Self::Customer { owner, .. } => Some(Self::Portal(owner)),
            Self::Unknown(_) | Self::Unidentified => Some(Self::Strangers),
            Self::Known(_) | Self::Portal(_) | Self::Strangers => None,
        }
    }
}

/// The purpose of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum BucketKind {
    /// Requests of an owner, or of all portals of an owner.
    Known,
    /// Requests of a customer in the portal.
    Customer,
    /// Requests from an address without a valid token.
    Unknown,
    /// Requests that send mail.
    Mail,
    /// Requests by which all customers of an owner send mail.
    PortalMail,
}

impl BucketKind {
    /// The kind that counts every request of this owner.
    pub(super) const fn of(key: RateLimitKey) -> Self {
        match key {
            RateLimitKey::Known(_) | RateLimitKey::Portal(_) => Self::Known,
            RateLimitKey::Customer { .. } => Self::Customer,
            RateLimitKey::Unknown(_) | RateLimitKey::Unidentified | RateLimitKey::Strangers => Self::Unknown,
        }
    }

    /// The kind that counts requests of this owner that send mail.
    pub(super) const fn of_mail(key: RateLimitKey) -> Self {
        if matches!(key, RateLimitKey::Portal(_)) { Self::PortalMail } else { Self::Mail }
    }
}
