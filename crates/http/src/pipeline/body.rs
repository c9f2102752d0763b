//! Reading of request bodies, within these bounds:
//!
//! | bound | limit | beyond it |
//! |---|---|---|
//! | size | [`limits::Limits::body`]; [`limits::PUBLIC_BODY`] where no token is needed | 413, at once when `Content-Length` says so |
//! | time | [`limits::Limits::body_grace`], and a second for each [`limits::BODY_RATE`] bytes received | 408 |
//! | bytes in memory | a share of [`limits::Limits::body_memory`], see [`super::memory`] | 429 or 503 |
//!
//! A body is read before its request takes a slot, so a slow upload holds only its connection and the bytes that it
//! has sent. The bytes count until the request ends.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::memory::ReservedBytes;
use crate::api::rejection::Rejection;
use crate::limits;

/// Reads a body of at most `size` bytes.
pub(crate) async fn read(
    mut body: Body,
    size: usize,
    grace: Duration,
    mut reserved: ReservedBytes,
) -> Result<(Bytes, ReservedBytes), Rejection> {
    let too_large = |bytes: usize| bytes > size;
    if usize::try_from(body.size_hint().lower()).map_or(true, too_large) {
        return Err(Rejection::TooLarge(size));
    }
    let begun = Instant::now();
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
