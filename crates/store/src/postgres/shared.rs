//! The state that the use cases, the read connections and the listener share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::limits::{self, Timeouts};
use super::target::Target;
use crate::error::unexpected;
use crate::peers::PeerBroadcast;
use crate::readings::StoreMeters;
use crate::signals::Signals;
use crate::{Moments, StoreError, Vault};

/// Shared by the tasks of one store.
pub(super) struct Shared {
    pub(super) target: Target,
    /// The runtime that drives the connections. Callers can be on another runtime, or on one that is blocked.
    pub(super) runtime: Handle,
    pub(super) moments: Moments,
    pub(super) gossip: PeerBroadcast,
    pub(super) signals: Signals,
    pub(super) meters: StoreMeters,
    pub(super) vault: OnceLock<Arc<dyn Vault>>,
    pub(super) attempts: Mutex<ConnectAttempts>,
    /// The idle connections of list queries.
    pub(super) lists: Mutex<Vec<Arc<Connection>>>,
    /// Limits the connections that are being opened. An attempt keeps its permit even if its caller stops waiting.
    pub(super) connecting: Arc<Semaphore>,
    /// The name of this node in notices to the others.
    pub(super) node: String,
    pub(super) notice: String,
}

/// The last attempts to connect, for [`limits::CONNECT_PAUSE`].
#[derive(Debug, Default)]
pub(super) struct ConnectAttempts {
    /// The time and error of the last one, if it failed.
    failed: Option<(Instant, StoreError)>,
    succeeded_at: Option<Instant>,
}

impl ConnectAttempts {
    /// Records the end of an attempt. A failure tells nothing where an attempt has succeeded since it began: during a
    /// fail-over, it may have asked the hosts before the promotion.
    fn end(&mut self, begun: Instant, now: Instant, error: Option<StoreError>) {
        match error {
            None => *self = Self { failed: None, succeeded_at: Some(now) },
            Some(_) if self.succeeded_at.is_some_and(|succeeded| succeeded >= begun) => {}
            Some(error) => self.failed = Some((now, error)),
        }
    }
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, ConnectAttempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn vault(&self) -> Option<&dyn Vault> {
        self.vault.get().map(AsRef::as_ref)
    }

    pub(super) fn lists(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection. Fails at once within [`limits::CONNECT_PAUSE`] after a failed attempt.
    pub(super) async fn connect(self: &Arc<Self>, timeouts: Timeouts) -> Result<Connection, StoreError> {
        self.look_for_failure()?;
        let place = Arc::clone(&self.connecting).acquire_owned().await.map_err(unexpected)?;
        self.look_for_failure()?;
        let shared = Arc::clone(self);
        let opened = self.runtime.spawn(async move {
            let _place = place;
            let begun = Instant::now();
            let opened = Connection::open(&shared.runtime, &shared.target, timeouts).await;
            shared.attempts().end(begun, Instant::now(), opened.as_ref().err().cloned());
            opened
        });
        opened.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    fn look_for_failure(&self) -> Result<(), StoreError> {
        match &self.attempts().failed {
            Some((at, error)) if at.elapsed() < limits::CONNECT_PAUSE => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_that_began_before_a_success_is_forgotten() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let lost = || Some(StoreError::Unavailable("lost".into()));
        let mut attempts = ConnectAttempts::default();
        attempts.end(at(0), at(1), lost());
        assert!(attempts.failed.is_some());
        attempts.end(at(1), at(2), None);
        assert!(attempts.failed.is_none());
        attempts.end(at(1), at(3), lost());
        assert!(attempts.failed.is_none());
        attempts.end(at(3), at(4), lost());
        assert_eq!(attempts.failed.map(|(failed_at, _)| failed_at), Some(at(4)));
    }
}
