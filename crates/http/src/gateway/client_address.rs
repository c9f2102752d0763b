//! The address of the client behind trusted proxies.
//!
//! A trusted proxy appends the address of its own client to `X-Forwarded-For`. The header is read from its end: entries
//! of trusted proxies are skipped, and the first other entry is the client. Entries may have a port, and IPv6 addresses
//! may have brackets: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
//!
//! An entry that is no address, such as `unknown` or an obfuscated identifier, makes the client's address unknown. It
//! is never taken for the proxy's: an IP allow list may contain the proxy. The same goes for a header without entries.
//! `Forwarded` (RFC 7239) is not read. If a request has `Forwarded` and no entry in `X-Forwarded-For`, its proxy is
//! configured wrongly, and the client is unknown.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tenantry_core::values::IpAllowList;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. Nothing when a trusted proxy reports something that is no address.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &IpAllowList) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if trusted.is_empty() || !trusted.covers(peer) {
        return Some(peer);
    }
    // Read as bytes: a client must not hide a proxy's entry behind text that is not UTF-8.
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev().map(HeaderValue::as_bytes);
    let mut address = None;
    for entry in lines.flat_map(|line| line.rsplit(|octet| *octet == b',')) {
        // A list may have empty elements (RFC 9110, section 5.6.1).
        if entry.trim_ascii().is_empty() {
            continue;
        }
        let Some(hop) = parse(entry) else {
            warn_once(peer);
            return None;
        };
        address = Some(hop.to_canonical());
        if !trusted.covers(hop) {
            break;
        }
    }
    if address.is_none() && headers.contains_key(FORWARDED) {
        warn_once_about_forwarded(peer);
    }
    // Without either header the proxy itself is the client. A header without an entry hides the client.
    let is_reported = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    address.or_else(|| (!is_reported).then_some(peer))
}

fn parse(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim();
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(with_port).or_else(bracketed)
}

/// Logs only the first such entry of the process, because a client can send any number of them.
fn warn_once(peer: IpAddr) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            proxy = %peer,
            "X-Forwarded-For has an entry that is no IP address: such clients are in no IP allow list and share one \
             rate limit"
        );
    });
}

/// Logs only the first such request of the process.
fn warn_once_about_forwarded(peer: IpAddr) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            proxy = %peer,
            "the trusted proxy sends Forwarded, which is not read: configure it to send X-Forwarded-For. Until then its \
             clients are in no IP allow list and share one rate limit"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&[u8]], trusted: &IpAllowList) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_proxies_report_the_client() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        let lines: &[&[u8]] = &[b"203.0.113.7, 198.51.100.9", b"10.1.1.1"];
        assert_eq!(client("10.2.2.2", lines, &trusted).as_deref(), Some("198.51.100.9"));
        assert_eq!(client("192.0.2.1", lines, &trusted).as_deref(), Some("192.0.2.1"));
        assert_eq!(client("10.2.2.2", lines, &IpAllowList::default()).as_deref(), Some("10.2.2.2"));
        assert_eq!(client("10.2.2.2", &[], &trusted).as_deref(), Some("10.2.2.2"));
        assert_eq!(client("::ffff:192.0.2.1", &[], &trusted).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn an_entry_may_have_a_port_and_brackets() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        for (entry, address) in [
            ("198.51.100.66:1234", "198.51.100.66"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("198.51.100.66:1, 10.0.0.1:2", "198.51.100.66"),
            ("198.51.100.66,, 10.0.0.1, ", "198.51.100.66"),
            ("::ffff:198.51.100.66", "198.51.100.66"),
        ] {
            assert_eq!(
                client("10.2.2.2", &[entry.as_bytes()], &trusted).as_deref(),
                Some(address),
                "{entry}"
            );
        }
    }

    #[test]
    fn an_entry_that_is_no_address_hides_the_client_and_is_never_the_proxy() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        for entry in ["unknown", "_hidden", "198.51.100.66:x", "[::1", "203.0.113.7, _x, 10.1.1.1"] {
            assert_eq!(client("10.2.2.2", &[entry.as_bytes()], &trusted), None, "{entry}");
        }
        assert_eq!(client("10.2.2.2", &[b"\xff, 10.1.1.1"], &trusted), None);
        for lines in [&[b"" as &[u8]] as &[&[u8]], &[b", ,"], &[b" ", b","]] {
            assert_eq!(client("10.2.2.2", lines, &trusted), None);
        }
        // Text before the proxy's own entry comes from the client, and changes nothing.
        let lines: &[&[u8]] = &[b"203.0.113.7", b"\xff, 198.51.100.9, 10.1.1.1"];
        assert_eq!(client("10.2.2.2", lines, &trusted).as_deref(), Some("198.51.100.9"));
    }
}
