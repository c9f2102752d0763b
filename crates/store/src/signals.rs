//! The signals that a committed transaction sends to the rest of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the changes that can revoke a right of a credential. A cache stores the count with each credential
/// that it read, and reads the credential again when the count has changed.
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

/// The changes of one transaction that other parts of the process act on.
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
    /// Sends the signals of one transaction before its caller has the result, so that a credential is refused
    /// once its revocation has returned. The count of credential changes also advances after a failed commit,
    /// since its outcome may be unknown.
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
