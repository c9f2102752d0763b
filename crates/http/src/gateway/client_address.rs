//! The address of the client behind trusted proxies.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};
use tenantry_core::values::IpAllowList;

/// The client's address: the peer's, unless the peer is a trusted proxy. Then it is the last address in
/// `X-Forwarded-For` that is not a trusted proxy itself.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &IpAllowList) -> IpAddr {
    if trusted.is_empty() || !trusted.covers(peer) {
        return peer;
    }
    // Read as bytes: a client must not hide a proxy's entry behind text that is not UTF-8.
    let lines = headers.get_all("x-forwarded-for").iter().rev().map(HeaderValue::as_bytes);
    let mut address = peer;
    for hop in lines.flat_map(|line| line.rsplit(|octet| *octet == b',')) {
        let hop = str::from_utf8(hop).ok().and_then(|hop| hop.trim().parse().ok());
        let Some(hop) = hop else { break };
        address = hop;
        if !trusted.covers(hop) {
            break;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_for_whom_they_ask() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7, 198.51.100.9"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.1.1.1"));
        let from = |peer: &str, trusted: &IpAllowList| {
            client_address(peer.parse().unwrap(), &headers, trusted).to_string()
        };
        assert_eq!(from("10.2.2.2", &trusted), "198.51.100.9");
        assert_eq!(from("192.0.2.1", &trusted), "192.0.2.1");
        assert_eq!(from("10.2.2.2", &IpAllowList::default()), "10.2.2.2");
    }

    #[test]
    fn what_a_client_sends_hides_nothing_that_a_proxy_writes() {
        let trusted = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
        let appended = b"\xff, 198.51.100.9, 10.1.1.1";
        headers.append("x-forwarded-for", HeaderValue::from_bytes(appended).unwrap());
        let address = client_address("10.2.2.2".parse().unwrap(), &headers, &trusted);
        assert_eq!(address.to_string(), "198.51.100.9");
        // Nor is anything believed that stands in front of what is no address.
        headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 10.1.1.1").unwrap());
        let address = client_address("10.2.2.2".parse().unwrap(), &headers, &trusted);
        assert_eq!(address.to_string(), "10.1.1.1");
    }
}
