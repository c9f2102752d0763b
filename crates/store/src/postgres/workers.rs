//! The health of the workers of Citus, which the readiness probe reports.
//!
//! The probe has a connection of its own, because a worker that hangs delays every statement behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex as Turn;

use super::connection::Connection;
use super::faults::Failed;
use super::limits::{PATIENT, WORKERS_MS};
use super::shared::Shared;
use crate::StoreError;
use crate::error::unexpected;

/// The connection of the probe.
#[derive(Default)]
pub(super) struct WorkerProbe {
    connection: Turn<Option<Connection>>,
    /// Whether the database was found to have no workers.
    has_none: AtomicBool,
}

impl WorkerProbe {
    /// The number of workers that do not answer. A worker that hangs is an error, after [`WORKERS_MS`].
    pub(super) async fn lost(&self, shared: &Arc<Shared>) -> Result<usize, StoreError> {
        let mut slot = self.connection.lock().await;
        let Some(connection) = self.take(&mut slot, shared).await? else { return Ok(0) };
        let lost = count(&connection).await?;
        *slot = Some(connection);
        usize::try_from(lost).map_err(unexpected)
    }

    /// Whether the coordinator accepts writes. `None` without workers.
    pub(super) async fn is_writable(&self, shared: &Arc<Shared>) -> Result<Option<bool>, StoreError> {
        let mut slot = self.connection.lock().await;
        let Some(connection) = self.take(&mut slot, shared).await? else { return Ok(None) };
        let sql = "SELECT current_setting('transaction_read_only')";
        let is_read_only = connection.text(sql).await?;
        *slot = Some(connection);
        Ok(Some(is_read_only.as_deref() == Some("off")))
    }

    /// The connection, which is not put back after a failed or cancelled question. `None` without workers.
    async fn take(
        &self,
        slot: &mut Option<Connection>,
        shared: &Arc<Shared>,
    ) -> Result<Option<Connection>, StoreError> {
        if self.has_none.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let connection = match slot.take().filter(|known| !known.is_lost()) {
            Some(connection) => connection,
            None => shared.connect(PATIENT).await?,
        };
        if connection.is_spread() {
            return Ok(Some(connection));
        }
        self.has_none.store(true, Ordering::Relaxed);
        Ok(None)
    }
}

async fn count(connection: &Connection) -> Result<i64, Failed> {
    connection.run(&format!("BEGIN; SET LOCAL statement_timeout = {WORKERS_MS}")).await?;
    let sql = "SELECT count(*) FROM run_command_on_workers('SELECT 1') WHERE NOT success";
    let lost = connection.number(sql, &[]).await?;
    connection.run("COMMIT").await?;
    lost.ok_or_else(|| unexpected("no count of workers").into())
}
