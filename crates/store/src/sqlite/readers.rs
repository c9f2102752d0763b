//! The pool of read connections. A query runs on the thread of its caller.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::driver::connect;
use super::gate::Inside;
use super::log::Log;
use crate::error::unexpected;
use crate::{StoreError, Tx, Vault};

/// Steps of SQLite's virtual machine between two calls of a progress handler.
const PROGRESS_STEPS: i32 = 10_000;

/// A pool of read connections. It grows to the largest number that were in use at the same time.
pub(crate) struct Readers {
    path: PathBuf,
    vault: Arc<OnceLock<Arc<dyn Vault>>>,
    log: Arc<Log>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, vault: Arc<OnceLock<Arc<dyn Vault>>>, log: Arc<Log>) -> Self {
        Self { path, vault, log, idle: Mutex::default() }
    }

    /// An idle connection, or a new one.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let inside = self.log.readers.enter();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| self.new_connection(), Ok)?;
        Ok(Reader { pool: self, connection: Some(connection), _inside: Some(inside) })
    }

    /// A reader with a connection of its own, which no checkpoint waits for.
    pub(super) fn new_reader(&self) -> Result<Reader<'_>, StoreError> {
        Ok(Reader { pool: self, connection: Some(self.new_connection()?), _inside: None })
    }

    fn new_connection(&self) -> Result<Connection, StoreError> {
        let connection = connect(&self.path, OpenFlags::default())?;
        connection.pragma_update(None, "query_only", true).map_err(unexpected)?;
        Ok(connection)
    }

    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A read connection from the pool. Dropping it returns the connection.
pub(crate) struct Reader<'a> {
    pool: &'a Readers,
    connection: Option<Connection>,
    _inside: Option<Inside<'a>>,
}

impl Reader<'_> {
    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| unexpected("a reader without connection"))
    }

    /// Calls `interrupt` every [`PROGRESS_STEPS`] steps of a query, and interrupts the query when it returns true.
    pub(super) fn set_interrupt<F>(&mut self, interrupt: Option<F>) -> Result<(), StoreError>
    where
        F: FnMut() -> bool + Send + 'static,
    {
        let connection = self.connection.as_mut().ok_or_else(|| unexpected("a reader without connection"))?;
        connection.progress_handler(PROGRESS_STEPS, interrupt).map_err(unexpected)
    }

    /// A query interface without a transaction: each query sees the newest committed state.
    pub(crate) fn tx(&mut self) -> Result<Tx<'_>, StoreError> {
        let connection = self.connection.as_mut().ok_or_else(|| unexpected("a reader without connection"))?;
        Ok(Tx::sqlite(connection, self.pool.vault.get().map(AsRef::as_ref)))
    }

    /// Closes the connection instead of returning it to the pool.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
