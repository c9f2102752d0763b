//! Places for large reads. The reads of one party leave places to others, and wait for their turn among themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::StoreError;
use crate::error::unexpected;

/// Large reads that run at once. Each has a connection with a cache of its own; a further one waits.
const ALL: usize = 8;
/// Large reads of one party that run at once.
const EACH: usize = 2;
/// Parties above which those without a read are forgotten.
const PARTIES: usize = 1_024;

/// Admits large reads.
pub(super) struct LargeReads {
    all: Arc<Semaphore>,
    shares: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
}

/// The place of one large read, until it is dropped.
pub(super) struct LargeRead {
    _all: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
}

impl LargeReads {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL)), shares: Mutex::default() }
    }

    /// A place, once one is free. Without a party, as for the look-up of a credential, every place will do.
    pub(super) async fn admit(&self, party: Option<Uuid>) -> Result<LargeRead, StoreError> {
        let own = match party {
            Some(party) => Some(self.share(party).acquire_owned().await.map_err(unexpected)?),
            None => None,
        };
        let all = Arc::clone(&self.all).acquire_owned().await.map_err(unexpected)?;
        Ok(LargeRead { _all: all, _own: own })
    }

    fn share(&self, party: Uuid) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= PARTIES {
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        Arc::clone(shares.entry(party).or_insert_with(|| Arc::new(Semaphore::new(EACH))))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_party_waits_for_itself_and_leaves_places_to_others() {
        let reads = LargeReads::new();
        let of = |number| Some(Uuid::from_u128(number));
        let mut running = Vec::new();
        for party in [of(1), of(1), of(2), None] {
            let Poll::Ready(Ok(place)) = poll(pin!(reads.admit(party))) else { panic!("{party:?} waits") };
            running.push(place);
        }
        let mut third = pin!(reads.admit(of(1)));
        assert!(poll(third.as_mut()).is_pending());
        running.remove(0);
        assert!(poll(third.as_mut()).is_ready());
    }
}
