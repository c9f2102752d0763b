//! HTTP/2 connections (RFC 9113), which a client chooses in the TLS handshake.
//!
//! One connection carries several requests at once, so a client must not get more by one connection than HTTP/1.1 gives
//! it by several:
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | requests at once | [`limits::STREAMS`]; those beyond the first count as connections (`peers`) | the request is refused unprocessed (`REFUSED_STREAM`) |
//! | head of a request | [`limits::HEAD`], in few frames | 431; four times as much ends the connection |
//! | time without a request | [`Limits::head_timeout`](crate::Limits) | `GOAWAY`, and the end after the same time again |
//! | bodies that are not read yet | [`limits::WINDOW`] | the client has to wait |
//! | requests that the client resets | [`limits::RESETS`] more than end | `GOAWAY` |
//! | frames that belong to no request | [`limits::CONTROL_BYTES`] | the connection ends |
//! | a response that the client does not take | [`limits::WRITE_PROGRESS`] in [`limits::STREAM_TIMEOUTS`] time-outs | the request is reset |
//!
//! The bound of HTTP/1.1 on bytes that the network does not take (`progress`) holds as well. Each request is a task of
//! its own, which ends with its connection.

mod exchange;
mod traffic;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use hyper::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::peers::StreamPlace;
use super::{Client, Server, stopped};
use crate::limits;
use exchange::{Exchange, Outcome};
use traffic::{Metered, Traffic};

/// The place of a request beyond the first of its connection, among the connections.
type Place = (OwnedSemaphorePermit, Option<StreamPlace>);

/// Serves a connection until it ends.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(server: &Server, stream: S, client: &Client) {
    let traffic = Arc::new(Traffic::new());
    let head_timeout = server.gateway.limits().head_timeout;
    let handshake = builder().handshake(Metered::new(stream, Arc::clone(&traffic)));
    let ended = match timeout(head_timeout, handshake).await {
        Ok(Ok(connection)) => Requests::new(server, client, traffic).serve(connection).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    let head = u32::try_from(limits::HEAD).unwrap_or(u32::MAX);
    builder
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(head)
        .max_send_buffer_size(limits::WRITE_PROGRESS)
        .initial_window_size(limits::WINDOW)
        .initial_connection_window_size(limits::WINDOW)
        .max_local_error_reset_streams(Some(limits::RESETS));
    builder
}

/// The requests of one connection.
struct Requests<'a> {
    server: &'a Server,
    client: &'a Client,
    traffic: Arc<Traffic>,
    running: JoinSet<Outcome>,
    /// Requests that the client has reset, without those that it has made up for by letting others end.
    resets: usize,
}

impl<'a> Requests<'a> {
    fn new(server: &'a Server, client: &'a Client, traffic: Arc<Traffic>) -> Self {
        Self { server, client, traffic, running: JoinSet::new(), resets: 0 }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        mut connection: Connection<S, Bytes>,
    ) -> Result<(), h2::Error> {
        let head_timeout = self.server.gateway.limits().head_timeout;
        let mut stopping = pin!(stopped(self.server.stopping.clone()));
        let (mut deadline, mut is_closing) = (Instant::now() + head_timeout, false);
        while self.resets <= limits::RESETS {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next() => {
                    self.count(ended);
                    deadline = Instant::now() + head_timeout;
                }
                accepted = connection.accept() => match accepted {
                    Some(accepted) => {
                        let (request, respond) = accepted?;
                        self.begin(request, respond);
                    }
                    None => return Ok(()),
                },
                () = stopping.as_mut(), if !is_closing => {
                    connection.graceful_shutdown();
                    (deadline, is_closing) = (Instant::now() + head_timeout, true);
                }
                () = sleep_until(deadline), if self.running.is_empty() => {
                    if is_closing {
                        return Ok(());
                    }
                    // The end of a response may still be on its way.
                    if !connection.has_streams() {
                        connection.graceful_shutdown();
                        is_closing = true;
                    }
                    deadline = Instant::now() + head_timeout;
                }
            }
        }
        tracing::debug!(peer = %self.client.address, "connection closed: too many requests were reset");
        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        timeout(head_timeout, poll_fn(|context| connection.poll_closed(context))).await.unwrap_or(Ok(()))
    }

    /// Begins a request, unless it would be one too many.
    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        self.client.sent_request();
        let place = match self.running.is_empty() {
            true => None,
            false => match self.place() {
                Some(place) => Some(place),
                None => {
                    tracing::debug!(peer = %self.client.address, "request refused: too many at once");
                    respond.send_reset(Reason::REFUSED_STREAM);
                    return;
                }
            },
        };
        self.traffic.credit_head();
        let exchange = Exchange {
            gateway: self.server.gateway.clone(),
            client: self.client.clone(),
            traffic: Arc::clone(&self.traffic),
        };
        self.running.spawn(async move {
            let outcome = exchange.run(request, respond).await;
            drop(place);
            outcome
        });
    }

    /// The place of a request beyond the first. Nothing when there is none.
    fn place(&self) -> Option<Place> {
        let slot = Arc::clone(&self.server.slots).try_acquire_owned().ok()?;
        match &self.client.peer {
            Some(peer) => Some((slot, Some(peer.add_stream()?))),
            None => Some((slot, None)),
        }
    }

    fn count(&mut self, ended: Result<Outcome, JoinError>) {
        match ended {
            Ok(Outcome::Reset) => self.resets += 1,
            _ => self.resets = self.resets.saturating_sub(1),
        }
    }
}
