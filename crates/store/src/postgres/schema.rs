//! Migrates the schema of a PostgreSQL database, or checks that it is up to date.
//!
//! | migration | locks | on failure |
//! |---|---|---|
//! | changes tables | one transaction, with the row number 0 of `schema_migrations` locked | rolled back |
//! | builds an index without blocking writers | none while it builds | an incomplete index is dropped and built again |
//!
//! After a conflict a migration is retried for [`MIGRATION_PATIENCE`]. Each attempt waits for a lock for at most
//! [`MIGRATION_LOCK_MS`], because other statements queue behind its lock request.

use std::time::Instant;

use super::connection::{Connection, Failed};
use super::limits::{
    BUILD_MS, LOCK_MS, MIGRATION_ANSWER, MIGRATION_LOCK_MS, MIGRATION_MS, MIGRATION_PATIENCE,
    MIGRATION_PAUSE, MIGRATION_PAUSE_MOST, STATEMENT_MS,
};
use super::values::{Fault, value};
use crate::error::unexpected;
use crate::schema::migrations::{self, Migration, TypeNames};
use crate::value::{Param, Value};
use crate::{Moments, StoreError};

/// The error of an index migration behind a pooler. There the statement timeout cannot be raised, and a build that
/// times out leaves an incomplete index.
const PAST_THE_POOLER: &str = "an index has to be built for longer than a pooler lets a statement run: run \
    `tenantry migrate` once with the URL of the database itself, without `pooler=transaction`";

/// The type names of PostgreSQL. The collation `C` compares text by bytes, as SQLite does.
const TYPES: &TypeNames = &[
    ("{{id}}", "uuid"),
    ("{{bytes}}", "bytea"),
    ("{{time}}", "bigint"),
    ("{{int}}", "bigint"),
    ("{{bool}}", "boolean"),
    ("{{text}}", "text COLLATE \"C\""),
    ("{{table}}", ""),
];

/// The number of the newest applied migration, or 0.
async fn version(connection: &Connection) -> Result<i64, StoreError> {
    // Before the first migration the table does not exist.
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
        Some(Value::Text(name)) => Err(StoreError::WrongEncoding(name.to_owned())),
        _ => Err(unexpected("a database without an encoding")),
    }
}

/// Warns if the role has no statement timeout. Behind a pooler, a read outside a transaction cannot set one.
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

/// Checks that the schema has the version of this program.
pub(super) async fn check(connection: &Connection) -> Result<(), StoreError> {
    encoding(connection).await?;
    let found = version(connection).await?;
    match migrations::after(found)?.last() {
        None => Ok(()),
        Some(newest) => Err(StoreError::OlderSchema { found, needed: newest.number }),
    }
}

/// Applies the missing migrations, each in a transaction of its own, so that locks are held briefly. Nodes that start
/// at the same time take turns: each locks the row with number 0. A row lock works on every engine that speaks
/// PostgreSQL's protocol; advisory locks do not.
pub(super) async fn migrate(connection: &Connection, moments: &Moments) -> Result<(), StoreError> {
    encoding(connection).await?;
    take(connection, migrations::ALL, moments).await
}

/// Applies the missing migrations of `steps`. A table can be in use for long, for example by a backup. A migration
/// then waits for its lock in short attempts, because other statements queue behind its lock request.
async fn take(connection: &Connection, steps: &[Migration], moments: &Moments) -> Result<(), StoreError> {
    let (mut since, mut pause) = (Instant::now(), MIGRATION_PAUSE);
    while let Some(step) = migrations::after_in(steps, version(connection).await?)?.next() {
        let done = match step.builds_concurrently() {
            None => in_transaction(connection, step, moments).await,
            Some(_) if connection.is_pooled() => return Err(StoreError::Unavailable(PAST_THE_POOLER.into())),
            Some(index) => build(connection, step, index, moments).await,
        };
        let Err((error, fault)) = done else {
            (since, pause) = (Instant::now(), MIGRATION_PAUSE);
            continue;
        };
        if connection.run("ROLLBACK").await.is_err() {
            return Err(error);
        }
        // If two nodes create the first table at once, the later one violates a constraint of the system catalog.
        let others =
            fault == Some(Fault::Conflict) || (matches!(error, StoreError::Violated(_)) && step.number == 1);
        if !others || since.elapsed() > MIGRATION_PATIENCE {
            return Err(error);
        }
        tracing::info!(step = step.name, %error, "a migration waits for who uses its tables, and tries again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MIGRATION_PAUSE_MOST);
    }
    Ok(())
}

/// Begins a transaction that excludes the migrations of other nodes. Returns whether `step` is still missing.
async fn hold(connection: &Connection, step: &Migration) -> Result<bool, Failed> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;
         SET LOCAL statement_timeout = {MIGRATION_MS}; SET LOCAL lock_timeout = {MIGRATION_LOCK_MS};
         CREATE TABLE IF NOT EXISTS schema_migrations (
            number bigint NOT NULL, name text NOT NULL, applied_at bigint NOT NULL,
            CONSTRAINT schema_migrations_pkey PRIMARY KEY (number));
         INSERT INTO schema_migrations (number, name, applied_at) VALUES (0, 'held by who migrates', 0)
         ON CONFLICT DO NOTHING"
    );
    connection.run(&begin).await?;
    connection.rows("SELECT number FROM schema_migrations WHERE number = 0 FOR UPDATE", &[]).await?;
    Ok(version(connection).await.map_err(|error| (error, None))? < step.number)
}

async fn in_transaction(connection: &Connection, step: &Migration, moments: &Moments) -> Result<(), Failed> {
    if hold(connection, step).await? {
        // Citus accepts one such statement per message.
        for statement in migrations::statements(&step.sql(TYPES)) {
            connection.run_within(MIGRATION_ANSWER, &statement).await?;
            if let Some(table) = tenant_table(&statement) {
                connection.run(&assume_one_tenant(table)).await?;
            }
        }
        note(connection, step, moments).await?;
    }
    connection.run("COMMIT").await
}

/// The name of the table, if a statement creates one with a tenant column.
fn tenant_table(statement: &str) -> Option<&str> {
    let rest = statement.strip_prefix("CREATE TABLE ")?;
    rest.contains("organization_id uuid NOT NULL").then(|| rest.split([' ', '(']).next())?
}

/// The statement that makes the planner assume that all rows of a table belong to one tenant.
///
/// Statistics that were gathered while each tenant had one row make the tenant column look as selective as a unique
/// key. The planner would then choose an index by this column alone and read every row of a large tenant.
fn assume_one_tenant(table: &str) -> String {
    format!("ALTER TABLE {table} ALTER COLUMN organization_id SET (n_distinct = 1)")
}

async fn note(connection: &Connection, step: &Migration, moments: &Moments) -> Result<(), Failed> {
    let now = moments().now().as_micros();
    let sql = "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)";
    let params = [Param::Int(step.number), Param::Text(step.name), Param::Int(now)];
    connection.change(sql, &params).await.map(|_| ())
}

/// Builds an index without blocking writers. The build can be interrupted at any point, and several nodes can begin it
/// at once. A later node waits for the table lock, finds the index, and checks that it is complete.
async fn build(
    connection: &Connection,
    step: &Migration,
    (index, table): (&str, &str),
    moments: &Moments,
) -> Result<(), Failed> {
    // A build holds this lock. So an incomplete index was left behind by a node that crashed.
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = {MIGRATION_LOCK_MS};
         LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"
    );
    connection.run(&begin).await?;
    if is_whole(connection, index).await? == Some(false) {
        connection.run(&format!("DROP INDEX {index}")).await?;
    }
    connection.run("COMMIT").await?;
    // No statement waits for this build, so it needs no lock timeout.
    connection.run(&format!("SET statement_timeout = {BUILD_MS}; SET lock_timeout = 0")).await?;
    let sql = step.sql(TYPES).replacen(" INDEX ", " INDEX CONCURRENTLY IF NOT EXISTS ", 1);
    let built = connection.run_within(MIGRATION_ANSWER, &sql).await;
    let reset = format!("SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS}");
    let reset = connection.run(&reset).await;
    built.and(reset)?;
    if hold(connection, step).await? {
        if is_whole(connection, index).await? != Some(true) {
            let unfinished = format!("index {index} was not built to its end");
            return Err((StoreError::Unavailable(unfinished), Some(Fault::Conflict)));
        }
        note(connection, step, moments).await?;
    }
    connection.run("COMMIT").await
}

/// Whether an index is complete, or `None` if it does not exist.
async fn is_whole(connection: &Connection, index: &str) -> Result<Option<bool>, Failed> {
    let sql = "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(?1)";
    let rows = connection.rows(sql, &[Param::Text(index)]).await?;
    let found = rows.first().map(|row| value(row, 0)).transpose().map_err(|error| (error, None))?;
    Ok(found.map(|whole| matches!(whole, Value::Int(1))))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
