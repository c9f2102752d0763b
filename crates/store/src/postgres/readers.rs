//! The connections that read outside of a transaction. Each is shared: queries follow one another on it without
//! waiting for each other's results.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex as Turn;
use tokio_postgres::Row;

use super::connection::Connection;
use super::faults::Fault;
use super::lanes::Lanes;
use super::limits::READ;
use super::shared::Shared;
use crate::error::unexpected;
use crate::value::Param;
use crate::{StoreError, Vault};

/// A fixed number of connections, used in turn. A lost one is replaced when its turn comes.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    lanes: Arc<Lanes>,
    next: AtomicUsize,
    readers: Vec<Turn<Option<Arc<Connection>>>>,
}

impl Readers {
    /// A pool with the target's number of connections, which open on first use.
    pub(super) fn new(shared: Arc<Shared>, lanes: Arc<Lanes>) -> Self {
        let readers = (0..shared.target.readers).map(|_| Turn::default()).collect();
        Self { shared, lanes, next: AtomicUsize::new(0), readers }
    }

    pub(crate) fn vault(&self) -> Option<&dyn Vault> {
        self.shared.vault()
    }

    /// Runs a query on one of the connections, and once more after a fault that a second run can avoid. A query that
    /// takes long would hold up those behind it, so it runs again in the slow lane.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        // The first id that a query names is nearly always that of the organization.
        let id = |param: &Param<'_>| if let Param::Id(id) = param { Some(*id) } else { None };
        let party = params.iter().find_map(id).unwrap_or_default();
        if !self.lanes.is_held_up(party) {
            let connection = self.reader().await?;
            match connection.rows(sql, params).await {
                Err((_, Some(Fault::Lost))) => return Ok(self.reader().await?.rows(sql, params).await?),
                // A migration has invalidated the prepared statement, or the database's connection to a worker was
                // lost.
                Err((_, Some(Fault::Conflict | Fault::Worker))) => {
                    return Ok(connection.rows(sql, params).await?);
                }
                Err((_, Some(Fault::Locked | Fault::TimedOut))) => self.lanes.hold_up(party),
                answer => return Ok(answer?),
            }
        }
        let mut place = self.lanes.enter_slow(party).await?;
        Ok(place.connection(&self.shared).await?.rows(sql, params).await?)
    }

    async fn reader(&self) -> Result<Arc<Connection>, StoreError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.readers.len()).unwrap_or(0);
        let slot = self.readers.get(turn).ok_or_else(|| unexpected("no reader"))?;
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|known| !known.is_lost()) {
            return Ok(Arc::clone(connection));
        }
        *slot = None;
        let connection = Arc::new(self.shared.connect(READ).await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    pub(super) async fn close(&self) {
        for reader in &self.readers {
            *reader.lock().await = None;
        }
    }
}
