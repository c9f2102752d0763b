//! The limits of the wire. Those an operator would change are fields of [`Limits`].

use std::time::Duration;

/// Rows of a page at the most; a client that asks for more gets this many.
pub(crate) const PAGE_ROWS: u64 = 100;
/// Rows of a page unless the client says.
pub(crate) const PAGE_ROWS_USUAL: u64 = 10;
/// Social links, featured things and the like.
pub(crate) const LIST: usize = 100;
/// Requests a minute, and at once, of a caller that make the server write to an address of their choice.
pub(crate) const MAIL_BURST: u32 = 6;
/// Characters of free text.
pub(crate) const TEXT: usize = 10_000;
/// Scopes of a token.
pub(crate) const SCOPES: usize = 500;
/// Characters of a scope's name: the longest has the name of a domain in it.
pub(crate) const SCOPE: usize = 300;
/// Entries of a list of networks as it is sent; those that differ are counted by the core.
pub(crate) const NETWORKS_SENT: usize = 1_000;
/// Characters of a network.
pub(crate) const NETWORK: usize = 64;
/// Characters of an API key's label (docs/contracts/ahasend.md, 1.6).
pub(crate) const KEY_LABEL: usize = 255;
/// How often nodes tell each other what callers took.
pub(crate) const SHARE_EVERY: Duration = Duration::from_millis(200);
/// Callers whose requests are counted for the other nodes in that time; those of more are not told.
pub(crate) const SHARED_CALLERS: usize = 10_000;
/// Texts in which a node tells it; more callers than they hold are not told, those who took least.
pub(crate) const SHARE_REPORTS: usize = 16;
/// How long `/readyz` waits for a commit.
pub(crate) const READY_COMMIT: Duration = Duration::from_millis(1_300);
/// How long it waits for a read after that.
pub(crate) const READY_READ: Duration = Duration::from_millis(500);
/// How far the clock may be from the database's before `/readyz` says so: leases and expiries of other nodes are
/// held against it.
pub(crate) const CLOCK_OFF: Duration = Duration::from_secs(5);
/// Query parameters looked at.
pub(crate) const QUERY_PARAMETERS: usize = 200;
/// Characters of an idempotency key (docs/contracts/founding-operations.md, 2).
pub(crate) const IDEMPOTENCY_KEY: usize = 255;
/// Violations told of one request.
pub(crate) const VIOLATIONS: usize = 100;
/// Nodes of a value that is shown in a violation; a larger one is left out.
pub(crate) const ECHO_NODES: usize = 100;
/// Bytes of text shown in a violation.
pub(crate) const ECHO_BYTES: usize = 4 << 10;
/// Bytes of a bearer token looked at.
pub(crate) const BEARER: usize = 512;
/// Headers of a request.
pub(crate) const HEADERS: usize = 100;
/// Bytes of a request's line and headers together.
pub(crate) const HEAD: usize = 64 << 10;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// How long a client may take to send its headers.
    pub head_timeout: Duration,
    /// How long a request may take, from its last header to the answer.
    pub request_timeout: Duration,
    /// Requests that are worked on at once; one more is answered 503. Those that write get three quarters of it.
    pub in_flight: usize,
    /// How long what `/readyz` said is said again, without asking the database.
    pub ready_kept: Duration,
    /// Connections that are open at once; one more waits to be accepted.
    pub connections: usize,
    /// How long the server goes on, saying that it is not ready, once it is told to stop.
    pub drain_delay: Duration,
    /// How long running requests may take to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            in_flight: 1_024,
            ready_kept: Duration::from_millis(500),
            connections: 8_192,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
