//! Bounds on the bytes of bodies in memory: one budget for requests, one for responses.
//!
//! | party | most bytes, as a share of those that are free | beyond it |
//! |---|---|---|
//! | an owner with all organizations | a seventh: an eighth of all, while nobody else has any | 429 |
//! | a customer in the portal | a 63rd | 429 |
//! | the portals of an owner together | a 15th | 503 |
//! | an address without a valid token | a 31st | 429 |
//! | all such addresses together | a third: a quarter of all, while nobody else has any | 503 |
//! | all together | all of it | 503 |
//!
//! Shares shrink as the memory fills, so that a few parties never fill it. A party that has nothing else in memory may
//! always have one body.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::rate_limit::RateLimitKey;
use crate::api::rejection::Rejection;
use crate::limits;

/// The bytes that bodies may have in memory.
pub(crate) struct MemoryBudget {
    total: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_party: HashMap<RateLimitKey, usize>,
}

/// Bytes of one body. They are free again when it is dropped.
pub(crate) struct ReservedBytes {
    budget: Arc<MemoryBudget>,
    party: RateLimitKey,
    bytes: usize,
}

impl Used {
    fn of(&self, party: RateLimitKey) -> usize {
        self.by_party.get(&party).copied().unwrap_or_default()
    }

    fn add(&mut self, party: RateLimitKey, bytes: usize) {
        self.total = self.total.saturating_add(bytes);
        for party in [Some(party), party.group()].into_iter().flatten() {
            let used = self.by_party.entry(party).or_default();
            *used = used.saturating_add(bytes);
        }
    }

    fn remove(&mut self, party: RateLimitKey, bytes: usize) {
        self.total = self.total.saturating_sub(bytes);
        for party in [Some(party), party.group()].into_iter().flatten() {
            if let Entry::Occupied(mut used) = self.by_party.entry(party) {
                *used.get_mut() = used.get().saturating_sub(bytes);
                if *used.get() == 0 {
                    used.remove();
                }
            }
        }
    }
}

/// The part of the free bytes that a party may have.
const fn divisor(party: RateLimitKey) -> usize {
    match party {
        RateLimitKey::Known(_) => 7,
        RateLimitKey::Portal(_) => 15,
        RateLimitKey::Customer { .. } => 63,
        RateLimitKey::Strangers => 3,
        RateLimitKey::Unknown(_) | RateLimitKey::Unidentified => 31,
    }
}

impl MemoryBudget {
    pub(crate) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, used: Mutex::default() })
    }

    /// An empty reservation of a party.
    pub(crate) fn open(self: &Arc<Self>, party: RateLimitKey) -> ReservedBytes {
        ReservedBytes { budget: Arc::clone(self), party, bytes: 0 }
    }

    /// Refuses `more` bytes for a body that has `own` bytes already.
    fn check(&self, used: &Used, party: RateLimitKey, own: usize, more: usize) -> Result<(), Rejection> {
        let free = self.total.saturating_sub(used.total);
        let exceeds = |party: RateLimitKey| {
            let others = used.of(party).saturating_sub(own);
            others > 0 && others.saturating_add(own).saturating_add(more) > free / divisor(party)
        };
        if exceeds(party) {
            return Err(Rejection::RateLimited { retry_after_s: 1 });
        }
        let is_alone = used.total == own;
        if party.group().is_some_and(exceeds) || (more > free && !is_alone) {
            return Err(Rejection::Busy);
        }
        Ok(())
    }
}

impl ReservedBytes {
    /// Reserves more bytes.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Rejection> {
        let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget.check(&used, self.party, self.bytes, bytes)?;
        used.add(self.party, bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Moves the reserved bytes out.
    pub(crate) fn take(&mut self) -> Self {
        let empty = self.budget.open(self.party);
        std::mem::replace(self, empty)
    }

    /// Counts more bytes, also those that [`Self::grow`] refuses.
    fn count(&mut self, bytes: usize) {
        self.budget.used.lock().unwrap_or_else(PoisonError::into_inner).add(self.party, bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Drop for ReservedBytes {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.remove(self.party, self.bytes);
        }
    }
}

/// Refuses a write whose caller leaves too many responses unread. The response to a write is not refused any more.
pub(crate) fn check_unread(budget: &Arc<MemoryBudget>, party: RateLimitKey) -> Result<(), Rejection> {
    let used = budget.used.lock().unwrap_or_else(PoisonError::into_inner);
    budget.check(&used, party, 0, 0)
}

/// Counts the bytes of a response until the client has taken them. A response that is small, or is made while it is
/// sent, is not counted here.
///
/// # Errors
/// When there is no room, and `is_write` is false: then the request can be repeated.
pub(super) fn hold(
    budget: &Arc<MemoryBudget>,
    party: RateLimitKey,
    is_write: bool,
    response: Response,
) -> Result<Response, Rejection> {
    hold_bytes(budget, party, is_write, (response, 0))
}

/// The same for a page. One that is made while it is sent is an export, and takes [`limits::EXPORT_MEMORY`].
pub(crate) fn hold_page(
    budget: &Arc<MemoryBudget>,
    party: RateLimitKey,
    is_write: bool,
    page: Response,
) -> Result<Response, Rejection> {
    hold_bytes(budget, party, is_write, (page, limits::EXPORT_MEMORY))
}

/// Counts the bytes of a response, or `unknown` for one whose size is not known.
fn hold_bytes(
    budget: &Arc<MemoryBudget>,
    party: RateLimitKey,
    is_write: bool,
    (response, unknown): (Response, usize),
) -> Result<Response, Rejection> {
    let bytes = response.body().size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let bytes = bytes.unwrap_or(unknown);
    if bytes <= limits::UNCOUNTED_RESPONSE {
        return Ok(response);
    }
    let mut held = budget.open(party);
    if is_write {
        held.count(bytes);
    } else {
        held.grow(bytes)?;
    }
    Ok(response.map(|body| Body::new(Held { body, held: Arc::new(held) })))
}

/// A chunk of a response that keeps a reservation until it is written to the connection.
struct HeldChunk {
    bytes: Bytes,
    _held: Arc<ReservedBytes>,
}

impl AsRef<[u8]> for HeldChunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes, which keep `held` for as long as they are in memory.
pub(crate) fn chunk(bytes: Bytes, held: &Arc<ReservedBytes>) -> Bytes {
    Bytes::from_owner(HeldChunk { bytes, _held: Arc::clone(held) })
}

/// A body whose bytes are reserved.
struct Held {
    body: Body,
    held: Arc<ReservedBytes>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|bytes| chunk(bytes, &self.held)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const OWNER: RateLimitKey = RateLimitKey::Known(Uuid::from_u128(1));

    fn fill(budget: &Arc<MemoryBudget>, party: RateLimitKey, bytes: usize) -> Vec<ReservedBytes> {
        std::iter::from_fn(|| {
            let mut held = budget.open(party);
            held.grow(bytes).is_ok().then_some(held)
        })
        .collect()
    }

    #[test]
    fn an_owner_has_an_eighth_and_what_is_dropped_is_free() {
        let budget = MemoryBudget::new(64_000);
        let held = fill(&budget, OWNER, 1_000);
        assert_eq!(held.len(), 8);
        drop(held);
        assert!(budget.used.lock().unwrap().by_party.is_empty());
        assert_eq!(budget.used.lock().unwrap().total, 0);
    }

    #[test]
    fn customers_share_a_sixteenth_beside_their_merchant() {
        let budget = MemoryBudget::new(64_000);
        let customer =
            |number| RateLimitKey::Customer { customer: Uuid::from_u128(number), owner: Uuid::from_u128(1) };
        let held: Vec<_> = (0..64).flat_map(|number| fill(&budget, customer(number), 500)).collect();
        assert!((6..=8).contains(&held.len()), "{}", held.len());
        assert!(fill(&budget, OWNER, 1_000).len() >= 7);
    }

    #[test]
    fn many_parties_leave_room_for_another() {
        let budget = MemoryBudget::new(64_000);
        let owner = |number| RateLimitKey::Known(Uuid::from_u128(number));
        let held: Vec<_> = (0..16).flat_map(|number| fill(&budget, owner(number), 100)).collect();
        assert!(held.len() > 300);
        assert!(fill(&budget, owner(99), 100).len() > 5);
        let address = |number: u32| RateLimitKey::at(Some(std::net::Ipv4Addr::from_bits(number).into()));
        let strangers: Vec<_> = (0..200).flat_map(|number| fill(&budget, address(number), 100)).collect();
        assert!(fill(&budget, owner(100), 100).len() > 3, "{}", strangers.len());
    }
}
