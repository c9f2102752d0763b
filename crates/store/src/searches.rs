//! The places for searches. A few run at once and few wait for that, not for long, and of each organization
//! fewer: whoever waits has one of the places for requests, which others need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenantry_core::ids::OrganizationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StoreError;
use crate::sql::unexpected;

/// ListQueryLimiter that run at once.
pub(crate) const AT_ONCE: usize = 2;
/// ListQueryLimiter that run or wait; one more is refused.
const ALL: usize = 24;
/// Those of one organization.
const EACH: usize = 6;
/// How long one waits.
const WAIT: Duration = Duration::from_secs(5);

type Counts = HashMap<Option<OrganizationId>, usize>;

/// Who searches.
pub(crate) struct ListQueryLimiter {
    places: Arc<Semaphore>,
    here: Arc<Mutex<Counts>>,
}

/// A search that waits or runs.
struct Here {
    of: Option<OrganizationId>,
    here: Arc<Mutex<Counts>>,
}

/// The place of a search that runs, for as long as this is kept.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _here: Here,
}

impl ListQueryLimiter {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), here: Arc::default() }
    }

    /// A place for a search in the rows of that organization, once there is one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when too many wait already, or it takes too long.
    pub(crate) async fn place(&self, of: Option<OrganizationId>) -> Result<Place, StoreError> {
        let here = self.enter(of)?;
        let waited = tokio::time::timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let permit = waited.map_err(|_| too_many())?.map_err(unexpected)?;
        Ok(Place { _permit: permit, _here: here })
    }

    fn enter(&self, of: Option<OrganizationId>) -> Result<Here, StoreError> {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (here.values().sum::<usize>(), here.get(&of).copied().unwrap_or(0));
        if all >= ALL || own >= EACH {
            return Err(too_many());
        }
        here.insert(of, own.saturating_add(1));
        Ok(Here { of, here: Arc::clone(&self.here) })
    }
}

fn too_many() -> StoreError {
    StoreError::Unavailable("too many searches".into())
}

impl Drop for Here {
    fn drop(&mut self) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        match here.get_mut(&self.of) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(here.remove(&self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(number: usize) -> Option<OrganizationId> {
        Some(OrganizationId::new(uuid::Uuid::from_u128(number as u128)))
    }

    #[tokio::test(start_paused = true)]
    async fn few_wait_not_for_long_and_of_each_organization_fewer() {
        let searches = Arc::new(ListQueryLimiter::new());
        let running = [searches.place(organization(0)).await.unwrap(), searches.place(None).await.unwrap()];
        let mut waiting = tokio::task::JoinSet::new();
        let begin = |waiting: &mut tokio::task::JoinSet<_>, of| {
            let searches = Arc::clone(&searches);
            waiting.spawn(async move { searches.place(of).await.map(|_| ()) });
        };
        (1..EACH).for_each(|_| begin(&mut waiting, organization(0)));
        tokio::task::yield_now().await;
        assert!(searches.place(organization(0)).await.is_err(), "one organization's are enough");
        for number in 1..=ALL - EACH - 1 {
            begin(&mut waiting, organization(number));
        }
        tokio::task::yield_now().await;
        assert!(searches.place(organization(ALL)).await.is_err(), "all together are enough");
        assert_eq!(waiting.len(), ALL - 2);
        // Those who wait are told after a while.
        while let Some(waited) = waiting.join_next().await {
            assert!(waited.unwrap().is_err());
        }
        drop(running);
        assert!(searches.place(organization(0)).await.is_ok());
        assert!(searches.here.lock().unwrap().is_empty());
    }
}
