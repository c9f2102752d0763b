//! The connections that read outside of a transaction. Each is shared: queries follow one another on it without
//! waiting for each other's results.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex as Turn;
use tokio_postgres::Row;

use super::connection::Connection;
use super::shared::Shared;
use super::values::Fault;
use crate::error::unexpected;
use crate::value::Param;
use crate::{StoreError, Vault};

/// A fixed number of connections, used in turn. A lost one is replaced when its turn comes.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    next: AtomicUsize,
    readers: Vec<Turn<Option<Arc<Connection>>>>,
}

impl Readers {
    /// A pool with the target's number of connections. `first` is already open, the others open on first use.
    pub(super) fn new(shared: Arc<Shared>, first: Arc<Connection>) -> Self {
        let mut readers: Vec<_> = (1..shared.target.readers).map(|_| Turn::default()).collect();
        readers.push(Turn::new(Some(first)));
        Self { shared, next: AtomicUsize::new(0), readers }
    }

    pub(crate) fn vault(&self) -> Option<&dyn Vault> {
        self.shared.vault()
    }

    /// Runs a query on one of the connections, and again on another if that connection is lost.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let connection = self.reader().await?;
        match connection.rows(sql, params).await {
            Err((_, Some(Fault::Lost))) => {
                let connection = self.reader().await?;
                connection.rows(sql, params).await.map_err(|(error, _)| error)
            }
            // A migration has invalidated the prepared statement, or the database's connection to a worker was lost.
            Err((_, Some(Fault::Conflict | Fault::Worker))) => {
                connection.rows(sql, params).await.map_err(|(error, _)| error)
            }
            answer => answer.map_err(|(error, _)| error),
        }
    }

    async fn reader(&self) -> Result<Arc<Connection>, StoreError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.readers.len()).unwrap_or(0);
        let slot = self.readers.get(turn).ok_or_else(|| unexpected("no reader"))?;
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|known| !known.is_lost()) {
            return Ok(Arc::clone(connection));
        }
        *slot = None;
        let connection = Arc::new(self.shared.connect().await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    pub(super) async fn close(&self) {
        for reader in &self.readers {
            *reader.lock().await = None;
        }
    }
}
