//! Writes the write-ahead log back into the database file, and bounds its size.
//!
//! | size of the log | action of the checkpoint thread |
//! |---|---|
//! | `write_back`, 16 MiB | every 500 ms writes back what no reader needs any more; makes nobody wait |
//! | the same, and nothing was written for 500 ms | truncates the log |
//! | `truncate`, 64 MiB | truncates the log, as soon as the running list queries have ended; new ones wait |
//! | `interrupt`, 128 MiB | the same, but interrupts the running list queries, which begin again after it |
//! | `stop`, 256 MiB | the same, and the writer begins no transaction before it |
//!
//! SQLite can begin the log anew only in a moment in which nobody reads from it, which never comes by itself while list
//! queries overlap. To truncate, the thread holds off list queries, then large reads, writes back nearly everything, holds
//! off the writer, writes back the rest, and holds off all readers while it truncates the file. So the writer waits for
//! one short checkpoint, and point reads for less than a millisecond.
//!
//! A read transaction of another process cannot be ended. While there is one, the thread tries again each time the log
//! has grown by `truncate`. When the database is closed, the writer truncates the log.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::LIST_QUERY;
use super::gate::Closed;
use super::log::Log;

/// The interval at which the size of the log is read.
const INTERVAL: Duration = Duration::from_millis(500);
/// The same while list queries run that have to end.
const SHORT_INTERVAL: Duration = Duration::from_millis(20);
/// The time that list queries and large reads have to end: longer than they may run.
const QUERIES_END: Duration = LIST_QUERY.saturating_mul(2);
/// The time that the writer has to end its transaction.
const WRITER_ENDS: Duration = Duration::from_secs(10);
/// The time that point reads have to end.
const READERS_END: Duration = Duration::from_millis(100);
/// Pages of the log that are few enough to be written back while the writer waits.
const FEW_PAGES: i64 = 1_000;
/// Attempts to come down to [`FEW_PAGES`].
const ATTEMPTS: usize = 5;

/// Writes the log back whenever it has grown, until the log is stopped.
pub(super) fn run(connection: &Connection, log: &Log) {
    // A lock that another process has is not worth waiting for: others wait meanwhile.
    drop(connection.busy_timeout(Duration::ZERO));
    let (mut before, mut tried) = (0, 0);
    while log.pause(INTERVAL) {
        let (size, limits) = (log.size(), log.limits());
        let is_quiet = size == before && size != tried;
        let outcome = if size >= limits.truncate || (is_quiet && size >= limits.write_back) {
            tried = size;
            truncate(connection, log).map(|done| log.keep(if done { 0 } else { log.size() }))
        } else if size >= limits.write_back && size != before {
            write_back(connection).map(|_| ())
        } else {
            Ok(())
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "write-ahead log not written back");
        }
        before = size;
        log.end_round();
    }
}

/// Writes back what no reader needs. Returns the number of pages that are left.
fn write_back(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (all, written_back): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(all.saturating_sub(written_back))
    })
}

/// Writes everything back and truncates the file. Returns false when somebody else reads from the log.
fn truncate(connection: &Connection, log: &Log) -> rusqlite::Result<bool> {
    let list_queries = log.list_queries.close();
    if !end_queries(&list_queries, log) {
        return Ok(false);
    }
    let large_reads = log.large_reads.close();
    if !end_queries(&large_reads, log) {
        return Ok(false);
    }
    for _ in 0..ATTEMPTS {
        if write_back(connection)? <= FEW_PAGES {
            break;
        }
    }
    let writer = log.writer.close();
    if !writer.wait_until_empty(WRITER_ENDS) {
        return Ok(false);
    }
    write_back(connection)?;
    let readers = log.readers.close();
    Ok(readers.wait_until_empty(READERS_END) && truncate_file(connection)?)
}

/// Waits until no query runs behind a closed gate. Interrupts the running ones once the log has the size `interrupt`.
fn end_queries(queries: &Closed<'_>, log: &Log) -> bool {
    let begun = Instant::now();
    let mut have_ended = false;
    while !have_ended && begun.elapsed() < QUERIES_END && !log.is_stopped() {
        let is_urgent = log.size() >= log.limits().interrupt;
        log.interrupts_queries.store(is_urgent, Ordering::Relaxed);
        have_ended = queries.wait_until_empty(SHORT_INTERVAL);
    }
    log.interrupts_queries.store(false, Ordering::Relaxed);
    have_ended
}

/// Truncates the log. Returns false when a lock of somebody else prevents it.
fn truncate_file(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Writes the whole log back when the database is closed.
pub(super) fn finish(connection: &Connection) {
    if let Err(error) = truncate_file(connection) {
        tracing::warn!(%error, "write-ahead log not written back at the end");
    }
}
