//! The share of connections that one address may have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by address. IPv6 addresses count by their /64 network: one host has all of it.
///
/// A client that never sends a request is never counted against a rate, so an address has only half of its share for
/// connections without one.
pub(super) struct Peers {
    share: usize,
    open: Mutex<HashMap<IpAddr, Open>>,
}

#[derive(Default)]
struct Open {
    connections: usize,
    /// Those that have not sent a request yet.
    without_request: usize,
}

/// One connection of an address, until it is dropped.
pub(super) struct Peer {
    peers: Arc<Peers>,
    key: IpAddr,
    has_sent: AtomicBool,
}

impl Peers {
    pub(super) fn new(share: usize) -> Arc<Self> {
        Arc::new(Self { share, open: Mutex::default() })
    }

    /// Counts a connection. Nothing when the address has its share already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Peer> {
        let key = network(address);
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(key).or_default();
        if open.connections >= self.share || open.without_request >= self.share.div_ceil(2) {
            return None;
        }
        open.connections += 1;
        open.without_request += 1;
        Some(Peer { peers: Arc::clone(self), key, has_sent: AtomicBool::new(false) })
    }

    fn change(&self, key: IpAddr, change: impl FnOnce(&mut Open)) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut open) = all.entry(key) {
            change(open.get_mut());
            if open.get().connections == 0 {
                open.remove();
            }
        }
    }
}

impl Peer {
    /// Records that the connection has sent the head of a request.
    pub(super) fn sent_request(&self) {
        if !self.has_sent.swap(true, Ordering::Relaxed) {
            self.peers.change(self.key, |open| open.without_request = open.without_request.saturating_sub(1));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.sent_request();
        self.peers.change(self.key, |open| open.connections = open.connections.saturating_sub(1));
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_a_network_counts_as_one() {
        let peers = Peers::new(2);
        let at = |text: &str| peers.admit(text.parse().unwrap()).inspect(Peer::sent_request);
        let (first, second) = (at("2001:db8::1").unwrap(), at("2001:db8::2").unwrap());
        assert!(at("2001:db8::3").is_none());
        assert!(at("2001:db8:0:1::1").is_some() && at("192.0.2.1").is_some());
        drop(first);
        let third = at("2001:db8::3").unwrap();
        assert!(at("2001:db8::4").is_none());
        drop((second, third));
        assert!(peers.open.lock().unwrap().is_empty());
    }

    #[test]
    fn connections_without_a_request_have_half_of_the_share() {
        let peers = Peers::new(4);
        let at = || peers.admit("192.0.2.1".parse().unwrap());
        let (first, second) = (at().unwrap(), at().unwrap());
        assert!(at().is_none());
        first.sent_request();
        let third = at().unwrap();
        assert!(at().is_none());
        drop((first, second, third));
        assert!(peers.open.lock().unwrap().is_empty());
    }
}
