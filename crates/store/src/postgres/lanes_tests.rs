//! The turns and shares of parties at the places of a lane.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

type Entering = Pin<Box<dyn Future<Output = Result<Place, StoreError>>>>;

fn lane(places: usize, each: usize) -> Arc<Lane> {
    Lane::new(limits::FAST, 0, places, each)
}

/// A use case of party `of` that asks for a place, polled once.
fn enter(lane: &Arc<Lane>, of: u128) -> (Entering, Option<Result<Place, StoreError>>) {
    let lane = Arc::clone(lane);
    let mut entering: Entering = Box::pin(async move { lane.enter(Uuid::from_u128(of)).await });
    let entered = poll(&mut entering);
    (entering, entered)
}

fn poll(entering: &mut Entering) -> Option<Result<Place, StoreError>> {
    match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

fn entered(lane: &Arc<Lane>, of: u128) -> Place {
    enter(lane, of).1.unwrap().unwrap()
}

fn waiting(lane: &Arc<Lane>, of: u128) -> Entering {
    let (entering, entered) = enter(lane, of);
    assert!(entered.is_none());
    entering
}

#[test]
fn parties_take_turns() {
    let lane = lane(1, 1);
    let held = entered(&lane, 1);
    let mut first: Vec<_> = (0..3).map(|_| waiting(&lane, 1)).collect();
    let mut second = waiting(&lane, 2);
    drop(held);
    // The second party waited for the place, while the first waited for its share.
    let held = poll(&mut second).unwrap();
    assert!(poll(&mut first[0]).is_none());
    drop(held);
    drop(poll(&mut first[0]).unwrap());
    drop(poll(&mut first[1]).unwrap());
}

#[test]
fn a_party_leaves_places_to_others() {
    let lane = lane(3, 2);
    let held = [entered(&lane, 1), entered(&lane, 1)];
    let mut third = waiting(&lane, 1);
    drop(entered(&lane, 2));
    assert!(poll(&mut third).is_none());
    // The server's own use cases have no limit.
    drop(held);
    drop(third);
    let _all = [entered(&lane, 0), entered(&lane, 0), entered(&lane, 0)];
}

#[test]
fn a_waiting_use_case_that_is_cancelled_gets_no_place() {
    let lane = lane(1, 1);
    let held = entered(&lane, 1);
    let cancelled = waiting(&lane, 2);
    let mut next = waiting(&lane, 3);
    drop(cancelled);
    drop(held);
    let held = poll(&mut next).unwrap();
    // A place that was given but not received returns as well.
    let unreceived = waiting(&lane, 4);
    drop(held);
    drop(unreceived);
    drop(entered(&lane, 5));
}

#[test]
fn queues_are_bounded() {
    let lane = lane(1, 1);
    let _held = entered(&lane, 1);
    let _waiting: Vec<_> = (2..QUEUE_EACH).map(|_| waiting(&lane, 1)).collect();
    assert!(matches!(enter(&lane, 1).1, Some(Err(StoreError::Unavailable(_)))));
    drop(waiting(&lane, 2));
}

#[test]
fn a_party_that_is_held_up_begins_in_the_slow_lane() {
    let lanes = Lanes::new(2);
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    lanes.hold_up(one);
    assert!(lanes.is_slow(lanes.choose(one, false, false)));
    assert!(lanes.is_slow(lanes.choose(one, true, false)));
    assert!(Arc::ptr_eq(lanes.choose(two, false, false), &lanes.fast));
    assert!(Arc::ptr_eq(lanes.choose(two, true, false), &lanes.long));
}
