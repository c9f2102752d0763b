//! The signals that a committed transaction sends to the rest of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the changes that can revoke a right of a credential. A cache keeps the count beside each credential that
/// it read, and reads it again when the count has moved.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// The current count.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// The kinds of rows that one transaction changed, as far as others must be told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changes {
    /// Whether a right of a credential may have been revoked.
    pub(crate) credentials: bool,
    /// Whether a mail was queued.
    pub(crate) mail: bool,
    /// Whether a webhook queue has something to deliver.
    pub(crate) webhooks: bool,
}

/// The receivers of the signals in this process.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) generation: Generation,
    pub(crate) webhooks: Notify,
    pub(crate) mail: Notify,
}

impl Signals {
    /// Sends the signals of one transaction, before its caller has the result: a caller that is told of a
    /// revocation finds the credential refused. The count of credentials moves even where the commit failed, since
    /// its outcome may be unknown.
    pub(crate) fn send(&self, changes: Changes, is_committed: bool) {
        if changes.credentials {
            self.generation.advance();
        }
        if changes.webhooks && is_committed {
            self.webhooks.notify_one();
        }
        if changes.mail && is_committed {
            self.mail.notify_one();
        }
    }
}
