//! Limits the number of list queries that run concurrently.
//!
//! | state | limit | beyond it |
//! |---|---|---|
//! | running | [`RUNNING`] | a query waits, at most [`WAIT`] |
//! | running or waiting, of all parties | [`ADMITTED`] | a query is refused |
//! | running or waiting, of one party | [`ADMITTED_EACH`] | a query is refused |
//!
//! A party is an owner with all its organizations, or a person, so that an owner of many organizations has no more places
//! than others.
//!
//! A query that waits occupies one of the gateway's request slots, which other requests need. So the number
//! of waiting queries has a limit too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::StoreError;
use crate::error::unexpected;

pub(crate) const RUNNING: usize = 2;
const ADMITTED: usize = 24;
const ADMITTED_EACH: usize = 6;
const WAIT: Duration = Duration::from_secs(5);

type Counts = HashMap<Option<Uuid>, usize>;

/// Admits list queries.
pub(crate) struct ListQueryLimiter {
    running: Arc<Semaphore>,
    admitted: Arc<Mutex<Counts>>,
}

/// The count of one query that runs or waits.
struct Admission {
    party: Option<Uuid>,
    admitted: Arc<Mutex<Counts>>,
}

/// The permission to run one list query, until it is dropped.
pub(crate) struct ListQueryPermit {
    _permit: OwnedSemaphorePermit,
    _admission: Admission,
}

impl ListQueryLimiter {
    pub(crate) fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(RUNNING)), admitted: Arc::default() }
    }

    /// Waits until a list query of that party may run.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when too many queries are admitted already, or this one waits longer than
    /// [`WAIT`].
    pub(crate) async fn admit(&self, party: Option<Uuid>) -> Result<ListQueryPermit, StoreError> {
        let admission = self.count(party)?;
        let waited = tokio::time::timeout(WAIT, Arc::clone(&self.running).acquire_owned()).await;
        let permit = waited.map_err(|_| too_many())?.map_err(unexpected)?;
        Ok(ListQueryPermit { _permit: permit, _admission: admission })
    }

    fn count(&self, party: Option<Uuid>) -> Result<Admission, StoreError> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (admitted.values().sum::<usize>(), admitted.get(&party).copied().unwrap_or(0));
        if all >= ADMITTED || own >= ADMITTED_EACH {
            return Err(too_many());
        }
        admitted.insert(party, own.saturating_add(1));
        Ok(Admission { party, admitted: Arc::clone(&self.admitted) })
    }
}

fn too_many() -> StoreError {
    StoreError::Unavailable("too many list queries are running or waiting".into())
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        match admitted.get_mut(&self.party) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(admitted.remove(&self.party)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(number: usize) -> Option<Uuid> {
        Some(Uuid::from_u128(number as u128))
    }

    #[tokio::test(start_paused = true)]
    async fn refuses_more_than_are_admitted_and_ends_a_long_wait() {
        let limiter = Arc::new(ListQueryLimiter::new());
        let running = [limiter.admit(party(0)).await.unwrap(), limiter.admit(None).await.unwrap()];
        let mut waiting = tokio::task::JoinSet::new();
        let begin = |waiting: &mut tokio::task::JoinSet<_>, of| {
            let limiter = Arc::clone(&limiter);
            waiting.spawn(async move { limiter.admit(of).await.map(|_| ()) });
        };
        (1..ADMITTED_EACH).for_each(|_| begin(&mut waiting, party(0)));
        tokio::task::yield_now().await;
        assert!(limiter.admit(party(0)).await.is_err(), "one party has no further place");
        for number in 1..=ADMITTED - ADMITTED_EACH - 1 {
            begin(&mut waiting, party(number));
        }
        tokio::task::yield_now().await;
        assert!(limiter.admit(party(ADMITTED)).await.is_err(), "there is no further place");
        assert_eq!(waiting.len(), ADMITTED - 2);
        // The waiting ones are refused after a while.
        while let Some(waited) = waiting.join_next().await {
            assert!(waited.unwrap().is_err());
        }
        drop(running);
        assert!(limiter.admit(party(0)).await.is_ok());
        assert!(limiter.admitted.lock().unwrap().is_empty());
    }
}
