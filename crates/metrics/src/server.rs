//! The listener of metrics: `GET /metrics` and `GET /healthz`, and 404 for everything else.
//!
//! It serves a few programs of the operator. Each connection carries one request and ends within
//! [`Bounds::connection`], so a client that sends or reads slowly holds its place no longer. Further connections wait
//! for a place.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::{Format, Metrics};

/// The bounds of the listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections that are served at the same time.
    pub connections: usize,
    /// The time for the head of a request.
    pub head: Duration,
    /// The time for a whole connection.
    pub connection: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 16, head: Duration::from_secs(5), connection: Duration::from_secs(15) }
    }
}

/// The largest head in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// The pause after a failed accept. The likely cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the metrics on `listener` until `stop` completes.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(_) => tokio::select! {
                () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                () = &mut stop => break,
            },
        };
        let metrics = Arc::clone(&metrics);
        connections.spawn(async move {
            // A client that is too slow loses its connection. Nobody needs to know.
            let _ =
                tokio::time::timeout(bounds.connection, serve_connection(stream, metrics, bounds.head)).await;
            drop(place);
        });
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn serve_connection(stream: TcpStream, metrics: Arc<Metrics>, head: Duration) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (metrics, page) = (Arc::clone(&metrics), Page::of(&request));
        async move { Ok::<_, Infallible>(answer(&metrics, page).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES).keep_alive(false);
    // The client has gone, or did not speak HTTP.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// The resource that a request asks for.
enum Page {
    Metrics(Format),
    Health,
    Nothing,
}

impl Page {
    fn of<B>(request: &Request<B>) -> Self {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
                Self::Metrics(Format::accepted(accept.unwrap_or_default()))
            }
            (&Method::GET, "/healthz") => Self::Health,
            _ => Self::Nothing,
        }
    }
}

async fn answer(metrics: &Metrics, page: Page) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match page {
        Page::Metrics(format) => (StatusCode::OK, format.content_type(), metrics.render(format).await),
        Page::Health => (StatusCode::OK, "application/json", r#"{"status":"ok"}"#.to_owned()),
        Page::Nothing => {
            (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "GET /metrics, GET /healthz\n".to_owned())
        }
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
