//! The check that an IP address is public, so that a webhook may be sent to it.
//!
//! An address is refused when it is in a special-purpose block (IANA registries, RFC 6890). An IPv6 address that
//! contains an IPv4 address is judged by that IPv4 address. Two places check: the parser of webhook URLs, for an
//! IP address in the URL, and the delivery client, for every address that the host name resolves to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is a public unicast address that a delivery may connect to.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Refused IPv4 blocks: first address and length of the prefix in bits.
const REFUSED_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network, with the unspecified address
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, cloud metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // former 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, with the broadcast address
];

/// Refused IPv6 blocks: the first four groups and the length of the prefix in bits.
const REFUSED_V6: [([u16; 4], u32); 10] = [
    ([0xfc00, 0, 0, 0], 7),      // unique local
    ([0xfe80, 0, 0, 0], 10),     // link-local
    ([0xfec0, 0, 0, 0], 10),     // former site-local
    ([0xff00, 0, 0, 0], 8),      // multicast
    ([0x2001, 0, 0, 0], 23),     // Teredo, ORCHID and other protocol assignments
    ([0x2001, 0xdb8, 0, 0], 32), // documentation
    ([0x3fff, 0, 0, 0], 20),     // documentation
    ([0x5f00, 0, 0, 0], 16),     // segment routing
    ([0x64, 0xff9b, 1, 0], 48),  // translation inside a network
    ([0x100, 0, 0, 0], 63),      // discard and dummy
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let address = u32::from(ip);
    REFUSED_V4.iter().all(|(first, length)| (address ^ u32::from_be_bytes(*first)) >> (32 - length) != 0)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(ip) {
        return is_public_v4(v4);
    }
    let high = u64::try_from(u128::from(ip) >> 64).unwrap_or(0);
    REFUSED_V6.iter().all(|(groups, length)| {
        let first = groups.iter().fold(0u64, |high, group| (high << 16) | u64::from(*group));
        (high ^ first) >> (64 - length) != 0
    })
}

/// The IPv4 address inside a mapped, compatible, translated (64:ff9b::/96) or 6to4 address.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = u128::from(ip);
    let low = u32::try_from(bits & u128::from(u32::MAX)).ok()?;
    let prefix96 = bits >> 32;
    let translated = 0x0064_ff9b_u128 << 64;
    // ::/96 is the IPv4-compatible form. It includes :: and ::1, which become 0.0.0.0 and 0.0.0.1: both are
    // refused. ::ffff:0:0:0/96 is the IPv4-translated form (RFC 7915).
    if prefix96 == 0 || prefix96 == 0xffff || prefix96 == 0xffff_0000 || prefix96 == translated {
        return Some(Ipv4Addr::from(low));
    }
    if bits >> 112 == 0x2002 {
        return Some(Ipv4Addr::from(u32::try_from((bits >> 80) & u128::from(u32::MAX)).ok()?));
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_blocks_are_refused_at_both_ends() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.255",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "100::1",
            "64:ff9b::10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "100:0:0:1::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_next_to_special_blocks_are_accepted() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db9::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "fbff::1",
            "3ffe::1",
            "100:0:0:2::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_embedded_v4_address_is_judged_like_the_address_itself(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from(bits);
            let expected = is_public(IpAddr::V4(v4));
            prop_assert_eq!(is_public(IpAddr::V6(v4.to_ipv6_mapped())), expected);
            let nat64 = Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(bits));
            prop_assert_eq!(is_public(IpAddr::V6(nat64)), expected);
            let six_to_four = Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(bits) << 80) | 1);
            prop_assert_eq!(is_public(IpAddr::V6(six_to_four)), expected);
        }
    }
}
