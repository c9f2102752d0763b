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
    pub(super) vault: OnceLock<Arc<dyn Vault>>,
    /// The time and error of the last failed attempt to connect, for [`limits::CONNECT_PAUSE`].
    pub(super) failed: Mutex<Option<(Instant, StoreError)>>,
    /// The idle connections of list queries.
    pub(super) lists: Mutex<Vec<Arc<Connection>>>,
    /// Limits the connections that are being opened. An attempt keeps its permit even if its caller stops waiting.
    pub(super) connecting: Arc<Semaphore>,
    /// The name of this node in notices to the others.
    pub(super) node: String,
    pub(super) notice: String,
}

impl Shared {
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
            let opened = Connection::open(&shared.runtime, &shared.target, timeouts).await;
            let failed = opened.as_ref().err().map(|error| (Instant::now(), error.clone()));
            *shared.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
            opened
        });
        opened.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    fn look_for_failure(&self) -> Result<(), StoreError> {
        match &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((at, error)) if at.elapsed() < limits::CONNECT_PAUSE => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
