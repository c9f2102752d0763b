//! Migrates the schema of a PostgreSQL database, or checks that it is up to date.
//!
//! | migration | locks | on failure |
//! |---|---|---|
//! | changes tables | one transaction, with the row number 0 of `schema_migrations` locked | rolled back |
//! | builds an index without blocking writers | none while it builds | an incomplete index is dropped and built again |
//!
//! After a conflict a migration is retried for [`MIGRATION_PATIENCE`]. Each attempt waits for a lock for at most
//! [`MIGRATION`]`.lock_ms`, because other statements queue behind its lock request.

use std::time::Instant;

use super::connection::Connection;
use super::faults::{Failed, Fault};
use super::limits::{BUILD, MIGRATION, MIGRATION_PATIENCE, MIGRATION_PAUSE, MIGRATION_PAUSE_MOST, Timeouts};
use crate::error::unexpected;
use crate::schema::migrations::{self, Migration, TypeNames};
use crate::value::Param;
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
async fn version(connection: &Connection) -> Result<i64, Failed> {
    // Before the first migration the table does not exist.
    let there = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_migrations')";
    if connection.number(there, &[]).await? == Some(0) {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(number), 0) FROM schema_migrations";
    connection.number(newest, &[]).await?.ok_or_else(|| unexpected("no number").into())
}

async fn check_encoding(connection: &Connection) -> Result<(), StoreError> {
    let sql =
        "SELECT pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()";
    match connection.text(sql).await?.as_deref() {
        Some("UTF8") => Ok(()),
        Some(name) => Err(StoreError::WrongEncoding(name.to_owned())),
        None => Err(unexpected("a database without an encoding")),
    }
}

/// Warns if the role has no statement timeout. Behind a pooler, a read outside a transaction cannot set one.
pub(super) async fn look_at_limits(connection: &Connection) -> Result<(), StoreError> {
    if connection.text("SELECT current_setting('statement_timeout')").await?.as_deref() == Some("0") {
        tracing::warn!(
            "the database ends no statement behind the pooler: ALTER ROLE .. SET statement_timeout = '10s'"
        );
    }
    Ok(())
}

/// Checks that the schema has the version of this program.
pub(super) async fn check(connection: &Connection) -> Result<(), StoreError> {
    check_encoding(connection).await?;
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
    check_encoding(connection).await?;
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
        let others = matches!(fault, Some(Fault::Conflict | Fault::Locked))
            || (matches!(error, StoreError::Violated(_)) && step.number == 1);
        if !others || since.elapsed() > MIGRATION_PATIENCE {
            return Err(error);
        }
        tracing::info!(step = step.name, %error, "a migration waits for transactions that use its tables, and tries again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MIGRATION_PAUSE_MOST);
    }
    Ok(())
}

/// Begins a transaction that excludes the migrations of other nodes. Returns whether `step` is still missing.
async fn hold(connection: &Connection, step: &Migration) -> Result<bool, Failed> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;
         SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {};
         CREATE TABLE IF NOT EXISTS schema_migrations (
            number bigint NOT NULL, name text NOT NULL, applied_at bigint NOT NULL,
            CONSTRAINT schema_migrations_pkey PRIMARY KEY (number));
         INSERT INTO schema_migrations (number, name, applied_at) VALUES (0, 'held by who migrates', 0)
         ON CONFLICT DO NOTHING",
        MIGRATION.statement_ms, MIGRATION.lock_ms
    );
    connection.run(&begin).await?;
    connection.rows("SELECT number FROM schema_migrations WHERE number = 0 FOR UPDATE", &[]).await?;
    Ok(version(connection).await? < step.number)
}

async fn in_transaction(connection: &Connection, step: &Migration, moments: &Moments) -> Result<(), Failed> {
    if hold(connection, step).await? {
        // Citus accepts one such statement per message.
        for statement in migrations::statements(&step.sql(TYPES)) {
            connection.run(&statement).await?;
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
    connection.rows(sql, &params).await.map(|_| ())
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
        "BEGIN; SET LOCAL lock_timeout = {};
         LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE",
        MIGRATION.lock_ms
    );
    connection.run(&begin).await?;
    if is_whole(connection, index).await? == Some(false) {
        connection.run(&format!("DROP INDEX {index}")).await?;
    }
    connection.run("COMMIT").await?;
    set_limits(connection, BUILD).await?;
    let sql = step.sql(TYPES).replacen(" INDEX ", " INDEX CONCURRENTLY IF NOT EXISTS ", 1);
    let built = connection.run(&sql).await;
    let reset = set_limits(connection, connection.timeouts()).await;
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

async fn set_limits(connection: &Connection, limits: Timeouts) -> Result<(), Failed> {
    let Timeouts { statement_ms, lock_ms, .. } = limits;
    connection.run(&format!("SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}")).await
}

/// Whether an index is complete, or `None` if it does not exist.
async fn is_whole(connection: &Connection, index: &str) -> Result<Option<bool>, Failed> {
    let sql = "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(?1)";
    Ok(connection.number(sql, &[Param::Text(index)]).await?.map(|is_valid| is_valid == 1))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
