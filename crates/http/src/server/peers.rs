//! The shares of the open connections: of one address, of one owner, and of all strangers together.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
///
/// An HTTP/2 connection carries several requests at once. Each beyond the first counts as another connection
/// ([`Peer::add_stream`]), and is refused where another connection would be.
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
    strangers: BTreeMap<u64, Stranger>,
    /// The connections as which the strangers count together.
    stranger_connections: usize,
    next_place: u64,
}

/// A connection of a stranger.
struct Stranger {
    closing: Arc<Notify>,
    /// The connections that it counts as: itself, and each request beyond its first.
    connections: usize,
}

#[derive(Default)]
struct OfAddress {
    /// Connections, and requests beyond the first of each.
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
    /// Requests beyond the first. Changed under the lock alone.
    streams: AtomicUsize,
}

/// A request beyond the first of its connection, until it is dropped.
pub(super) struct StreamPlace(Arc<Peer>);

impl Open {
    /// Adds a stranger behind the others.
    fn line_up(&mut self, stranger: Stranger) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.stranger_connections += stranger.connections;
        self.strangers.insert(place, stranger);
        place
    }

    /// Takes a stranger out of the line.
    fn leave_line(&mut self, place: u64) -> Option<Stranger> {
        let stranger = self.strangers.remove(&place)?;
        self.stranger_connections = self.stranger_connections.saturating_sub(stranger.connections);
        Some(stranger)
    }

    /// Closes the strangers that have been idle for the longest, until there is room for one more among `most`.
    fn make_room(&mut self, most: usize) {
        while self.stranger_connections >= most
            && let Some(place) = self.strangers.keys().next().copied()
            && let Some(stranger) = self.leave_line(place)
        {
            stranger.closing.notify_one();
        }
    }

    /// Takes one connection from an owner.
    fn leave_owner(&mut self, owner: RateLimitKey) {
        if let Entry::Occupied(mut connections) = self.by_owner.entry(owner) {
            *connections.get_mut() = connections.get().saturating_sub(1);
            if *connections.get() == 0 {
                connections.remove();
            }
        }
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
        open.make_room(self.of_strangers);
        let closing = Arc::new(Notify::new());
        let stranger = Stranger { closing: Arc::clone(&closing), connections: 1 };
        Some(Peer {
            peers: Arc::clone(self),
            key,
            closing,
            place: Mutex::new(open.line_up(stranger)),
            has_sent: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            owner: Mutex::default(),
            streams: AtomicUsize::new(0),
        })
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
        if let Some(stranger) = open.leave_line(*place) {
            *place = open.line_up(stranger);
        }
    }

    /// Counts a request beyond the first one of the connection. Nothing when the address or the owner has its share
    /// already.
    pub(super) fn add_stream(self: &Arc<Self>) -> Option<StreamPlace> {
        let share = self.peers.share;
        let mut open = self.peers.open();
        if open.by_address.get(&self.key).is_none_or(|of| of.connections >= share) {
            return None;
        }
        if let Some(owner) = self.owner() {
            let connections = open.by_owner.entry(owner).or_default();
            if *connections >= share {
                return None;
            }
            *connections += 1;
        } else {
            open.make_room(self.peers.of_strangers);
            // A connection that has just made room for itself is closed.
            open.strangers.get_mut(&self.place())?.connections += 1;
            open.stranger_connections += 1;
        }
        open.change(self.key, |of| of.connections += 1);
        self.streams.fetch_add(1, Ordering::Relaxed);
        Some(StreamPlace(Arc::clone(self)))
    }

    /// Records that a request of this caller was admitted on the connection. From then on it is not a stranger's,
    /// unless the caller has used up its share.
    pub(crate) fn admitted(&self, caller: RateLimitKey) {
        if self.is_known.load(Ordering::Relaxed) {
            return;
        }
        let caller = caller.group().unwrap_or(caller);
        let mut open = self.peers.open();
        let own = 1 + self.streams.load(Ordering::Relaxed);
        let connections = open.by_owner.get(&caller).copied().unwrap_or_default().saturating_add(own);
        if connections > self.peers.share || self.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        open.by_owner.insert(caller, connections);
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller);
        open.leave_line(self.place());
    }

    fn owner(&self) -> Option<RateLimitKey> {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> u64 {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
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
        open.leave_line(self.place());
        if let Some(owner) = self.owner() {
            open.leave_owner(owner);
        }
        open.change(self.key, |of| {
            of.connections = of.connections.saturating_sub(1);
            of.without_request = of.without_request.saturating_sub(usize::from(!has_sent));
        });
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let peer = &self.0;
        let mut open = peer.peers.open();
        peer.streams.fetch_sub(1, Ordering::Relaxed);
        if let Some(owner) = peer.owner() {
            open.leave_owner(owner);
        } else if let Some(stranger) = open.strangers.get_mut(&peer.place()) {
            stranger.connections = stranger.connections.saturating_sub(1);
            open.stranger_connections = open.stranger_connections.saturating_sub(1);
        }
        open.change(peer.key, |of| of.connections = of.connections.saturating_sub(1));
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
        open.by_address.is_empty()
            && open.by_owner.is_empty()
            && open.strangers.is_empty()
            && open.stranger_connections == 0
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

    #[tokio::test]
    async fn requests_beyond_the_first_count_as_connections() {
        let peers = peers(64);
        let at = |text: &str| peers.admit(text.parse().unwrap()).map(Arc::new);
        let connection = at("192.0.2.1").unwrap();
        connection.sent_request();
        let mut streams: Vec<_> = std::iter::from_fn(|| connection.add_stream()).collect();
        assert_eq!(streams.len(), 7, "the address has eight connections");
        assert!(at("192.0.2.1").is_none());
        streams.pop();
        let second = at("192.0.2.1").unwrap();
        assert!(connection.add_stream().is_none() && second.add_stream().is_none());
        // A request that began before the connection had a caller counts for the caller as well.
        connection.admitted(RateLimitKey::Known(Uuid::nil()));
        assert_eq!(peers.open().by_owner[&RateLimitKey::Known(Uuid::nil())], 7);
        assert_eq!(peers.open().stranger_connections, 1);
        let other = at("192.0.2.2").unwrap();
        other.admitted(RateLimitKey::Known(Uuid::nil()));
        assert!(other.add_stream().is_none(), "the owner has its share");
        drop((streams, connection, second, other));
        assert!(is_empty(&peers));
    }

    #[tokio::test]
    async fn requests_of_strangers_make_room_for_those_of_others() {
        let peers = peers(64);
        let at = |number: u32| peers.admit(Ipv4Addr::from_bits(number).into()).map(Arc::new).unwrap();
        // Strangers may have 32 connections together, which four of them use up.
        let open: Vec<_> = (0..4).map(at).collect();
        let streams: Vec<_> = open.iter().flat_map(|peer| std::iter::from_fn(|| peer.add_stream())).collect();
        assert_eq!((streams.len(), peers.open().stranger_connections), (28, 32));
        let newest = at(9);
        open[0].has_to_close().await;
        assert_eq!(peers.open().stranger_connections, 25);
        assert!(open[0].add_stream().is_none(), "it is closed");
        drop((streams, open, newest));
        assert!(is_empty(&peers));
    }
}
