//! Writes the write-ahead log back into the database file.
//!
//! | log | action |
//! |---|---|
//! | below [`CHECKPOINT_BYTES`] | none |
//! | from [`CHECKPOINT_BYTES`] | the checkpoint thread writes it back, without making the writer or a reader wait |
//! | at the driver's `LOG_LIMIT_PAGES` (256 MiB) | the writer stops and writes it back itself |
//! | at the end | the writer writes it back and truncates it |

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

/// The interval at which the size of the log is read.
const INTERVAL: Duration = Duration::from_millis(500);
/// The size of the log from which it is written back while the server works: 16 MiB.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// Writes the log back whenever it has grown, until `stopped` is disconnected.
pub(super) fn run(connection: &Connection, log: &Path, stopped: &Receiver<()>) {
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let size = std::fs::metadata(log).map_or(0, |log| log.len());
        if size >= CHECKPOINT_BYTES
            && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "write-ahead log not written back");
        }
    }
}

/// Writes the whole log back when the database is closed.
pub(super) fn finish(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "write-ahead log not written back at the end");
    }
}
