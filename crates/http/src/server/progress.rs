//! Ends connections: those whose client does not read its responses, and those whose client is still sending when the
//! response is complete.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits;

/// Bytes of a discarded request that are read at once.
const LINGER_BUFFER: usize = 16 << 10;

/// A connection that fails when its client does not take [`limits::WRITE_PROGRESS`] bytes within the time-out.
///
/// The time-out runs while a write waits. It restarts with each such amount, and ends when everything is written.
///
/// A response can be complete before the request is, such as that to a body that is too large. The kernel would reset a
/// connection that is closed with unread bytes, and the client could lose the response. So the server first says that
/// it sends no more, and for up to [`limits::LINGER`] reads what the client still sends.
pub(super) struct ProgressStream {
    stream: TcpStream,
    timeout: Duration,
    /// The end of the current period, while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes written in the current period.
    written: usize,
    /// Whether the last request was answered before its end.
    is_unread: Arc<AtomicBool>,
    /// The end of the time in which the client may end that request, once the server sends no more.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl ProgressStream {
    pub(super) const fn new(stream: TcpStream, timeout: Duration, is_unread: Arc<AtomicBool>) -> Self {
        Self { stream, timeout, deadline: None, written: 0, is_unread, lingering: None }
    }

    /// The first byte that the client sends, which stays to be read. Nothing when the connection ended before.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let received = self.stream.peek(&mut first).await?;
        let [first] = first;
        Ok((received > 0).then_some(first))
    }

    fn restart(&mut self) {
        self.deadline = None;
        self.written = 0;
    }

    /// Reads what the client still sends, until it ends or the time is over.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut unread = [MaybeUninit::uninit(); LINGER_BUFFER];
        loop {
            let mut unread = ReadBuf::uninit(&mut unread);
            match Pin::new(&mut self.stream).poll_read(context, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            let end = || Box::pin(sleep_until(Instant::now() + limits::LINGER));
            let is_over = self.lingering.get_or_insert_with(end).as_mut().poll(context).is_ready();
            if is_over || unread.filled().is_empty() {
                return if is_over { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// Bounds a write: starts the period when it waits, and restarts it on progress.
    fn bound(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.written = self.written.saturating_add(bytes);
                if self.written >= limits::WRITE_PROGRESS {
                    self.restart();
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let end = || Box::pin(sleep_until(Instant::now() + self.timeout));
                let deadline = self.deadline.get_or_insert_with(end);
                ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
        }
    }
}

/// The body of a request, which records whether it was read to its end.
pub(super) struct Received {
    body: Incoming,
    has_ended: bool,
    is_unread: Arc<AtomicBool>,
}

impl Received {
    pub(super) fn new(body: Incoming, is_unread: &Arc<AtomicBool>) -> Self {
        is_unread.store(false, Ordering::Relaxed);
        Self { body, has_ended: false, is_unread: Arc::clone(is_unread) }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.has_ended |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.has_ended && !self.body.is_end_stream() {
            self.is_unread.store(true, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for ProgressStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ProgressStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.bound(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.bound(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.restart();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if !self.is_unread.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        self.poll_linger(context).map(Ok)
    }
}
