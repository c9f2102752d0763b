//! Brings the schema of a PostgreSQL database up to date, or looks whether it is.

use super::connection::{Connection, Failed};
use super::limits::{MIGRATION_MS, PAUSES};
use super::values::{Fault, value};
use crate::migrations::{self, Migration, TypeNames};
use crate::sql::{Param, Value, unexpected};
use crate::{Moments, StoreError};

/// Text is compared by its bytes, as SQLite does.
const TYPES: &TypeNames = &[
    ("{{id}}", "uuid"),
    ("{{bytes}}", "bytea"),
    ("{{time}}", "bigint"),
    ("{{int}}", "bigint"),
    ("{{bool}}", "boolean"),
    ("{{text}}", "text COLLATE \"C\""),
    ("{{table}}", ""),
];

/// The newest migration that the database has had; 0 when it has had none.
async fn version(connection: &Connection) -> Result<i64, StoreError> {
    // A table that is not there is no error.
    let there = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_migrations')";
    if number(connection, there).await? == 0 {
        return Ok(0);
    }
    number(connection, "SELECT coalesce(max(number), 0) FROM schema_migrations").await
}

async fn number(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    let rows = connection.rows(sql, &[]).await.map_err(|(error, _)| error)?;
    let first = rows.first().ok_or_else(|| unexpected("no row"))?;
    if let Value::Int(number) = value(first, 0)? { Ok(number) } else { Err(unexpected("no number")) }
}

async fn encoding(connection: &Connection) -> Result<(), StoreError> {
    let sql =
        "SELECT pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()";
    let rows = connection.rows(sql, &[]).await.map_err(|(error, _)| error)?;
    match rows.first().map(|row| value(row, 0)).transpose()? {
        Some(Value::Text("UTF8")) => Ok(()),
        other => Err(unexpected(format!("the database is encoded as {other:?}, not as UTF8"))),
    }
}

/// Warns where nothing would end a statement: behind a pooler a read has no transaction to set a limit in.
pub(super) async fn look_at_limits(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('statement_timeout')";
    let rows = connection.rows(sql, &[]).await.map_err(|(error, _)| error)?;
    if matches!(rows.first().map(|row| value(row, 0)).transpose()?, Some(Value::Text("0"))) {
        tracing::warn!(
            "the database ends no statement behind the pooler: ALTER ROLE .. SET statement_timeout = '10s'"
        );
    }
    Ok(())
}

/// Looks whether the schema is the one that this program knows.
pub(super) async fn check(connection: &Connection) -> Result<(), StoreError> {
    encoding(connection).await?;
    let found = version(connection).await?;
    match migrations::after(found)?.last() {
        None => Ok(()),
        Some(newest) => Err(StoreError::OlderSchema { found, needed: newest.number }),
    }
}

/// Brings the schema up to date, all steps in one transaction. Nodes that start at once take turns: they
/// hold the row with number 0. No lock is taken that some engine of PostgreSQL's family lacks.
pub(super) async fn migrate(connection: &Connection, moments: &Moments) -> Result<(), StoreError> {
    encoding(connection).await?;
    if migrations::after(version(connection).await?)?.next().is_none() {
        return Ok(());
    }
    let mut last = StoreError::Unavailable("another node is migrating".into());
    for pause in PAUSES {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let outcome = match steps(connection, moments).await {
            Ok(()) => connection.run("COMMIT").await,
            Err(failed) => Err(failed),
        };
        let Err((error, fault)) = outcome else { return Ok(()) };
        connection.run("ROLLBACK").await.map_err(|(error, _)| error)?;
        // Who creates the first table at the same moment as another meets its name as taken.
        if fault != Some(Fault::Conflict) && !matches!(error, StoreError::Violated(_)) {
            return Err(error);
        }
        last = error;
    }
    Err(last)
}

async fn steps(connection: &Connection, moments: &Moments) -> Result<(), Failed> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;
         SET LOCAL statement_timeout = {MIGRATION_MS}; SET LOCAL lock_timeout = {MIGRATION_MS};
         CREATE TABLE IF NOT EXISTS schema_migrations (
            number bigint NOT NULL, name text NOT NULL, applied_at bigint NOT NULL,
            CONSTRAINT schema_migrations_pkey PRIMARY KEY (number));
         INSERT INTO schema_migrations (number, name, applied_at) VALUES (0, 'held by who migrates', 0)
         ON CONFLICT DO NOTHING"
    );
    connection.run(&begin).await?;
    connection.rows("SELECT number FROM schema_migrations WHERE number = 0 FOR UPDATE", &[]).await?;
    let found = version(connection).await.map_err(|error| (error, None))?;
    for step @ Migration { number, name, .. } in migrations::after(found).map_err(|error| (error, None))? {
        // One at a time: Citus takes no more of them in a message.
        for statement in migrations::statements(&step.sql(TYPES)) {
            connection.run(&statement).await?;
        }
        let now = moments().now().as_micros();
        connection
            .change(
                "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
                &[Param::Int(*number), Param::Text(name), Param::Int(now)],
            )
            .await?;
    }
    Ok(())
}
