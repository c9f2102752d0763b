//! The shares of the connections that one address, and all strangers together, may have.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits::Limits;

/// Open connections by address. IPv6 addresses count by their /64 network: one host has all of it.
///
/// A connection belongs to a stranger until a request on it has a valid token. Strangers together have half of the
/// connections: one more closes that of the stranger who has sent no head of a request for the longest time. A client
/// that never sends a head is never counted against a rate, so an address has only half of its share for such
/// connections.
pub(super) struct Peers {
    per_address: usize,
    of_strangers: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_address: HashMap<IpAddr, OfAddress>,
    /// The strangers, in the order of their latest head of a request.
    strangers: BTreeMap<u64, Arc<Notify>>,
    next_place: u64,
}

#[derive(Default)]
struct OfAddress {
    connections: usize,
    /// Connections that have not sent a request yet.
    without_request: usize,
}

/// One connection of an address, until it is dropped.
pub(crate) struct Peer {
    peers: Arc<Peers>,
    key: IpAddr,
    closing: Arc<Notify>,
    /// The place among the strangers.
    place: Mutex<u64>,
    has_sent: AtomicBool,
    is_known: AtomicBool,
}

impl Open {
    /// Adds a stranger behind the others.
    fn line_up(&mut self, closing: &Arc<Notify>) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.strangers.insert(place, Arc::clone(closing));
        place
    }

    fn change(&mut self, key: IpAddr, change: impl FnOnce(&mut OfAddress)) {
        if let Entry::Occupied(mut open) = self.by_address.entry(key) {
            change(open.get_mut());
            if open.get().connections == 0 {
                open.remove();
            }
        }
    }
}

impl Peers {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let of_strangers = (limits.connections / 2).max(1);
        Arc::new(Self { per_address: limits.connections_per_address(), of_strangers, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection. Nothing when the address has its share already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Peer> {
        let key = network(address);
        let mut open = self.open();
        let of_address = open.by_address.entry(key).or_default();
        if of_address.connections >= self.per_address
            || of_address.without_request >= self.per_address.div_ceil(2)
        {
            return None;
        }
        of_address.connections += 1;
        of_address.without_request += 1;
        if open.strangers.len() >= self.of_strangers
            && let Some((_, oldest)) = open.strangers.pop_first()
        {
            oldest.notify_one();
        }
        let closing = Arc::new(Notify::new());
        let place = Mutex::new(open.line_up(&closing));
        let (has_sent, is_known) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Peer { peers: Arc::clone(self), key, closing, place, has_sent, is_known })
    }
}

impl Peer {
    /// Records that the connection has sent the head of a request.
    pub(super) fn sent_request(&self) {
        if self.is_known.load(Ordering::Relaxed) {
            return;
        }
        let mut open = self.peers.open();
        if !self.has_sent.swap(true, Ordering::Relaxed) {
            open.change(self.key, |of| of.without_request = of.without_request.saturating_sub(1));
        }
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if open.strangers.remove(&place).is_some() {
            *place = open.line_up(&self.closing);
        }
    }

    /// Records that a request on the connection had a valid token.
    pub(crate) fn is_no_stranger(&self) {
        if !self.is_known.swap(true, Ordering::Relaxed) {
            self.leave_line(&mut self.peers.open());
        }
    }

    fn leave_line(&self, open: &mut Open) {
        open.strangers.remove(&self.place.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until the connection has to make room for that of another stranger.
    pub(super) async fn has_to_close(&self) {
        self.closing.notified().await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let has_sent = self.has_sent.load(Ordering::Relaxed);
        let mut open = self.peers.open();
        self.leave_line(&mut open);
        open.change(self.key, |of| {
            of.connections = of.connections.saturating_sub(1);
            of.without_request = of.without_request.saturating_sub(usize::from(!has_sent));
        });
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
    use std::net::Ipv4Addr;

    use super::*;

    fn peers(connections: usize) -> Arc<Peers> {
        Peers::new(&Limits { connections, ..Limits::default() })
    }

    fn is_empty(peers: &Peers) -> bool {
        let open = peers.open();
        open.by_address.is_empty() && open.strangers.is_empty()
    }

    #[test]
    fn an_address_has_its_share_and_a_network_counts_as_one() {
        let peers = peers(16);
        let at = |text: &str| peers.admit(text.parse().unwrap()).inspect(Peer::sent_request);
        let (first, second) = (at("2001:db8::1").unwrap(), at("2001:db8::2").unwrap());
        assert!(at("2001:db8::3").is_none());
        assert!(at("2001:db8:0:1::1").is_some() && at("192.0.2.1").is_some());
        drop(first);
        let third = at("2001:db8::3").unwrap();
        assert!(at("2001:db8::4").is_none());
        drop((second, third));
        assert!(is_empty(&peers));
    }

    #[test]
    fn connections_without_a_request_have_half_of_the_share() {
        let peers = peers(32);
        let at = || peers.admit("192.0.2.1".parse().unwrap());
        let (first, second) = (at().unwrap(), at().unwrap());
        assert!(at().is_none());
        first.sent_request();
        let third = at().unwrap();
        assert!(at().is_none());
        drop((first, second, third));
        assert!(is_empty(&peers));
    }

    #[tokio::test]
    async fn a_stranger_makes_room_for_another() {
        let peers = peers(8);
        let at = |number: u32| peers.admit(Ipv4Addr::from_bits(number).into()).unwrap();
        let mut open: Vec<Peer> = (0..4).map(at).collect();
        open[0].sent_request();
        open[1].is_no_stranger();
        open.extend((4..7).map(at));
        open[2].has_to_close().await;
        open[3].has_to_close().await;
        let line: Vec<u64> = peers.open().strangers.keys().copied().collect();
        assert_eq!(line, [4, 5, 6, 7]);
        // A late request does not put a connection back that has to close.
        open[2].sent_request();
        assert_eq!(peers.open().strangers.len(), 4);
        drop(open);
        assert!(is_empty(&peers));
    }
}
