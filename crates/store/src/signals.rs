//! The signals that a committed transaction sends to the rest of the process.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_core::ids::OrganizationId;
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
    /// The organizations with an import that has rows to carry out, or a file to delete.
    pub(crate) imports: Touched,
    /// The accounts that queued a mail.
    pub(crate) mail: Touched,
    /// The organizations whose webhook queues may have something to deliver.
    pub(crate) webhooks: Touched,
}

/// The organizations that one transaction leaves work for, nearly always one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Touched {
    #[default]
    None,
    One(OrganizationId),
    Several,
}

impl Touched {
    pub(crate) fn add(&mut self, organization: OrganizationId) {
        *self = match *self {
            Self::None => Self::One(organization),
            Self::One(known) if known == organization => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The most organizations that a signal names. With more it stands for all organizations.
const MOST_NAMED: usize = 256;

/// The organizations that committed transactions have left work for since a worker looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// These organizations.
    Some(BTreeSet<OrganizationId>),
    /// More than a signal names, so that the worker must look at all organizations.
    All,
}

/// Wakes a worker after the commits of this process, and names the organizations that have work.
#[derive(Debug)]
pub struct WorkSignal {
    waiting: Mutex<Woken>,
    notify: Notify,
}

impl Default for WorkSignal {
    fn default() -> Self {
        Self { waiting: Mutex::new(Woken::Some(BTreeSet::new())), notify: Notify::new() }
    }
}

impl WorkSignal {
    fn send(&self, touched: Touched) {
        if touched == Touched::None {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *waiting, touched) {
            (Woken::Some(named), Touched::One(organization)) if named.len() < MOST_NAMED => {
                named.insert(organization);
            }
            _ => *waiting = Woken::All,
        }
        drop(waiting);
        self.notify.notify_one();
    }

    /// Waits for a commit that leaves work. Dropping the future loses nothing.
    pub async fn wait(&self) -> Woken {
        loop {
            let woken = self.take();
            if woken != Woken::Some(BTreeSet::new()) {
                return woken;
            }
            self.notify.notified().await;
        }
    }

    fn take(&self) -> Woken {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *waiting, Woken::Some(BTreeSet::new()))
    }
}

/// The receivers of the signals in this process.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) generation: Arc<Generation>,
    pub(crate) imports: WorkSignal,
    pub(crate) webhooks: WorkSignal,
    pub(crate) mail: WorkSignal,
}

impl Signals {
    /// Sends the signals of one transaction before its caller has the result. A change of credentials is ended
    /// before that, so that a credential is refused once its revocation has returned. Its count advances also after
    /// a failed commit, since its outcome may be unknown.
    pub(crate) fn send(&self, changes: Changes, change: Option<CredentialChange>, is_committed: bool) {
        drop(change);
        if is_committed {
            self.webhooks.send(changes.webhooks);
            self.mail.send(changes.mail);
            self.imports.send(changes.imports);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn organization(number: usize) -> OrganizationId {
        OrganizationId::new(Uuid::from_u128(u128::try_from(number).unwrap()))
    }

    #[tokio::test]
    async fn a_signal_names_the_organizations_until_there_are_too_many() {
        let signal = WorkSignal::default();
        for number in [2, 1, 2] {
            signal.send(Touched::One(organization(number)));
        }
        signal.send(Touched::None);
        assert_eq!(signal.wait().await, Woken::Some([organization(1), organization(2)].into()));
        for number in 0..=MOST_NAMED {
            signal.send(Touched::One(organization(number)));
        }
        assert_eq!(signal.wait().await, Woken::All);
        signal.send(Touched::One(organization(3)));
        assert_eq!(signal.wait().await, Woken::Some([organization(3)].into()));
        let mut several = Touched::One(organization(1));
        several.add(organization(1));
        assert_eq!(several, Touched::One(organization(1)));
        several.add(organization(2));
        signal.send(several);
        assert_eq!(signal.wait().await, Woken::All);
    }
}
