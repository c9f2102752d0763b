//! The schema, step by step. A migration is one text for every engine: `{{id}}` and the like stand for
//! what the engines call differently, so that their schemas cannot drift apart.

use rusqlite::Connection;

use crate::sqlite;
use crate::{Moments, StoreError};

struct Migration {
    number: i64,
    name: &'static str,
    text: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "foundation", text: include_str!("../migrations/0001_foundation.sql") },
    Migration { number: 2, name: "webhooks", text: include_str!("../migrations/0002_webhooks.sql") },
    Migration { number: 3, name: "portal", text: include_str!("../migrations/0003_portal.sql") },
    Migration { number: 4, name: "customers", text: include_str!("../migrations/0004_customers.sql") },
    Migration { number: 5, name: "api_keys", text: include_str!("../migrations/0005_api_keys.sql") },
    Migration { number: 6, name: "sub_accounts", text: include_str!("../migrations/0006_sub_accounts.sql") },
    Migration { number: 7, name: "idempotency", text: include_str!("../migrations/0007_idempotency.sql") },
];

/// What SQLite calls the types.
const SQLITE: &[(&str, &str)] = &[
    ("{{id}}", "BLOB"),
    ("{{bytes}}", "BLOB"),
    ("{{time}}", "INTEGER"),
    ("{{int}}", "INTEGER"),
    ("{{bool}}", "INTEGER"),
    ("{{text}}", "TEXT"),
    ("{{table}}", "STRICT"),
];

/// Brings the schema up to date, all steps in one transaction. Two processes that start at once take
/// turns.
pub(crate) fn run(connection: &mut Connection, moments: &Moments) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let steps = || -> rusqlite::Result<i64> {
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
        transaction.query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
    };
    let found = steps().map_err(|error| sqlite::failure(&transaction, error))?;
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for Migration { number, name, text } in MIGRATIONS.iter().filter(|step| step.number > found) {
        let sql = SQLITE.iter().fold((*text).to_owned(), |sql, (from, to)| sql.replace(from, to));
        let step = transaction.execute_batch(&sql).and_then(|()| {
            transaction.execute(
                "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
                (number, name, moments().now().as_micros()),
            )
        });
        step.map_err(|error| sqlite::failure(&transaction, error))?;
    }
    // What is not committed is undone when the transaction is dropped.
    transaction.execute_batch("COMMIT").map_err(|error| sqlite::failure(&transaction, error))
}

/// The text of each step, with its number.
pub(crate) fn texts() -> impl Iterator<Item = (i64, &'static str)> {
    MIGRATIONS.iter().map(|step| (step.number, step.text))
}
