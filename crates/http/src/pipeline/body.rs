//! Reading of request bodies, within these bounds:
//!
//! | bound | limit | beyond it |
//! |---|---|---|
//! | size | [`Limits::body`]; [`limits::PUBLIC_BODY`] where no token is needed | 413, at once when `Content-Length` says so |
//! | time | [`Limits::body_grace`], and a second for each [`limits::BODY_RATE`] bytes received | 408 |
//! | bytes in memory of one caller | an eighth of [`Limits::body_memory`] | 429 |
//! | bytes in memory of all callers | [`Limits::body_memory`] | 503 |
//!
//! A body is read before its request takes a slot, so a slow upload holds only its connection and the bytes that it
//! has sent. The bytes count until the request ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::rate_limit::RateLimitKey;
use crate::api::rejection::Rejection;
use crate::limits::{self, Limits};

/// The bytes of bodies in memory.
pub(crate) struct BodyBudget {
    total: usize,
    per_caller: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_caller: HashMap<RateLimitKey, usize>,
}

/// The bytes of one body. They are released when it is dropped.
pub(crate) struct BodyBytes {
    budget: Arc<BodyBudget>,
    caller: RateLimitKey,
    bytes: usize,
}

impl BodyBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let per_caller = (limits.body_memory / 8).max(limits.body);
        Self { total: limits.body_memory.max(limits.body), per_caller, used: Mutex::default() }
    }

    fn reserve(&self, caller: RateLimitKey, bytes: usize) -> Result<(), Rejection> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let own = used.by_caller.get(&caller).copied().unwrap_or_default().saturating_add(bytes);
        if own > self.per_caller {
            return Err(Rejection::RateLimited { retry_after_s: 1 });
        }
        let total = used.total.saturating_add(bytes);
        if total > self.total {
            return Err(Rejection::Busy);
        }
        used.total = total;
        used.by_caller.insert(caller, own);
        Ok(())
    }

    fn release(&self, caller: RateLimitKey, bytes: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.total = used.total.saturating_sub(bytes);
        if let Entry::Occupied(mut own) = used.by_caller.entry(caller) {
            *own.get_mut() = own.get().saturating_sub(bytes);
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

impl BodyBytes {
    fn grow(&mut self, bytes: usize) -> Result<(), Rejection> {
        self.budget.reserve(self.caller, bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.caller, self.bytes);
        }
    }
}

/// Reads a body of at most `size` bytes.
pub(super) async fn read(
    mut body: Body,
    size: usize,
    grace: Duration,
    budget: &Arc<BodyBudget>,
    caller: RateLimitKey,
) -> Result<(Bytes, BodyBytes), Rejection> {
    let too_large = |bytes: usize| bytes > size;
    if usize::try_from(body.size_hint().lower()).map_or(true, too_large) {
        return Err(Rejection::TooLarge(size));
    }
    let begun = Instant::now();
    let mut reserved = BodyBytes { budget: Arc::clone(budget), caller, bytes: 0 };
    // Copied into one buffer: the frames of a body that arrives byte by byte would take many times its size.
    let mut read = BytesMut::new();
    loop {
        let earned = u64::try_from(read.len()).unwrap_or(u64::MAX) / limits::BODY_RATE;
        let deadline = begun + grace + Duration::from_secs(earned);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Rejection::SlowBody),
            Ok(None) => return Ok((read.freeze(), reserved)),
            Ok(Some(Err(_))) => return Err(Rejection::BrokenBody),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if too_large(read.len().saturating_add(data.len())) {
            return Err(Rejection::TooLarge(size));
        }
        reserved.grow(data.len())?;
        read.extend_from_slice(&data);
    }
}
