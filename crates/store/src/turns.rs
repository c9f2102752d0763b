//! A queue that serves parties in turn, so that the work of one delays the work of the others by a bounded time.
//!
//! The use cases of a party ([`crate::Party::limited_as`]) wait in a line, the short ones apart from the long ones
//! ([`crate::UseCase::IS_LONG`]).
//!
//! | rule | by |
//! |---|---|
//! | the next use case is that of the line which has used the least time | `Line::used_us`, measured by the taker |
//! | a line that was empty begins at the time of the line that was served last, so it has neither credit nor debt | `Lines::served_us` |
//! | after a long use case the short ones run for at least as long, if any wait | `State::owed_us` |
//! | a line has [`LINE`] places, all together [`ALL`] | [`TurnQueue::push`] |
//! | a use case that has waited for [`WAIT`] leaves without running; those of the server itself wait on | [`TurnQueue::take`] |
//!
//! The SQLite writer and [`crate::list_query_limiter`] take from it. Nothing in it depends on the engine: several takers may use it at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::StoreError;

/// Places for use cases. A further one is refused.
const ALL: usize = 8_192;
/// Places in one line. A further use case of that line is refused.
const LINE: usize = 1_024;
/// The longest time for which a use case waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// The time between two searches for use cases that have waited too long.
const SEARCH: Duration = Duration::from_millis(100);
/// Lines without a use case that are remembered for their use, at most as many more as others.
const REMEMBERED: usize = 1_024;

/// The line of a use case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineKey {
    /// The party. `None` for the server itself.
    pub(crate) party: Option<Uuid>,
    /// Whether the line is that of the party's long use cases.
    pub(crate) is_long: bool,
}

/// A use case that left the queue.
pub(crate) enum Taken<T> {
    /// It is to run now. The taker measures its time and calls [`TurnQueue::charge`].
    Run(LineKey, T),
    /// It has waited for too long and is to be refused.
    Expired(T),
}

/// The waiting use cases of one party. `turn` is a number that grows with each turn, so that equal lines alternate.
struct Line<T> {
    waiting: VecDeque<(Instant, T)>,
    used_us: u64,
    turn: u64,
}

/// The lines of all parties. `order` holds those with a use case, by time used.
struct Lines<T> {
    by_party: HashMap<Option<Uuid>, Line<T>>,
    order: BTreeSet<(u64, u64, Option<Uuid>)>,
    served_us: u64,
    turns: u64,
}

struct State<T> {
    short: Lines<T>,
    long: Lines<T>,
    owed_us: u64,
    expired: VecDeque<T>,
    searched: Option<Instant>,
    waiting: usize,
    /// Takers that sleep. A wake-up is a system call, so that nobody else is woken.
    sleeping: usize,
    is_closed: bool,
}

/// The queue. `T` is a use case.
pub(crate) struct TurnQueue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { by_party: HashMap::new(), order: BTreeSet::new(), served_us: 0, turns: 0 }
    }
}

impl<T> Lines<T> {
    fn push(&mut self, party: Option<Uuid>, now: Instant, entry: T) -> Result<(), StoreError> {
        self.turns = self.turns.saturating_add(1);
        let new = || Line { waiting: VecDeque::new(), used_us: 0, turn: 0 };
        let line = self.by_party.entry(party).or_insert_with(new);
        if line.waiting.len() >= LINE {
            return Err(StoreError::Unavailable("too much work of this owner is waiting".into()));
        }
        if line.waiting.is_empty() {
            line.used_us = line.used_us.max(self.served_us);
            line.turn = self.turns;
            self.order.insert((line.used_us, line.turn, party));
        }
        line.waiting.push_back((now, entry));
        Ok(())
    }

    fn pop(&mut self) -> Option<(Option<Uuid>, T)> {
        let (used_us, _, party) = self.order.pop_first()?;
        self.served_us = self.served_us.max(used_us);
        self.turns = self.turns.saturating_add(1);
        let line = self.by_party.get_mut(&party)?;
        let (_, entry) = line.waiting.pop_front()?;
        line.turn = self.turns;
        if !line.waiting.is_empty() {
            self.order.insert((used_us, line.turn, party));
        }
        Some((party, entry))
    }

    fn charge(&mut self, party: Option<Uuid>, time_us: u64) {
        if let Some(line) = self.by_party.get_mut(&party) {
            let is_waiting = self.order.remove(&(line.used_us, line.turn, party));
            line.used_us = line.used_us.saturating_add(time_us);
            if is_waiting {
                self.order.insert((line.used_us, line.turn, party));
            }
        }
        if self.by_party.len() > self.order.len().saturating_mul(2).saturating_add(REMEMBERED) {
            let served_us = self.served_us;
            self.by_party.retain(|_, line| !line.waiting.is_empty() || line.used_us > served_us);
        }
    }

    /// Moves the use cases that have waited for [`WAIT`] to `expired`. Those of a line are in the order of arrival.
    fn expire(&mut self, now: Instant, expired: &mut VecDeque<T>) {
        let is_late = |entry: &mut (Instant, T)| now.saturating_duration_since(entry.0) >= WAIT;
        for (party, line) in self.by_party.iter_mut().filter(|(party, _)| party.is_some()) {
            while let Some((_, entry)) = line.waiting.pop_front_if(is_late) {
                expired.push_back(entry);
                if line.waiting.is_empty() {
                    self.order.remove(&(line.used_us, line.turn, *party));
                }
            }
        }
    }
}

impl<T> State<T> {
    fn lines(&mut self, line: LineKey) -> &mut Lines<T> {
        if line.is_long { &mut self.long } else { &mut self.short }
    }

    fn pop(&mut self) -> Option<(LineKey, T)> {
        let is_long = self.short.order.is_empty() || (self.owed_us == 0 && !self.long.order.is_empty());
        if is_long {
            self.owed_us = self.owed_us.max(1);
        }
        let lines = if is_long { &mut self.long } else { &mut self.short };
        let (party, entry) = lines.pop()?;
        Some((LineKey { party, is_long }, entry))
    }

    fn take(&mut self, now: Instant) -> Option<Taken<T>> {
        if self.searched.is_none_or(|last| now.saturating_duration_since(last) >= SEARCH) {
            self.searched = Some(now);
            self.short.expire(now, &mut self.expired);
            self.long.expire(now, &mut self.expired);
        }
        let expired = self.expired.pop_front().map(Taken::Expired);
        let taken = expired.or_else(|| self.pop().map(|(line, entry)| Taken::Run(line, entry)))?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(taken)
    }
}

impl<T> Default for TurnQueue<T> {
    fn default() -> Self {
        let state = State {
            short: Lines::default(),
            long: Lines::default(),
            owed_us: 0,
            expired: VecDeque::new(),
            searched: None,
            waiting: 0,
            sleeping: 0,
            is_closed: false,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }
}

impl<T> TurnQueue<T> {
    /// Queues a use case.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when its line or the queue is full, or the queue is closed.
    pub(crate) fn push(&self, line: LineKey, now: Instant, entry: T) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.is_closed {
            return Err(StoreError::Unavailable("the database is closed".into()));
        }
        if state.waiting >= ALL {
            return Err(StoreError::Unavailable("too much work is waiting".into()));
        }
        state.lines(line).push(line.party, now, entry)?;
        state.waiting = state.waiting.saturating_add(1);
        let wakes = state.sleeping > 0;
        drop(state);
        if wakes {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// The next use case, if one waits.
    pub(crate) fn take(&self, now: Instant) -> Option<Taken<T>> {
        self.state().take(now)
    }

    /// Waits for the next use case. `None` once the queue is closed and empty.
    pub(crate) fn wait(&self) -> Option<Taken<T>> {
        let mut state = self.state();
        state.sleeping = state.sleeping.saturating_add(1);
        let is_idle = |state: &mut State<T>| state.waiting == 0 && !state.is_closed;
        let mut state = self.arrived.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        state.sleeping = state.sleeping.saturating_sub(1);
        state.take(Instant::now())
    }

    /// Adds the time that a use case of this line took.
    pub(crate) fn charge(&self, line: LineKey, time: Duration) {
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut state = self.state();
        state.lines(line).charge(line.party, time_us);
        state.owed_us = if line.is_long { time_us } else { state.owed_us.saturating_sub(time_us) };
    }

    /// The number of use cases that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Accepts no more use cases. Those that wait are still served.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.arrived.notify_all();
    }

    /// Closes the queue and drops the use cases that wait.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.is_closed = true;
        (state.short, state.long, state.waiting) = (Lines::default(), Lines::default(), 0);
        state.expired.clear();
        drop(state);
        self.arrived.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LineKey = line(1, false);
    const B: LineKey = line(2, false);
    const LONG: LineKey = line(1, true);

    const fn line(party: u128, is_long: bool) -> LineKey {
        LineKey { party: Some(Uuid::from_u128(party)), is_long }
    }

    /// A queue, and the time that is passed to it.
    struct Turns(TurnQueue<u32>, Instant);

    impl Turns {
        fn new() -> Self {
            Self(TurnQueue::default(), Instant::now())
        }

        fn push(&self, line: LineKey, entries: impl IntoIterator<Item = u32>) {
            entries.into_iter().for_each(|entry| self.0.push(line, self.1, entry).unwrap());
        }

        /// Serves use cases that take `millis(line)` each, at most `count`.
        fn serve(&self, count: usize, millis: impl Fn(LineKey) -> u64) -> Vec<u32> {
            let mut served = Vec::new();
            while served.len() < count
                && let Some(Taken::Run(line, entry)) = self.0.take(self.1)
            {
                served.push(entry);
                self.0.charge(line, Duration::from_millis(millis(line)));
            }
            served
        }
    }

    #[test]
    fn parties_share_the_time_and_not_the_number_of_use_cases() {
        let turns = Turns::new();
        turns.push(A, 0..100);
        turns.push(B, 1000..1100);
        let served = turns.serve(44, |line| if line == A { 10 } else { 1 });
        assert_eq!(served.iter().filter(|entry| **entry < 100).count(), 4);
        assert_eq!(turns.serve(1_000, |_| 1).len(), 156, "a single line has all the time");
    }

    #[test]
    fn a_party_that_comes_later_is_next_and_has_no_credit_for_its_absence() {
        let turns = Turns::new();
        turns.push(A, 0..100);
        assert_eq!(turns.serve(50, |_| 10).len(), 50);
        turns.push(B, 1000..1010);
        let served = turns.serve(6, |_| 10);
        assert!(served[..2].contains(&1000), "{served:?}");
        assert_eq!(served.iter().filter(|entry| **entry >= 1000).count(), 3, "{served:?}");
    }

    #[test]
    fn a_party_that_leaves_the_queue_for_a_moment_keeps_its_debt() {
        let turns = Turns::new();
        turns.push(B, 1000..1100);
        for entry in 0..10 {
            turns.push(A, [entry]);
            turns.serve(2, |line| if line == A { 50 } else { 1 });
        }
        let left = turns.0.state().short.by_party[&B.party].waiting.len();
        assert!(left <= 85, "B had only {} turns beside 10 of A", 100 - left);
    }

    #[test]
    fn short_use_cases_run_between_two_long_ones() {
        let turns = Turns::new();
        for party in 10..20 {
            turns.push(line(party, true), [party as u32]);
        }
        turns.push(LONG, [1, 2]);
        turns.push(A, 100..300);
        let served = turns.serve(1_000, |line| if line.is_long { 10 } else { 1 });
        let gaps: Vec<_> = served.split(|entry| *entry < 100).map(<[u32]>::len).collect();
        assert_eq!(gaps, [0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 90]);
    }

    #[test]
    fn a_use_case_that_waits_too_long_leaves_and_those_of_the_server_stay() {
        let mut turns = Turns::new();
        turns.push(A, [1]);
        turns.push(LineKey { party: None, is_long: false }, [2]);
        turns.1 += WAIT / 2;
        turns.push(A, [3]);
        turns.1 += WAIT / 2;
        assert!(matches!(turns.0.take(turns.1), Some(Taken::Expired(1))));
        let mut left = turns.serve(3, |_| 1);
        left.sort_unstable();
        assert_eq!(left, [2, 3]);
        assert!(turns.0.take(turns.1).is_none());
        turns.push(A, [4]);
        assert_eq!(turns.serve(3, |_| 1), [4]);
    }

    #[test]
    fn a_full_line_refuses_its_own_party_alone() {
        let turns = Turns::new();
        turns.push(A, (0..).take(LINE));
        assert!(turns.0.push(A, turns.1, 1).is_err());
        turns.push(B, [1]);
        turns.push(LONG, [1]);
        for party in 3.. {
            if turns.0.state().waiting == ALL {
                break;
            }
            turns.push(line(party, false), [1]);
        }
        assert!(turns.0.push(B, turns.1, 1).is_err(), "there is no further place");
        turns.0.close();
        assert_eq!(turns.serve(ALL, |_| 1).len(), ALL);
        assert!(turns.0.push(A, turns.1, 1).is_err(), "it is closed");
        assert!(turns.0.wait().is_none());
        let lines = turns.0.state().short.by_party.len();
        assert!(lines <= REMEMBERED + 1, "{lines} lines are remembered");
    }
}
