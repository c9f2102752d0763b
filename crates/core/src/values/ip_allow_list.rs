//! The IP allow list of an API key: the networks from which the key may be used (docs/contracts/ahasend.md, 1.6).
//!
//! An entry is an IP address or a CIDR block. It is stored with the bits after the prefix cleared, and an
//! IPv4-mapped IPv6 address is stored as IPv4. The text form is that of Go's `netip.Prefix` (RFC 5952), because
//! provisioning tools compare it as text. A block of prefix length 0 is refused: an empty list means no restriction.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::InvalidValue;

/// Maximum number of entries after duplicates are dropped.
const MAX_ENTRIES: usize = 100;
/// Maximum characters of an invalid entry that the error text repeats.
const MAX_QUOTED_CHARS: usize = 64;
/// Length of the prefix `::ffff:0:0/96`, which marks an IPv4-mapped IPv6 address.
const MAPPED_PREFIX_BITS: u8 = 96;

/// Up to 100 distinct networks in the order first given. An empty list means no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpAllowList(Vec<IpNet>);

impl IpAllowList {
    /// Parses a list of entries. The error names the first invalid one.
    pub fn parse<I>(entries: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut networks: Vec<IpNet> = Vec::new();
        for entry in entries {
            let network = parse_network(entry.as_ref())?;
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

    /// Whether the list permits a request from this address. An empty list permits every address.
    pub fn covers(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(&peer))
    }

    /// Whether every address that `other` permits is permitted by this list too.
    pub fn covers_list(&self, other: &Self) -> bool {
        let is_within = |network: &IpNet| self.0.iter().any(|own| own.contains(network));
        self.is_empty() || (!other.is_empty() && other.0.iter().all(is_within))
    }

    /// The entries as CIDR blocks in canonical text.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Whether both lists hold the same networks, in any order.
    pub fn is_same(&self, other: &Self) -> bool {
        // A list holds no network twice, so equal lengths and one inclusion are enough.
        self.len() == other.len() && self.0.iter().all(|network| other.0.contains(network))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty and so restricts nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Parses an IP address or a CIDR block. The parser of `ipnet` is not used, because it accepts leading zeros.
fn parse_network(entry: &str) -> Result<IpNet, InvalidValue> {
    let invalid = |reason: &str| {
        let quoted: String = entry.chars().take(MAX_QUOTED_CHARS).collect();
        let message = format!("entry {quoted:?} {reason}");
        InvalidValue::with("value_error", message, "entry", quoted)
    };
    let malformed = || invalid("is neither an IP address nor a CIDR block");
    let (address, length) = match entry.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (entry, None),
    };
    let address: IpAddr = address.parse().map_err(|_| malformed())?;
    let network = match length {
        Some(length) => prefix_length(length).and_then(|length| IpNet::new(address, length).ok()),
        None => Some(IpNet::from(address)),
    };
    let network = network.ok_or_else(malformed)?;
    let network =
        unmapped(network).ok_or_else(|| invalid("is an IPv4-mapped block that reaches beyond IPv4"))?.trunc();
    if network.prefix_len() == 0 {
        return Err(invalid("admits every address; leave the list empty instead"));
    }
    Ok(network)
}

/// A prefix length in decimal digits without a sign or a leading zero.
fn prefix_length(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// The network with an IPv4-mapped IPv6 address replaced by the IPv4 address. None when the prefix is shorter than
/// the mapping's own: the block then contains addresses that are not IPv4.
fn unmapped(network: IpNet) -> Option<IpNet> {
    let address = network.addr().to_canonical();
    if address.is_ipv4() == network.addr().is_ipv4() {
        return Some(network);
    }
    let length = network.prefix_len().checked_sub(MAPPED_PREFIX_BITS)?;
    IpNet::new(address, length).ok()
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
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn texts(entries: &[&str]) -> Vec<String> {
        IpAllowList::parse(entries).unwrap().entries().collect()
    }

    #[test]
    fn entries_are_written_in_canonical_form() {
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
    fn invalid_entries_are_refused() {
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
    fn duplicates_do_not_count_towards_the_limit() {
        let mut entries: Vec<String> = (0..100).map(|i| format!("10.0.0.{i}")).collect();
        entries.extend(entries.clone());
        assert_eq!(IpAllowList::parse(&entries).unwrap().len(), 100);
        entries.push("10.0.1.0".into());
        assert_eq!(IpAllowList::parse(&entries).unwrap_err().kind, "too_long");
    }

    #[test]
    fn an_ipv4_peer_is_covered_in_both_of_its_forms() {
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
        fn a_list_parses_to_itself_and_covers_its_entries(entries in proptest::collection::vec(entry(), 0..12)) {
            let given: Vec<String> = entries.iter().map(|(ip, length)| format!("{ip}/{length}")).collect();
            let list = IpAllowList::parse(&given).unwrap();
            prop_assert_eq!(&IpAllowList::parse(list.entries()).unwrap(), &list);
            for (ip, _) in entries {
                prop_assert!(list.covers(ip));
            }
        }

        /// As `Prefix.Masked().Contains(Addr.Unmap())` of Go's `netip`, with both sides unmapped, compared bit by bit.
        #[test]
        fn a_network_covers_addresses_with_the_same_leading_bits((ip, length) in entry(), flipped in 0u32..128, other: u128) {
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
        fn order_does_not_matter_when_lists_are_compared(entries in proptest::collection::vec(entry(), 0..6), more in entry()) {
            let text = |(ip, length): &(IpAddr, u8)| format!("{ip}/{length}");
            let list = IpAllowList::parse(entries.iter().map(text)).unwrap();
            prop_assert!(list.is_same(&IpAllowList::parse(entries.iter().rev().map(text)).unwrap()));
            let longer = IpAllowList::parse(entries.iter().chain([&more]).map(text)).unwrap();
            prop_assert_eq!(list.is_same(&longer), list.len() == longer.len());
        }

        #[test]
        fn no_text_panics(s in "[0-9a-f:./]{0,20}|\\PC{0,20}") {
            let _ = IpAllowList::parse([s]);
        }
    }
}
