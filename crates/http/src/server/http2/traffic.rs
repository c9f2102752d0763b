//! Bounds the frames of a connection that belong to no request: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM and
//! empty DATA cost the server work, and are counted against no rate.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits;

/// Bytes of a response for each byte that its client may send to open windows. Clients send some 26 bytes for each frame.
const BYTES_PER_UPDATE: usize = 8;

/// The bytes that a client may still send. They are used up by all that it sends, and regained by what requests need.
pub(super) struct Traffic(AtomicI64);

impl Traffic {
    pub(super) const fn new() -> Self {
        Self(AtomicI64::new(limits::CONTROL_BYTES))
    }

    /// A request began: its head may have been as long as heads may be.
    pub(super) fn credit_head(&self) {
        self.credit(limits::HEAD);
    }

    /// Bytes of a body were read. Small frames have as many bytes again for themselves.
    pub(super) fn credit_body(&self, bytes: usize) {
        self.credit(bytes.saturating_mul(2));
    }

    /// Bytes of a response were sent.
    pub(super) fn credit_response(&self, bytes: usize) {
        self.credit(bytes.div_ceil(BYTES_PER_UPDATE));
    }

    fn credit(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let more = |left: i64| Some(left.saturating_add(bytes).min(limits::CONTROL_BYTES));
        // It never fails: the closure always has a value.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Counts received bytes. Whether the client may send them.
    fn receive(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.0.fetch_sub(bytes, Ordering::Relaxed) >= bytes
    }
}

/// A connection that fails when its client sends too much that belongs to no request.
pub(super) struct Metered<S> {
    stream: S,
    traffic: Arc<Traffic>,
}

impl<S> Metered<S> {
    pub(super) const fn new(stream: S, traffic: Arc<Traffic>) -> Self {
        Self { stream, traffic }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.traffic.receive(buffer.filled().len() - before) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other("too many frames that belong to no request")))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = 1 << 20;

    #[test]
    fn what_requests_need_is_regained_and_never_saved_up() {
        let traffic = Traffic::new();
        assert!(traffic.receive(ALL));
        assert!(!traffic.receive(1));
        traffic.credit_head();
        assert!(traffic.receive(60_000));
        for _ in 0..100 {
            traffic.credit_head();
        }
        assert!(traffic.receive(ALL) && !traffic.receive(1));
    }

    #[test]
    fn a_client_that_reads_a_long_response_may_open_its_windows() {
        let traffic = Traffic::new();
        for _ in 0..1_000_000 {
            traffic.credit_response(16 << 10);
            assert!(traffic.receive(26));
        }
    }
}
