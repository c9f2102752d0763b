//! The signals that a committed transaction sends to the rest of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the changes that can revoke a right of a credential. A cache stores the count with each credential
/// that it read, and reads the credential again when the count has changed. A change of this process counts twice:
/// once before its commit, and once when its transaction has ended.
#[derive(Debug, Default)]
pub struct Generation {
    count: AtomicU64,
    /// The changes of this process that have run and whose transaction has not ended.
    under_way: AtomicU64,
}

impl Generation {
    /// The current count.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether nothing has changed since the count was `seen`, and no change is under way.
    #[must_use]
    pub fn is_still(&self, seen: u64) -> bool {
        self.under_way.load(Ordering::Acquire) == 0 && self.current() == seen
    }

    pub(crate) fn advance(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }
}

/// A change of credentials between its last statement and the end of its transaction.
#[derive(Debug)]
pub(crate) struct CredentialChange(Arc<Generation>);

impl CredentialChange {
    /// Begins the change that a use case made, if it made one. Must be called before the commit.
    pub(crate) fn of(changes: Changes, generation: &Arc<Generation>) -> Option<Self> {
        changes.credentials.then(|| {
            generation.under_way.fetch_add(1, Ordering::AcqRel);
            generation.advance();
            Self(Arc::clone(generation))
        })
    }
}

impl Drop for CredentialChange {
    fn drop(&mut self) {
        self.0.advance();
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
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
    pub(crate) generation: Arc<Generation>,
    pub(crate) webhooks: Notify,
    pub(crate) mail: Notify,
}

impl Signals {
    /// Sends the signals of one transaction before its caller has the result. A change of credentials is ended
    /// before that, so that a credential is refused once its revocation has returned. Its count advances also after
    /// a failed commit, since its outcome may be unknown.
    pub(crate) fn send(&self, changes: Changes, change: Option<CredentialChange>, is_committed: bool) {
        drop(change);
        if changes.webhooks && is_committed {
            self.webhooks.notify_one();
        }
        if changes.mail && is_committed {
            self.mail.notify_one();
        }
    }
}
