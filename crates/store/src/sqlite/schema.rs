//! Brings the schema of an SQLite file up to date.

use rusqlite::Connection;

use super::driver::failure;
use crate::schema::migrations::{self, Migration, TypeNames};
use crate::{Moments, StoreError};

const TYPES: &TypeNames = &[
    ("{{id}}", "BLOB"),
    ("{{bytes}}", "BLOB"),
    ("{{time}}", "INTEGER"),
    ("{{int}}", "INTEGER"),
    ("{{bool}}", "INTEGER"),
    ("{{text}}", "TEXT"),
    ("{{table}}", "STRICT"),
];

/// The number of the newest applied migration.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
}

/// Checks that the schema has the version of this program.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let there = connection.table_exists(None, "schema_migrations");
    let found = there.and_then(|there| if there { version(connection) } else { Ok(0) });
    let found = found.map_err(|error| failure(connection, error))?;
    match migrations::after(found)?.last() {
        None => Ok(()),
        Some(newest) => Err(StoreError::OlderSchema { found, needed: newest.number }),
    }
}

/// Applies the missing migrations, all in one transaction. Its write lock serializes processes that start at once.
pub(crate) fn migrate(connection: &mut Connection, moments: &Moments) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let first = transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
    );
    let found = first.and_then(|()| version(&transaction)).map_err(|error| failure(&transaction, error))?;
    for step @ Migration { number, name, .. } in migrations::after(found)? {
        let done = transaction.execute_batch(&step.sql(TYPES)).and_then(|()| {
            transaction.execute(
                "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
                (number, name, moments().now().as_micros()),
            )
        });
        done.map_err(|error| failure(&transaction, error))?;
    }
    // On an error, dropping the transaction rolls it back.
    transaction.execute_batch("COMMIT").map_err(|error| failure(&transaction, error))
}
