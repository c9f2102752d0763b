//! Networks of clients, for the limits of codes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A part of the internet that counts as one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkWidth {
    /// An address of IPv4, a /64 of IPv6.
    Host,
    /// A /24 of IPv4, a /48 of IPv6: what one customer of a provider can have.
    Site,
    /// A /16 of IPv4, a /32 of IPv6: what one provider has at least.
    Provider,
}

impl NetworkWidth {
    /// The network of an address, as its first address. Clients without a known address are one network.
    #[must_use]
    pub fn network_of(self, address: Option<IpAddr>) -> String {
        let (bits_v4, bits_v6) = match self {
            Self::Host => (32, 64),
            Self::Site => (24, 48),
            Self::Provider => (16, 32),
        };
        match address.map(|address| address.to_canonical()) {
            None => "unknown".to_owned(),
            Some(IpAddr::V4(address)) => {
                Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - bits_v4))).to_string()
            }
            Some(IpAddr::V6(address)) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits_v6))).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let is_same = |width: NetworkWidth, one: &str, other: &str| {
            width.network_of(one.parse().ok()) == width.network_of(other.parse().ok())
        };
        let (host, site, provider) = (NetworkWidth::Host, NetworkWidth::Site, NetworkWidth::Provider);
        assert!(is_same(host, "::ffff:192.0.2.1", "192.0.2.1") && !is_same(host, "192.0.2.1", "192.0.2.2"));
        assert!(is_same(site, "192.0.2.1", "192.0.2.255") && !is_same(site, "192.0.2.1", "192.0.3.1"));
        assert!(
            is_same(provider, "192.0.2.1", "192.0.255.1") && !is_same(provider, "192.0.2.1", "192.1.2.1")
        );
        let one = "2001:db8:1:2::3";
        assert!(is_same(host, one, "2001:db8:1:2:ffff::9") && !is_same(host, one, "2001:db8:1:3::3"));
        assert!(is_same(site, one, "2001:db8:1:ffff::3") && !is_same(site, one, "2001:db8:2:2::3"));
        assert!(is_same(provider, one, "2001:db8:ffff::3") && !is_same(provider, one, "2001:db9:1:2::3"));
        assert_eq!(host.network_of(None), "unknown");
    }
}
