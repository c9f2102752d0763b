//! The places in which use cases run. A place is a connection with one transaction at a time.
//!
//! | lane | use cases | places | of one party |
//! |---|---|---|---|
//! | fast | all others | `writers` of the URL | all but one |
//! | slow | of a party that a lock or a server has delayed; its delayed reads too | [`SLOW_PLACES`] | [`SLOW_PLACES_EACH`] |
//! | long | with [`IS_LONG`](crate::UseCase::IS_LONG) | [`LONG_PLACES`] | all but one |
//!
//! A party is an owner with all organizations, as for list queries. The use cases of the server itself are one more
//! party, without a limit of places. Of each party, one use case at a time waits for a place, and the others wait for
//! their turn. So parties take turns, and the queue of one does not delay the others.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Mutex as Turn, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::connection::Connection;
use super::limits::{
    self, HELD_UP, LONG_PLACES, PARTIES, QUEUE, QUEUE_EACH, SLOW_PLACES, SLOW_PLACES_EACH, Timeouts,
};
use super::shared::Shared;
use crate::StoreError;
use crate::error::unexpected;
use crate::readings::LaneReading;
use crate::schema::BUCKETS;

/// The lanes of a node.
pub(super) struct Lanes {
    fast: Arc<Lane>,
    slow: Arc<Lane>,
    long: Arc<Lane>,
    /// The parties whose use cases begin in the slow lane, each with the end of this time.
    held_up: Mutex<HashMap<Uuid, Instant>>,
}

impl Lanes {
    pub(super) fn new(writers: usize) -> Self {
        // Nodes begin at different buckets, so that a few nodes rarely share one.
        let first = usize::from(RandomState::new().hash_one(()).to_le_bytes()[0]);
        let but_one = |places: usize| places.saturating_sub(1).max(1);
        Self {
            fast: Lane::new(limits::FAST, first, writers, but_one(writers)),
            slow: Lane::new(limits::PATIENT, first + writers, SLOW_PLACES, SLOW_PLACES_EACH),
            long: Lane::new(limits::LONG, first + writers + SLOW_PLACES, LONG_PLACES, but_one(LONG_PLACES)),
            held_up: Mutex::default(),
        }
    }

    /// The lane of a party's next attempt.
    pub(super) fn choose(&self, party: Uuid, is_long: bool, is_slow: bool) -> &Arc<Lane> {
        match (is_long, is_slow || self.is_held_up(party)) {
            (_, true) => &self.slow,
            (true, false) => &self.long,
            (false, false) => &self.fast,
        }
    }

    pub(super) fn is_slow(&self, lane: &Arc<Lane>) -> bool {
        Arc::ptr_eq(lane, &self.slow)
    }

    pub(super) fn is_held_up(&self, party: Uuid) -> bool {
        let held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        held_up.get(&party).is_some_and(|until| *until > Instant::now())
    }

    /// Notes that a lock or a server has delayed the party. For [`HELD_UP`] its use cases begin in the slow lane, where
    /// they delay no other party. The server's own use cases are left out, because they concern different owners.
    pub(super) fn hold_up(&self, party: Uuid) {
        let mut held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        held_up.retain(|_, until| *until > now);
        if held_up.len() < PARTIES && !party.is_nil() {
            held_up.insert(party, now + HELD_UP);
        }
    }

    /// A place in the slow lane, for a read that was delayed.
    pub(super) async fn enter_slow(&self, party: Uuid) -> Result<Place, StoreError> {
        self.slow.enter(party).await
    }

    /// The lanes by name, with their use at this moment.
    pub(super) fn readings(&self) -> Vec<(&'static str, LaneReading)> {
        vec![("fast", self.fast.reading()), ("slow", self.slow.reading()), ("long", self.long.reading())]
    }

    /// Closes the idle connections.
    pub(super) fn close(&self) {
        for lane in [&self.fast, &self.slow, &self.long] {
            lane.idle().iter_mut().for_each(|slot| slot.connection = None);
        }
    }
}

/// Places of one kind.
pub(super) struct Lane {
    timeouts: Timeouts,
    places: Arc<Semaphore>,
    queue: Semaphore,
    idle: Mutex<Vec<Slot>>,
    most: usize,
    /// The places that one party can have.
    each: usize,
    shares: Mutex<HashMap<Uuid, Arc<Share>>>,
}

/// A party in a lane.
struct Share {
    places: Arc<Semaphore>,
    /// Held by the use case that waits for a place.
    turn: Turn<()>,
}

/// The connection of a place, and the bucket of the counters that its transactions add to.
#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    bucket: i64,
}

impl Lane {
    fn new(timeouts: Timeouts, first_bucket: usize, places: usize, each: usize) -> Arc<Self> {
        let bucket = |place: usize| i64::try_from((first_bucket + place) % BUCKETS).unwrap_or(0);
        let slots = (0..places).map(|place| Slot { connection: None, bucket: bucket(place) });
        Arc::new(Self {
            timeouts,
            places: Arc::new(Semaphore::new(places)),
            queue: Semaphore::new(QUEUE),
            idle: Mutex::new(slots.collect()),
            most: places,
            each,
            shares: Mutex::default(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self) -> LaneReading {
        LaneReading {
            places: self.most,
            used: self.most.saturating_sub(self.places.available_permits()),
            waiting: QUEUE.saturating_sub(self.queue.available_permits()),
        }
    }

    fn share(&self, party: Uuid) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= PARTIES {
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let most = if party.is_nil() { self.most } else { self.each };
        let new = || Arc::new(Share { places: Arc::new(Semaphore::new(most)), turn: Turn::default() });
        Arc::clone(shares.entry(party).or_insert_with(new))
    }

    /// A place, once the turn of the party has come. Dropping the future leaves the queue.
    pub(super) async fn enter(self: &Arc<Self>, party: Uuid) -> Result<Place, StoreError> {
        let too_many = || StoreError::Unavailable("too many writes are waiting".into());
        let _queued = self.queue.try_acquire().map_err(|_| too_many())?;
        let share = self.share(party);
        if Arc::strong_count(&share) > QUEUE_EACH {
            return Err(too_many());
        }
        let turn = share.turn.lock().await;
        let own = Arc::clone(&share.places).acquire_owned().await.map_err(unexpected)?;
        let all = Arc::clone(&self.places).acquire_owned().await.map_err(unexpected)?;
        drop(turn);
        let slot = self.idle().pop().unwrap_or_default();
        Ok(Place { lane: Arc::clone(self), slot, _share: share, _permits: [own, all] })
    }
}

/// A place of a lane. Dropping it gives it to the next use case.
pub(super) struct Place {
    lane: Arc<Lane>,
    slot: Slot,
    _share: Arc<Share>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Place {
    pub(super) const fn bucket(&self) -> i64 {
        self.slot.bucket
    }

    /// The connection of this place, which is opened if there is none.
    pub(super) async fn connection(&mut self, shared: &Arc<Shared>) -> Result<Arc<Connection>, StoreError> {
        if let Some(connection) = self.slot.connection.as_ref().filter(|known| !known.is_lost()) {
            return Ok(Arc::clone(connection));
        }
        self.slot.connection = None;
        let connection = Arc::new(shared.connect(self.lane.timeouts).await?);
        self.slot.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slot = std::mem::take(&mut self.slot);
        slot.connection.take_if(|connection| connection.is_lost());
        self.lane.idle().push(slot);
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
