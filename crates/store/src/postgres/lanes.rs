//! The places in which use cases run. A place is a connection with one transaction at a time.
//!
//! | lane | use cases | places | of one organization |
//! |---|---|---|---|
//! | fast | all others | `writers` of the URL | all but one |
//! | slow | that waited for a row lock in vain | [`SLOW_PLACES`] | [`SLOW_PLACES_EACH`] |
//! | long | with [`IS_LONG`](crate::UseCase::IS_LONG) | [`LONG_PLACES`] | all but one |
//!
//! Use cases without a place wait in a queue for each organization. Organizations take turns, so that the queue of one
//! does not delay the others.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tenantry_core::ids::OrganizationId;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::limits::{self, LONG_PLACES, QUEUE, QUEUE_EACH, SLOW_PLACES, SLOW_PLACES_EACH, Timeouts};
use super::shared::Shared;
use crate::StoreError;
use crate::tx::BUCKETS;

/// The lanes of a node.
pub(super) struct Lanes {
    pub(super) fast: Arc<Lane>,
    pub(super) slow: Arc<Lane>,
    pub(super) long: Arc<Lane>,
}

impl Lanes {
    pub(super) fn new(writers: usize) -> Self {
        // Nodes begin at different buckets, so that a few nodes rarely share one.
        let first = usize::from(RandomState::new().hash_one(()).to_le_bytes()[0]);
        let lane = |timeouts, places: usize, before: usize, each| {
            let buckets = (0..places).map(|place| (first + before + place) % BUCKETS);
            Arc::new(Lane::new(timeouts, buckets, each))
        };
        let but_one = |places: usize| places.saturating_sub(1).max(1);
        Self {
            fast: lane(limits::FAST, writers, 0, but_one(writers)),
            slow: lane(limits::PATIENT, SLOW_PLACES, writers, SLOW_PLACES_EACH),
            long: lane(limits::LONG, LONG_PLACES, writers + SLOW_PLACES, but_one(LONG_PLACES)),
        }
    }

    /// Closes the idle connections.
    pub(super) fn close(&self) {
        for lane in [&self.fast, &self.slow, &self.long] {
            lane.state().idle.iter_mut().for_each(|slot| slot.connection = None);
        }
    }
}

/// Places of one kind.
pub(super) struct Lane {
    timeouts: Timeouts,
    /// The places that one organization can have.
    each: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Slot>,
    queues: HashMap<Option<OrganizationId>, VecDeque<oneshot::Sender<Place>>>,
    /// The organizations with a queue, in the order of their turns. `None` is for use cases without an organization.
    turns: VecDeque<Option<OrganizationId>>,
    /// The total length of the queues.
    queued: usize,
    /// The places of each organization.
    running: HashMap<OrganizationId, usize>,
}

/// The connection of a place, and the bucket of the counters that its transactions add to.
#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    bucket: i64,
}

impl Lane {
    fn new(timeouts: Timeouts, buckets: impl Iterator<Item = usize>, each: usize) -> Self {
        let slot = |bucket| Slot { connection: None, bucket: i64::try_from(bucket).unwrap_or(0) };
        let state = State { idle: buckets.map(slot).collect(), ..State::default() };
        Self { timeouts, each, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, once the turn of the organization has come. Dropping the future leaves the queue.
    pub(super) async fn enter(
        self: &Arc<Self>,
        organization: Option<OrganizationId>,
    ) -> Result<Place, StoreError> {
        let (give, given) = oneshot::channel();
        if !self.state().queue(organization, give) {
            return Err(StoreError::Unavailable("too many writes are waiting".into()));
        }
        self.hand_out();
        given.await.map_err(|_| StoreError::Unavailable("it is closed".into()))
    }

    /// Gives idle places to waiting use cases.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some((organization, slot, give)) = state.next(self.each) else { return };
            drop(state);
            // A place that nobody receives any more comes back when it is dropped.
            drop(give.send(Place { lane: Arc::clone(self), organization, slot }));
        }
    }
}

impl State {
    /// Puts a use case into the queue of its organization. Returns whether there was room.
    fn queue(&mut self, organization: Option<OrganizationId>, give: oneshot::Sender<Place>) -> bool {
        let queue = self.queues.entry(organization).or_default();
        if queue.is_empty() {
            self.turns.push_back(organization);
        }
        if self.queued >= QUEUE || (organization.is_some() && queue.len() >= QUEUE_EACH) {
            self.turns.retain(|of| self.queues.get(of).is_some_and(|queue| !queue.is_empty()));
            self.queues.retain(|_, queue| !queue.is_empty());
            return false;
        }
        queue.push_back(give);
        self.queued += 1;
        true
    }

    /// The next use case that can have a place, and an idle place for it.
    fn next(&mut self, each: usize) -> Option<(Option<OrganizationId>, Slot, oneshot::Sender<Place>)> {
        while !self.idle.is_empty() {
            let has_room = |of: &Option<OrganizationId>| {
                of.is_none_or(|of| self.running.get(&of).is_none_or(|count| *count < each))
            };
            let turn = self.turns.iter().position(has_room)?;
            let organization = self.turns.remove(turn)?;
            let queue = self.queues.get_mut(&organization)?;
            let give = queue.pop_front()?;
            self.queued -= 1;
            if queue.is_empty() {
                self.queues.remove(&organization);
            } else {
                self.turns.push_back(organization);
            }
            if !give.is_closed() {
                if let Some(of) = organization {
                    *self.running.entry(of).or_default() += 1;
                }
                return Some((organization, self.idle.pop()?, give));
            }
        }
        None
    }

    fn leave(&mut self, organization: Option<OrganizationId>, slot: Slot) {
        self.idle.push(slot);
        let Some(of) = organization else { return };
        if let Some(count) = self.running.get_mut(&of) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&of);
            }
        }
    }
}

/// A place of a lane. Dropping it gives it to the next use case.
pub(super) struct Place {
    lane: Arc<Lane>,
    organization: Option<OrganizationId>,
    slot: Slot,
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
        self.lane.state().leave(self.organization, slot);
        self.lane.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use uuid::Uuid;

    use super::*;

    fn lane(places: usize, each: usize) -> Arc<Lane> {
        Arc::new(Lane::new(limits::FAST, 0..places, each))
    }

    /// A use case of organization `of` that waits for a place.
    fn waiting(lane: &Arc<Lane>, of: u128) -> Pending {
        let lane = Arc::clone(lane);
        let organization = (of > 0).then(|| OrganizationId::new(Uuid::from_u128(of)));
        let mut pending: Pending = Box::pin(async move { lane.enter(organization).await.unwrap() });
        assert!(poll(&mut pending).is_none());
        pending
    }

    type Pending = std::pin::Pin<Box<dyn Future<Output = Place>>>;

    fn poll(pending: &mut Pending) -> Option<Place> {
        match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    fn enter(lane: &Arc<Lane>, of: u128) -> Place {
        let organization = (of > 0).then(|| OrganizationId::new(Uuid::from_u128(of)));
        let mut entering = Box::pin(lane.enter(organization));
        match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => place.unwrap(),
            Poll::Pending => panic!("no place"),
        }
    }

    #[test]
    fn organizations_take_turns() {
        let lane = lane(1, 1);
        let held = enter(&lane, 1);
        let mut first: Vec<Pending> = (0..3).map(|_| waiting(&lane, 1)).collect();
        let mut second = waiting(&lane, 2);
        drop(held);
        let held = poll(&mut first[0]).unwrap();
        drop(held);
        assert!(poll(&mut first[1]).is_none());
        drop(poll(&mut second).unwrap());
        assert!(poll(&mut first[1]).is_some());
    }

    #[test]
    fn an_organization_leaves_places_to_others() {
        let lane = lane(3, 2);
        let _held = [enter(&lane, 1), enter(&lane, 1)];
        let mut third = waiting(&lane, 1);
        drop(enter(&lane, 2));
        assert!(poll(&mut third).is_none());
        // Use cases without an organization are not limited.
        drop(enter(&lane, 0));
    }

    #[test]
    fn a_waiting_use_case_that_is_cancelled_gets_no_place() {
        let lane = lane(1, 1);
        let held = enter(&lane, 1);
        let cancelled = waiting(&lane, 2);
        let mut next = waiting(&lane, 3);
        drop(cancelled);
        drop(held);
        let held = poll(&mut next).unwrap();
        // A place that was given but not received returns as well.
        let unreceived = waiting(&lane, 4);
        drop(held);
        drop(unreceived);
        drop(enter(&lane, 5));
    }

    #[test]
    fn queues_are_bounded() {
        let lane = lane(1, 1);
        let _held = enter(&lane, 1);
        let _waiting: Vec<Pending> = (0..QUEUE_EACH).map(|_| waiting(&lane, 1)).collect();
        let organization = Some(OrganizationId::new(Uuid::from_u128(1)));
        let mut refused = Box::pin(lane.enter(organization));
        let polled = refused.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(StoreError::Unavailable(_)))));
        drop(waiting(&lane, 2));
    }
}
