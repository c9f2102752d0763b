//! The networks an API key may be used from.
//!
//! Entries are CIDR blocks or bare addresses. They are kept masked, with IPv4-mapped IPv6 turned into
//! IPv4, in the text Go's `netip.Prefix` prints (RFC 5952), because provisioning tools compare it as
//! text. Blocks of length zero are refused: "anywhere" is the empty list. Rules:
//! docs/contracts/ahasend.md, 1.6. Callers: key create and update; authentication, for every request.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::InvalidValue;

/// Entries, once duplicates are dropped.
const MAX_ENTRIES: usize = 100;

/// Up to 100 distinct networks in the order first given; empty means no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpAllowList(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// The first address: no bit set beyond the prefix, never an IPv4-mapped IPv6 address.
    first: IpAddr,
    length: u8,
}

impl IpAllowList {
    /// Reads a list; the refusal tells the first bad entry.
    pub fn parse<I>(entries: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut networks: Vec<Network> = Vec::new();
        for entry in entries {
            let network = Network::parse(entry.as_ref())?;
            if networks.contains(&network) {
                continue;
            }
            if networks.len() == MAX_ENTRIES {
                let message = format!("List should have at most {MAX_ENTRIES} different entries");
                return Err(InvalidValue::with("too_long", message, "max_length", MAX_ENTRIES.to_string()));
            }
            networks.push(network);
        }
        Ok(Self(networks))
    }

    /// Whether a peer may use the key: an empty list admits everyone.
    pub fn covers(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(peer))
    }

    /// The entries in canonical text.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Whether both lists hold the same networks, in whatever order.
    pub fn is_same(&self, other: &Self) -> bool {
        // Neither holds one twice.
        self.len() == other.len() && self.0.iter().all(|network| other.0.contains(network))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list restricts nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Network {
    fn parse(entry: &str) -> Result<Self, InvalidValue> {
        let refuse = |reason: &str| {
            let shown: String = entry.chars().take(64).collect();
            let message = format!("entry {shown:?} {reason}");
            InvalidValue::with("value_error", message, "entry", shown)
        };
        let malformed = || refuse("is neither an IP address nor a CIDR block");
        let (address, length) = match entry.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(text) => prefix_length(text, bits).ok_or_else(malformed)?,
            None => bits,
        };
        let (address, length) = match address.to_canonical() {
            v4 @ IpAddr::V4(_) if address.is_ipv6() => {
                let inner = length.checked_sub(96);
                (v4, inner.ok_or_else(|| refuse("is an IPv4-mapped block that reaches beyond IPv4"))?)
            }
            same => (same, length),
        };
        if length == 0 {
            return Err(refuse("admits every address; leave the list empty instead"));
        }
        Ok(Self { first: masked(address, length), length })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        self.first.is_ipv4() == ip.is_ipv4() && masked(ip, self.length) == self.first
    }
}

/// Decimal digits without sign or leading zero, at most `bits`.
fn prefix_length(text: &str, bits: u8) -> Option<u8> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|length| is_plain && *length <= bits)
}

/// The address with every bit after the prefix cleared.
fn masked(ip: IpAddr, length: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let host_bits = 32u32.saturating_sub(u32::from(length));
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let host_bits = 128u32.saturating_sub(u32::from(length));
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.length)
    }
}

impl Serialize for IpAllowList {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.entries())
    }
}

impl<'de> Deserialize<'de> for IpAllowList {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(input)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(entries: &[&str]) -> Vec<String> {
        IpAllowList::parse(entries).unwrap().entries().collect()
    }

    #[test]
    fn canonical_text() {
        for (entry, expected) in [
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("2001:DB8:0:0::1/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
            ("::1.2.3.4", "::102:304/128"),
            ("128.0.0.0/1", "128.0.0.0/1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1/128"),
        ] {
            assert_eq!(texts(&[entry]), [expected]);
        }
        assert_eq!(
            texts(&["10.1.0.0/8", "1.1.1.1", "10.0.0.0/8", "1.1.1.1/32"]),
            ["10.0.0.0/8", "1.1.1.1/32"]
        );
    }

    #[test]
    fn refuses() {
        for bad in [
            "",
            "x",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "1.2.3.4/08",
            "::/129",
            "1.2.3.4/8/8",
            " 1.2.3.4",
            "fe80::1%eth0",
            "0.0.0.0/0",
            "9.9.9.9/0",
            "::/0",
            "2001::/0",
            "::ffff:1.2.3.4/96",
            "::ffff:1.2.3.4/95",
            "01.2.3.4",
            "[::1]",
            "1.2.3.4:80",
        ] {
            assert_eq!(IpAllowList::parse([bad]).expect_err(bad).kind, "value_error");
        }
    }

    #[test]
    fn counts_after_dropping_duplicates() {
        let mut entries: Vec<String> = (0..100).map(|i| format!("10.0.0.{i}")).collect();
        entries.extend(entries.clone());
        assert_eq!(IpAllowList::parse(&entries).unwrap().len(), 100);
        entries.push("10.0.1.0".into());
        assert_eq!(IpAllowList::parse(&entries).unwrap_err().kind, "too_long");
    }

    #[test]
    fn covers_peers_however_they_arrive() {
        let list = IpAllowList::parse(["203.0.113.0/24", "2001:db8::/48"]).unwrap();
        for (peer, expected) in [
            ("203.0.113.77", true),
            ("::ffff:203.0.113.77", true),
            ("203.0.114.1", false),
            ("2001:db8::5", true),
            ("2001:db8:1::5", false),
            ("::203.0.113.77", false),
        ] {
            assert_eq!(list.covers(peer.parse().unwrap()), expected, "{peer}");
        }
        assert!(IpAllowList::default().covers("::1".parse().unwrap()));
        assert_eq!(serde_json::to_string(&list).unwrap(), r#"["203.0.113.0/24","2001:db8::/48"]"#);
    }

    fn entry() -> impl Strategy<Value = (IpAddr, u8)> {
        prop_oneof![
            (any::<u32>(), 1u8..=32).prop_map(|(ip, length)| (IpAddr::V4(ip.into()), length)),
            (any::<u128>(), 1u8..=128).prop_map(|(ip, length)| (IpAddr::V6(ip.into()), length)),
            (any::<u32>(), 97u8..=128)
                .prop_map(|(ip, length)| (IpAddr::V6(Ipv4Addr::from(ip).to_ipv6_mapped()), length)),
        ]
    }

    proptest! {
        #[test]
        fn canonicalising_settles_and_covers(entries in proptest::collection::vec(entry(), 0..12)) {
            let given: Vec<String> = entries.iter().map(|(ip, length)| format!("{ip}/{length}")).collect();
            let list = IpAllowList::parse(&given).unwrap();
            prop_assert_eq!(&IpAllowList::parse(list.entries()).unwrap(), &list);
            for (ip, _) in entries {
                prop_assert!(list.covers(ip));
            }
        }

        /// Go's `netip`: `Prefix.Masked().Contains(Addr.Unmap())`, both sides unmapped; read bit by bit.
        #[test]
        fn covers_what_shares_the_leading_bits((ip, length) in entry(), flipped in 0u32..128, other: u128) {
            let list = IpAllowList::parse([format!("{ip}/{length}")]).unwrap();
            let bits = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => (format!("{:032b}", u32::from(ip)), true),
                IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                    Some(ip) => (format!("{:032b}", u32::from(ip)), true),
                    None => (format!("{:0128b}", u128::from(ip)), false),
                },
            };
            let (network, is_v4) = bits(ip);
            let kept = usize::from(if is_v4 && ip.is_ipv6() { length - 96 } else { length });
            let near = match ip {
                IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) ^ (1 << (flipped % 32))).into()),
                IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) ^ (1 << flipped)).into()),
            };
            for peer in [near, IpAddr::V6(other.into()), IpAddr::V4(u32::try_from(other >> 96).unwrap().into())] {
                let (peer_bits, peer_is_v4) = bits(peer);
                let expected = is_v4 == peer_is_v4 && network[..kept] == peer_bits[..kept];
                prop_assert_eq!(list.covers(peer), expected, "{} {}", list.entries().next().unwrap(), peer);
            }
        }

        #[test]
        fn order_means_nothing(entries in proptest::collection::vec(entry(), 0..6), more in entry()) {
            let text = |(ip, length): &(IpAddr, u8)| format!("{ip}/{length}");
            let list = IpAllowList::parse(entries.iter().map(text)).unwrap();
            prop_assert!(list.is_same(&IpAllowList::parse(entries.iter().rev().map(text)).unwrap()));
            let longer = IpAllowList::parse(entries.iter().chain([&more]).map(text)).unwrap();
            prop_assert_eq!(list.is_same(&longer), list.len() == longer.len());
        }

        #[test]
        fn any_text_is_answered(s in "[0-9a-f:./]{0,20}|\\PC{0,20}") {
            let _ = IpAllowList::parse([s]);
        }
    }
}
