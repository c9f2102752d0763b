//! Limits the number of list queries that run concurrently, and serves parties in turn.
//!
//! | state | limit | beyond it |
//! |---|---|---|
//! | running | [`RUNNING`] | a query waits, at most [`WAIT`] |
//! | running or waiting, of one party | [`ADMITTED_EACH`] | a query is refused |
//! | running or waiting, of all parties | [`ADMITTED`] | a query of a party that has one is refused |
//! | running or waiting, of all parties | [`ADMITTED_MOST`] | a query is refused |
//!
//! A party is an owner with all its organizations, or a person, so that an owner of many organizations has no more places
//! than others. The next query to run is one of the party that has used the least time ([`crate::turns`]). So a few
//! parties with many queries neither fill the places of another one nor keep it waiting behind all of theirs.
//!
//! A query that waits occupies one of the gateway's request slots, which other requests need. So the number
//! of waiting queries has a limit too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::StoreError;
use crate::turns::{LineKey, Taken, TurnQueue};

pub(crate) const RUNNING: usize = 2;
const ADMITTED: usize = 24;
const ADMITTED_EACH: usize = 6;
const ADMITTED_MOST: usize = 128;
const WAIT: Duration = Duration::from_secs(5);

/// The queries that are admitted, by party, and the number of those that run.
#[derive(Default)]
struct Counts {
    admitted: HashMap<Option<Uuid>, usize>,
    running: usize,
}

/// The state that the limiter and its permits share.
#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    /// The queries that wait. Each gets its place by the sender.
    waiting: TurnQueue<oneshot::Sender<Place>>,
}

/// Admits list queries.
pub(crate) struct ListQueryLimiter(Arc<Shared>);

/// The count of one query that runs or waits.
struct Admission {
    party: Option<Uuid>,
    shared: Arc<Shared>,
}

/// One of the places for queries that run, until it is dropped.
struct Place {
    line: LineKey,
    begun: Instant,
    shared: Arc<Shared>,
}

/// The permission to run one list query, until it is dropped.
pub(crate) struct ListQueryPermit {
    _place: Place,
    _admission: Admission,
}

impl ListQueryLimiter {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Waits until a list query of that party may run.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when too many queries are admitted already, or this one waits longer than
    /// [`WAIT`].
    pub(crate) async fn admit(&self, party: Option<Uuid>) -> Result<ListQueryPermit, StoreError> {
        let admission = self.count(party)?;
        let (sender, place) = oneshot::channel();
        self.0.waiting.push(LineKey { party, is_long: false }, Instant::now(), sender)?;
        Shared::start(&self.0);
        let waited = tokio::time::timeout(WAIT, place).await;
        let place = waited.map_err(|_| too_many())?.map_err(|_| too_many())?;
        Ok(ListQueryPermit { _place: place, _admission: admission })
    }

    /// The number of queries that run, and of those that wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let counts = self.0.counts();
        let admitted = counts.admitted.values().sum::<usize>();
        (counts.running, admitted.saturating_sub(counts.running))
    }

    fn count(&self, party: Option<Uuid>) -> Result<Admission, StoreError> {
        let mut counts = self.0.counts();
        let (all, own) =
            (counts.admitted.values().sum::<usize>(), counts.admitted.get(&party).copied().unwrap_or(0));
        let most = if own == 0 { ADMITTED_MOST } else { ADMITTED };
        if all >= most || own >= ADMITTED_EACH {
            return Err(too_many());
        }
        counts.admitted.insert(party, own.saturating_add(1));
        Ok(Admission { party, shared: Arc::clone(&self.0) })
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the free places to queries that wait.
    fn start(self: &Arc<Self>) {
        while let Some((line, query)) = self.next() {
            // A query whose caller has gone returns its place.
            drop(query.send(Place { line, begun: Instant::now(), shared: Arc::clone(self) }));
        }
    }

    /// The next query that waits, if a place is free, which it has from now on.
    fn next(&self) -> Option<(LineKey, oneshot::Sender<Place>)> {
        let mut counts = self.counts();
        while counts.running < RUNNING {
            match self.waiting.take(Instant::now())? {
                Taken::Expired(_) => {}
                Taken::Run(_, query) if query.is_closed() => {}
                Taken::Run(line, query) => {
                    counts.running = counts.running.saturating_add(1);
                    return Some((line, query));
                }
            }
        }
        None
    }
}

fn too_many() -> StoreError {
    StoreError::Unavailable("too many list queries are running or waiting".into())
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        match counts.admitted.get_mut(&self.party) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(counts.admitted.remove(&self.party)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.waiting.charge(self.line, self.begun.elapsed());
        {
            let mut counts = self.shared.counts();
            counts.running = counts.running.saturating_sub(1);
        }
        self.shared.start();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn party(number: usize) -> Option<Uuid> {
        Some(Uuid::from_u128(number as u128))
    }

    /// A limiter whose places for queries that run are taken by two parties, and the queries that wait.
    struct Full {
        limiter: Arc<ListQueryLimiter>,
        running: Vec<ListQueryPermit>,
        waiting: JoinSet<(usize, Result<ListQueryPermit, StoreError>)>,
    }

    impl Full {
        async fn new() -> Self {
            let limiter = Arc::new(ListQueryLimiter::new());
            let running =
                vec![limiter.admit(party(0)).await.unwrap(), limiter.admit(party(1)).await.unwrap()];
            Self { limiter, running, waiting: JoinSet::new() }
        }

        /// Begins this many queries of a party.
        async fn begin(&mut self, number: usize, count: usize) {
            for _ in 0..count {
                let limiter = Arc::clone(&self.limiter);
                self.waiting.spawn(async move { (number, limiter.admit(party(number)).await) });
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refuses_more_than_are_admitted_and_ends_a_long_wait() {
        let mut full = Full::new().await;
        full.begin(0, ADMITTED_EACH - 1).await;
        assert!(full.limiter.admit(party(0)).await.is_err(), "one party has no further place");
        for number in 2..=ADMITTED_MOST - ADMITTED_EACH {
            full.begin(number, 1).await;
        }
        assert!(full.limiter.admit(party(2)).await.is_err(), "nobody has a further place");
        assert!(full.limiter.admit(party(ADMITTED_MOST)).await.is_err(), "there is no further place");
        // The waiting ones are refused after a while.
        while let Some(waited) = full.waiting.join_next().await {
            assert!(waited.unwrap().1.is_err());
        }
        full.running.clear();
        assert!(full.limiter.admit(party(0)).await.is_ok());
        assert!(full.limiter.0.counts().admitted.is_empty());
        assert_eq!(full.limiter.0.counts().running, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn parties_with_many_queries_leave_a_turn_to_another_one() {
        let mut full = Full::new().await;
        for number in 0..4 {
            full.begin(number, ADMITTED_EACH - usize::from(number < 2)).await;
        }
        assert!(full.limiter.admit(party(0)).await.is_err());
        full.begin(99, 1).await;
        full.running.clear();
        // The permit of each query is dropped at once, so that the next one runs.
        let mut served = Vec::new();
        while let Some(waited) = full.waiting.join_next().await {
            let (number, permit) = waited.unwrap();
            assert!(permit.is_ok(), "{number}");
            served.push(number);
        }
        assert_eq!(served.len(), ADMITTED - 1);
        let place = served.iter().position(|number| *number == 99).unwrap();
        assert!(place < ADMITTED / 2, "{served:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn queries_that_are_cancelled_keep_no_place() {
        let mut full = Full::new().await;
        full.begin(0, 3).await;
        full.begin(2, 1).await;
        full.waiting.shutdown().await;
        full.running.clear();
        assert_eq!(full.limiter.0.counts().running, 0);
        let _held =
            [full.limiter.admit(party(0)).await.unwrap(), full.limiter.admit(party(2)).await.unwrap()];
    }
}
