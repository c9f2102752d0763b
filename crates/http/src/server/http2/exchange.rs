//! One request and its response.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use super::traffic::Traffic;
use crate::gateway::Gateway;
use crate::limits;
use crate::server::Client;

/// Headers of HTTP/1.1 that say something about the connection (RFC 9113, section 8.2.2).
const OF_CONNECTION: [HeaderName; 4] =
    [CONNECTION, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];

/// The end of a request.
pub(super) enum Outcome {
    /// It was answered, or the server gave it up.
    Ended,
    /// The client reset it before the response.
    Reset,
}

/// The reason for which a response cannot be continued.
enum Stopped {
    /// The client has reset the request, or is gone.
    Gone,
    /// The client does not take it.
    Untaken,
}

/// A request that runs.
pub(super) struct Exchange {
    pub(super) gateway: Gateway,
    pub(super) client: Client,
    pub(super) traffic: Arc<Traffic>,
}

impl Exchange {
    pub(super) async fn run(
        self,
        mut request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Outcome {
        name_host(&mut request);
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok());
        let traffic = Arc::clone(&self.traffic);
        let request = request.map(|stream| Body::new(Received { stream, length, traffic }));
        let mut response = tokio::select! {
            response = self.client.answer(&self.gateway, request) => response,
            _ = poll_fn(|context| respond.poll_reset(context)) => return Outcome::Reset,
        };
        self.complete_head(&mut response);
        let (head, body) = response.into_parts();
        let is_empty = body.is_end_stream();
        let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), is_empty) else {
            return Outcome::Reset;
        };
        if !is_empty && let Err(Stopped::Untaken) = self.send(body, &mut stream).await {
            tracing::debug!(peer = %self.client.address, "request reset: the client does not take the response");
            stream.send_reset(Reason::CANCEL);
        }
        Outcome::Ended
    }

    /// Changes the headers of a response from those of HTTP/1.1 to those of HTTP/2.
    fn complete_head(&self, response: &mut Response) {
        let length = response.body().size_hint().exact().filter(|_| !response.body().is_end_stream());
        let headers = response.headers_mut();
        for name in OF_CONNECTION {
            headers.remove(name);
        }
        if let Some(length) = length {
            headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
        }
        let now = Duration::from_secs(u64::try_from(self.gateway.app().now().as_seconds()).unwrap_or(0));
        if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + now)) {
            headers.entry(DATE).or_insert(date);
        }
    }

    /// Sends a body, as fast as the client takes it.
    async fn send(&self, mut body: Body, stream: &mut SendStream<Bytes>) -> Result<(), Stopped> {
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                _ = poll_fn(|context| stream.poll_reset(context)) => return Err(Stopped::Gone),
            };
            let data = match frame {
                None => return stream.send_data(Bytes::new(), true).map_err(|_| Stopped::Gone),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    // The response is cut off, which the client must notice.
                    stream.send_reset(Reason::INTERNAL_ERROR);
                    return Ok(());
                }
            };
            let is_last = body.is_end_stream();
            self.send_chunk(data, is_last, stream).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn send_chunk(
        &self,
        mut data: Bytes,
        is_last: bool,
        stream: &mut SendStream<Bytes>,
    ) -> Result<(), Stopped> {
        if data.is_empty() && is_last {
            return stream.send_data(data, true).map_err(|_| Stopped::Gone);
        }
        let period = self.gateway.limits().write_timeout * limits::STREAM_TIMEOUTS;
        let (mut deadline, mut sent) = (Instant::now() + period, 0);
        while !data.is_empty() {
            // Nothing is handed over before the client has room for it, so nothing of an untaken response is left behind.
            let room = room(stream, data.len().min(limits::WRITE_PROGRESS), deadline).await?;
            let part = data.split_to(room.min(data.len()));
            self.traffic.credit_response(part.len());
            sent += part.len();
            if sent >= limits::WRITE_PROGRESS {
                (deadline, sent) = (Instant::now() + period, 0);
            }
            stream.send_data(part, is_last && data.is_empty()).map_err(|_| Stopped::Gone)?;
        }
        Ok(())
    }
}

/// Waits until the client has room for bytes of a response, `wanted` at most. Returns how many.
async fn room(stream: &mut SendStream<Bytes>, wanted: usize, deadline: Instant) -> Result<usize, Stopped> {
    stream.reserve_capacity(wanted);
    loop {
        match stream.capacity() {
            0 => {}
            room => return Ok(room),
        }
        match timeout_at(deadline, poll_fn(|context| stream.poll_capacity(context))).await {
            Ok(Some(Ok(_))) => {}
            Ok(_) => return Err(Stopped::Gone),
            Err(_) => return Err(Stopped::Untaken),
        }
    }
}

/// Moves the host of a request to `Host`, where HTTP/1.1 has it. A request that has both, and they differ, gets two.
fn name_host<B>(request: &mut Request<B>) {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host
        && !is_host(request.headers(), &host)
    {
        request.headers_mut().append(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
}

fn is_host(headers: &HeaderMap, host: &HeaderValue) -> bool {
    headers.get(HOST).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

/// The body of a request.
struct Received {
    stream: RecvStream,
    /// Bytes that are still to come, if the client has said how many.
    length: Option<u64>,
    traffic: Arc<Traffic>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(data) = ready!(self.stream.poll_data(context)) else { return Poll::Ready(None) };
        let data = data?;
        // It fails when the request has ended, and then nothing more is to be received.
        let _ = self.stream.flow_control().release_capacity(data.len());
        self.traffic.credit_body(data.len());
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.length = self.length.map(|length| length.saturating_sub(bytes));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(uri: &str, host: Option<&str>) -> (String, Vec<String>) {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let mut request = request.body(()).unwrap();
        name_host(&mut request);
        let hosts = request.headers().get_all(HOST).iter();
        (request.uri().to_string(), hosts.map(|host| host.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn the_authority_becomes_the_host_and_never_hides_another_one() {
        for (uri, host, expected) in [
            ("https://t.example:8443/v1/customers?a=b", None, vec!["t.example:8443"]),
            ("https://t.example/v1/customers?a=b", Some("T.example"), vec!["T.example"]),
            ("https://t.example/v1/customers?a=b", Some("u.example"), vec!["u.example", "t.example"]),
            ("/v1/customers?a=b", None, vec![]),
        ] {
            let (uri, hosts) = named(uri, host);
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            assert_eq!((uri.as_str(), hosts), ("/v1/customers?a=b", expected));
        }
        assert_eq!(named("https://t.example", None).0, "/");
    }
}
