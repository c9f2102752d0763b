//! Bodies that a handler reads while they arrive, so that they may be larger than memory.
//!
//! | bound | limit | beyond it |
//! |---|---|---|
//! | size | [`limits::IMPORT_BODY`] | 413, at once when `Content-Length` says so |
//! | time of the client | as for other bodies: [`super::body`] | 408 |
//! | bytes in memory | [`limits::IMPORT_MEMORY`] of the owner's share, for as long as the body arrives | 429 or 503 |
//!
//! An upload holds no slot while it waits for its client. It takes one for each write, and waits for a free one: a
//! refusal would cost the client the whole upload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::memory::ReservedBytes;
use super::slots::{Slot, Slots};
use crate::api::rejection::Rejection;
use crate::limits;

/// Attempts to take a slot, and the pause before another one.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// A body that arrives.
pub(crate) struct Upload {
    body: Body,
    grace: Duration,
    begun: Instant,
    /// The time that the server took to process the bytes. It does not count as time of the client.
    paused: Duration,
    received: usize,
    is_read: Arc<AtomicBool>,
    slots: Slots,
    _reserved: ReservedBytes,
}

impl Upload {
    pub(super) fn new(
        body: Body,
        grace: Duration,
        mut reserved: ReservedBytes,
        slots: &Slots,
    ) -> Result<Self, Rejection> {
        if usize::try_from(body.size_hint().lower()).map_or(true, |bytes| bytes > limits::IMPORT_BODY) {
            return Err(Rejection::TooLarge(limits::IMPORT_BODY));
        }
        reserved.grow(limits::IMPORT_MEMORY)?;
        Ok(Self {
            body,
            grace,
            begun: Instant::now(),
            paused: Duration::ZERO,
            received: 0,
            is_read: Arc::default(),
            slots: slots.clone(),
            _reserved: reserved,
        })
    }

    /// Whether the body was read to its end.
    pub(super) fn is_read(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_read)
    }

    /// The next bytes. None at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Rejection> {
        loop {
            let earned = u64::try_from(self.received).unwrap_or(u64::MAX) / limits::BODY_RATE;
            let deadline = self.begun + self.paused + self.grace + Duration::from_secs(earned);
            let frame = match timeout_at(deadline, self.body.frame()).await {
                Err(_) => return Err(Rejection::SlowBody),
                Ok(None) => {
                    self.is_read.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                Ok(Some(Err(_))) => return Err(Rejection::BrokenBody),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            self.received = self.received.saturating_add(data.len());
            if self.received > limits::IMPORT_BODY {
                return Err(Rejection::TooLarge(limits::IMPORT_BODY));
            }
            return Ok(Some(data));
        }
    }

    /// Runs a step of the work on the bytes that have arrived, in a slot.
    pub(crate) async fn work<T>(&mut self, step: impl Future<Output = T>) -> Result<T, Rejection> {
        let begun = Instant::now();
        // Threads cannot share an upload, but they can share its slots.
        let slots = self.slots.clone();
        let slot = take(&slots).await?;
        let done = step.await;
        drop(slot);
        self.paused += begun.elapsed();
        Ok(done)
    }
}

/// Takes a slot. Waits for a while if none is free.
async fn take(slots: &Slots) -> Result<Slot, Rejection> {
    for _ in 1..ATTEMPTS {
        if let Ok(slot) = slots.take(true) {
            return Ok(slot);
        }
        tokio::time::sleep(PAUSE).await;
    }
    slots.take(true)
}
