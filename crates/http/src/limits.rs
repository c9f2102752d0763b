//! The limits of the wire. [`Limits`] has those that an operator may change.

use std::time::Duration;

/// Maximum rows of a page. A client that asks for more gets this many.
pub(crate) const PAGE_ROWS: u64 = 100;
/// Rows of a page when the client asks for no number.
pub(crate) const PAGE_ROWS_DEFAULT: u64 = 10;
/// Maximum items of a list in a body, such as social links.
pub(crate) const LIST: usize = 100;
/// Maximum characters of free text.
pub(crate) const TEXT: usize = 10_000;
/// Maximum scopes of a token.
pub(crate) const SCOPES: usize = 500;
/// Maximum characters of a scope. The longest scopes contain a domain name.
pub(crate) const SCOPE: usize = 300;
/// Maximum entries of an IP allow list in a body. The core limits the number of different networks.
pub(crate) const NETWORKS_SENT: usize = 1_000;
/// Maximum characters of a network.
pub(crate) const NETWORK: usize = 64;
/// Maximum characters of an API key's label (docs/contracts/ahasend.md, 1.6).
pub(crate) const KEY_LABEL: usize = 255;
/// Maximum characters of an idempotency key (docs/contracts/founding-operations.md, 2).
pub(crate) const IDEMPOTENCY_KEY: usize = 255;
/// Maximum query parameters of a request.
pub(crate) const QUERY_PARAMETERS: usize = 200;
/// Maximum violations in a response.
pub(crate) const VIOLATIONS: usize = 100;
/// Maximum JSON nodes of a value that a violation repeats. A larger value is left out.
pub(crate) const ECHO_NODES: usize = 100;
/// Maximum bytes of text that a violation repeats.
pub(crate) const ECHO_BYTES: usize = 4 << 10;
/// Maximum bytes of a bearer token.
pub(crate) const BEARER: usize = 512;
/// Maximum headers of a request.
pub(crate) const HEADERS: usize = 100;
/// Maximum bytes of a request line and headers together.
pub(crate) const HEAD: usize = 64 << 10;

/// Maximum bytes of a body where no token is needed.
pub(crate) const PUBLIC_BODY: usize = 16 << 10;
/// Maximum bytes of a form of a page.
pub(crate) const FORM: usize = 64 << 10;
/// Maximum bytes of a file of an import.
pub(crate) const IMPORT_BODY: usize = 100 << 20;
/// Maximum members of a row of an import. A row is one transaction, with an event of each for each webhook endpoint.
pub(crate) const IMPORT_MEMBERS: usize = 20;
/// Maximum bytes of a row of an import.
pub(crate) const IMPORT_ROW: usize = 256 << 10;
/// Bytes of whole rows of an import that are stored together.
pub(crate) const IMPORT_CHUNK: usize = 256 << 10;
/// Bytes of [`Limits::body_memory`] that an import takes while its file arrives.
pub(crate) const IMPORT_MEMORY: usize = 1 << 20;
/// Bytes of a body that earn its client one more second.
pub(crate) const BODY_RATE: u64 = 32 << 10;
/// Bytes of responses that a client must take within [`Limits::write_timeout`].
pub(crate) const WRITE_PROGRESS: usize = 64 << 10;
/// The time in which a client may end a request that was answered before its end.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// Most requests at once on one HTTP/2 connection.
pub(crate) const STREAMS: u32 = 100;
/// Bytes of bodies that a client may send on one HTTP/2 connection before they are read.
pub(crate) const WINDOW: u32 = 128 << 10;
/// Requests that a client may reset on one HTTP/2 connection, beyond as many as it lets end.
pub(crate) const RESETS: usize = 100;
/// Bytes of HTTP/2 frames that belong to no request, such as PING and SETTINGS, on one connection.
pub(crate) const CONTROL_BYTES: i64 = 1 << 20;
/// The time of one response of an HTTP/2 connection, in which a client must take [`WRITE_PROGRESS`] bytes of it, as a
/// multiple of [`Limits::write_timeout`]. It is longer because the responses share the connection.
pub(crate) const STREAM_TIMEOUTS: u32 = 4;
/// Bytes of responses that the kernel keeps for a connection. Linux doubles the number for its own bookkeeping.
pub(crate) const SEND_BUFFER: u32 = 64 << 10;
/// Maximum bytes of a response that does not count against [`Limits::response_memory`].
pub(crate) const UNCOUNTED_RESPONSE: usize = 1 << 10;
/// Bytes of [`Limits::response_memory`] that an export takes while it is read.
pub(crate) const EXPORT_MEMORY: usize = 3 << 20;
/// Maximum connections that wait to be accepted.
pub(crate) const BACKLOG: u32 = 4_096;

/// Bytes of a response that count as one more request of its caller.
pub(crate) const BYTES_PER_REQUEST: u64 = 64 << 10;
/// Requests a minute, and at once, by which one caller sends mail to addresses of its choice.
pub(crate) const MAIL_BURST: u32 = 6;
/// Requests a minute, and at once, by which the customers of one owner send mail from the portal.
pub(crate) const PORTAL_MAIL_BURST: u32 = 30;
/// Interval in which a node publishes the requests that it admitted.
pub(crate) const SHARE_EVERY: Duration = Duration::from_millis(200);
/// Maximum callers that a node counts for its peers in that interval.
pub(crate) const SHARED_CALLERS: usize = 10_000;
/// Maximum reports that a node publishes in that interval. The callers with the fewest requests are left out.
pub(crate) const SHARE_REPORTS: usize = 16;

/// Time in which the write of a readiness probe must commit.
pub(crate) const READY_COMMIT: Duration = Duration::from_millis(1_300);
/// Time in which the read must succeed that follows a write that was too slow, or the servers behind the database must
/// answer after one that was not.
pub(crate) const READY_READ: Duration = Duration::from_millis(500);
/// Largest difference between this clock and the database's. Leases and expiries depend on both.
pub(crate) const CLOCK_OFF: Duration = Duration::from_secs(5);

/// Limits that an operator may change.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum bytes of a body.
    pub body: usize,
    /// Maximum bytes of the bodies of requests in memory. One owner may have an eighth of it, all clients without a
    /// valid token a quarter.
    pub body_memory: usize,
    /// Maximum bytes of responses that clients have not taken yet. One owner may have an eighth of it.
    pub response_memory: usize,
    /// Time in which a client must send a small body. A larger one has more, in proportion to what has arrived.
    pub body_grace: Duration,
    /// Time in which a client must send the headers of a request, and before the first one end the TLS handshake.
    pub head_timeout: Duration,
    /// Time for a request, from its last header to the head of the response, without the time in which its body
    /// arrives.
    pub request_timeout: Duration,
    /// Maximum requests in progress. A further one is answered 503. Writes may take three quarters of them.
    pub in_flight: usize,
    /// Time for which the result of a readiness probe is reused.
    pub ready_kept: Duration,
    /// Maximum open connections. A request beyond the first of an HTTP/2 connection counts as one. A further
    /// connection waits to be accepted, and a further request is refused. One address may have an eighth of them, and half
    /// of these before their first request, unless it is a trusted proxy. A further one of the address is closed. One
    /// owner has an eighth as well; a further one counts as one without a valid token. Connections without a valid
    /// token have half of all: one more closes that which has been idle for the longest.
    pub connections: usize,
    /// Time in which a client must take `WRITE_PROGRESS` bytes of the responses that wait for it.
    pub write_timeout: Duration,
    /// Time between the signal to stop and the end of accepting, with `/readyz` answering 503.
    pub drain_delay: Duration,
    /// Time for the requests in progress to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            body_memory: 64 << 20,
            response_memory: 64 << 20,
            body_grace: Duration::from_secs(5),
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            in_flight: 1_024,
            ready_kept: Duration::from_millis(500),
            connections: 8_192,
            write_timeout: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Maximum open connections of one address, and of one owner.
    pub(crate) fn connection_share(&self) -> usize {
        (self.connections / 8).max(1)
    }
}
