//! Refuses heads of requests that are too large, or that two HTTP programs could read differently (RFC 9112, 3.2 and 6.1).

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Request, StatusCode, Version};

use crate::limits;

/// The response to a malformed head. The connection is closed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) status: StatusCode,
    pub(super) text: &'static str,
}

/// The fault of a request over HTTP/1.1 that has no `Host`, or over HTTP/2 that names none either way.
pub(super) fn without_host<B>(request: &Request<B>) -> Option<Malformed> {
    let needs_host = matches!(request.version(), Version::HTTP_11 | Version::HTTP_2);
    let lacks_host = needs_host && !request.headers().contains_key(HOST);
    lacks_host.then_some(Malformed { status: StatusCode::BAD_REQUEST, text: "Host is missing. Send one." })
}

/// The fault of a head, if it has one: more than [`limits::HEAD`] bytes or [`limits::HEADERS`] headers, several `Host`
/// headers, or another transfer coding than one `chunked`.
pub(super) fn malformed<B>(request: &Request<B>) -> Option<Malformed> {
    if head_bytes(request) > limits::HEAD {
        let text = "The request line and the headers can have at most 64 KiB.";
        return Some(Malformed { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text });
    }
    if request.headers().len() > limits::HEADERS {
        let text = "A request can have at most 100 headers.";
        return Some(Malformed { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text });
    }
    ambiguous(request.headers())
}

fn ambiguous(headers: &HeaderMap) -> Option<Malformed> {
    if headers.get_all(HOST).iter().nth(1).is_some() {
        let text = "Host is sent more than once. Send one.";
        return Some(Malformed { status: StatusCode::BAD_REQUEST, text });
    }
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let codings: Vec<&[u8]> =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    if !codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        let text = "The server knows no transfer coding but chunked.";
        return Some(Malformed { status: StatusCode::NOT_IMPLEMENTED, text });
    }
    let text = "Transfer-Encoding names chunked more than once. Send it once.";
    (codings.len() > 1).then_some(Malformed { status: StatusCode::BAD_REQUEST, text })
}

/// The bytes of the request line and the headers. The server reads a little more than [`limits::HEAD`] at once.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let line = request.method().as_str().len() + uri.path().len() + uri.query().unwrap_or_default().len();
    let headers = request.headers().iter();
    // A colon, a space and a line break.
    headers.fold(line, |bytes, (name, value)| bytes + name.as_str().len() + value.len() + 4)
}
