//! The shares of the open connections: of one address, of one owner, and of all strangers together.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits::Limits;
use crate::pipeline::rate_limit::RateLimitKey;

/// Open connections by address. IPv6 addresses count by their /64 network: one host has all of it.
///
/// A connection belongs to a stranger until a request on it has a valid token. Strangers together have half of the
/// connections: one more closes the connection of a stranger on which no head of a request has arrived for the longest
/// time. A client that never sends a head is never counted against a rate, so an address has only half of its share for
/// such connections.
///
/// The tokens of one owner can come from many addresses. So the organizations of an owner have the same share as an
/// address, and so have the portals of an owner. A connection beyond this share stays a stranger's.
pub(super) struct Peers {
    /// The share of an address, of an owner, and of the portals of an owner.
    share: usize,
    of_strangers: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_address: HashMap<IpAddr, OfAddress>,
    /// The number of connections with a valid token, by owner or by the portals of an owner.
    by_owner: HashMap<RateLimitKey, usize>,
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
    /// The owner, or the portals, that the connection counts for. Unlike `is_known`, it is read under the lock.
    owner: Mutex<Option<RateLimitKey>>,
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
        Arc::new(Self { share: limits.connection_share(), of_strangers, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection. Nothing when the address has its share already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Peer> {
        let key = network(address);
        let mut open = self.open();
        let of_address = open.by_address.entry(key).or_default();
        if of_address.connections >= self.share || of_address.without_request >= self.share.div_ceil(2) {
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
        let peers = Arc::clone(self);
        Some(Peer { peers, key, closing, place, has_sent, is_known, owner: Mutex::default() })
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

    /// Records that a request of this caller was admitted on the connection. From then on it is not a stranger's,
    /// unless the caller has used up its share.
    pub(crate) fn admitted(&self, caller: RateLimitKey) {
        if self.is_known.load(Ordering::Relaxed) {
            return;
        }
        let caller = caller.group().unwrap_or(caller);
        let mut open = self.peers.open();
        let connections = open.by_owner.entry(caller).or_default();
        if *connections >= self.peers.share || self.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        *connections += 1;
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller);
        self.leave_line(&mut open);
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
        if let Some(owner) = *self.owner.lock().unwrap_or_else(PoisonError::into_inner)
            && let Entry::Occupied(mut connections) = open.by_owner.entry(owner)
        {
            *connections.get_mut() = connections.get().saturating_sub(1);
            if *connections.get() == 0 {
                connections.remove();
            }
        }
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

    use uuid::Uuid;

    use super::*;

    fn peers(connections: usize) -> Arc<Peers> {
        Peers::new(&Limits { connections, ..Limits::default() })
    }

    fn is_empty(peers: &Peers) -> bool {
        let open = peers.open();
        open.by_address.is_empty() && open.by_owner.is_empty() && open.strangers.is_empty()
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
        open[1].admitted(RateLimitKey::Known(Uuid::nil()));
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

    #[test]
    fn an_owner_has_its_share_from_many_addresses() {
        let peers = peers(32);
        let open: Vec<Peer> =
            (0..16).map(|number| peers.admit(Ipv4Addr::from_bits(number).into()).unwrap()).collect();
        let [owner, customer] = [1, 2].map(Uuid::from_u128);
        let by_caller = [RateLimitKey::Known(owner), RateLimitKey::Customer { customer, owner }];
        for (connection, number) in open.iter().zip(0..) {
            connection.admitted(by_caller[number % 2]);
        }
        assert_eq!(peers.open().strangers.len(), 16 - 2 * 4);
        drop(open);
        assert!(is_empty(&peers));
    }
}
