//! Tests with their own migrations, for cases that the program's migrations do not cover.

use std::sync::Arc;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_testkit::Postgres;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::*;
use crate::postgres::Target;
use crate::postgres::limits::PATIENT;

const FIRST: Migration = Migration::for_test(1, "CREATE TABLE a (x {{int}} NOT NULL, y {{int}});");
const COLUMN: Migration = Migration::for_test(2, "ALTER TABLE a ADD COLUMN z {{int}};");
const WRONG: Migration = Migration::for_test(2, "CREATE TABLE b (x {{int}}); CREATE TABLE a (x {{int}});");
const INDEX: Migration =
    Migration::for_test(2, "-- concurrently\nCREATE INDEX a_by_y ON a (y) WHERE y IS NOT NULL;");

fn moments() -> Moments {
    Arc::new(|| ExecutionContext::new(Timestamp::from_micros(1), [0; 32]))
}

async fn connect(database: &Postgres) -> Connection {
    Connection::open(&Handle::current(), &Target::parse(&database.url()).unwrap(), PATIENT).await.unwrap()
}

/// Applies the migrations on a separate connection, in a task.
fn taking(database: &Postgres, steps: &'static [Migration]) -> JoinSet<Result<(), StoreError>> {
    let (url, mut tasks) = (database.url(), JoinSet::new());
    tasks.spawn(async move {
        let connection = Connection::open(&Handle::current(), &Target::parse(&url).unwrap(), PATIENT).await?;
        take(&connection, steps, &moments()).await
    });
    tasks
}

/// Waits until a session waits for a lock.
async fn somebody_waits(database: &Postgres) {
    let sql =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database.query(sql).is_empty() {
        tokio::task::yield_now().await;
    }
}

fn numbers(database: &Postgres) -> Vec<String> {
    let found = database.query("SELECT number FROM schema_migrations WHERE number > 0 ORDER BY number");
    found.into_iter().flatten().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_for_long_makes_a_migration_wait_and_nobody_else() {
    let Some(database) = Postgres::new() else { return };
    let (backup, node) = (connect(&database).await, connect(&database).await);
    take(&node, &[FIRST], &moments()).await.unwrap();
    backup.run("BEGIN; SELECT x FROM a").await.unwrap();
    let mut migrating = taking(&database, &[FIRST, COLUMN]);
    somebody_waits(&database).await;
    // The lock timeout of this connection is 5 s: longer than that of one attempt of the migration.
    node.run("SELECT x FROM a").await.unwrap();
    node.run("INSERT INTO a (x) VALUES (1)").await.unwrap();
    assert_eq!(numbers(&database), ["1"]);
    backup.run("COMMIT").await.unwrap();
    migrating.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(numbers(&database), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_leaves_those_before_it_and_nothing_of_itself() {
    let Some(database) = Postgres::new() else { return };
    let node = connect(&database).await;
    let refused = take(&node, &[FIRST, WRONG], &moments()).await;
    assert!(matches!(refused, Err(StoreError::Unexpected(_))), "{refused:?}");
    assert_eq!(numbers(&database), ["1"]);
    assert!(database.query("SELECT 1 FROM pg_class WHERE relname = 'b'").is_empty());
    // After the cause is removed, the program can run again.
    take(&node, &[FIRST, COLUMN], &moments()).await.unwrap();
    assert_eq!(numbers(&database), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_migrate_at_once_take_each_step_once() {
    let Some(database) = Postgres::new() else { return };
    let mut nodes = JoinSet::new();
    for mut node in (0..4).map(|_| taking(&database, &[FIRST, INDEX])) {
        nodes.spawn(async move { node.join_next().await.unwrap().unwrap() });
    }
    while let Some(ended) = nodes.join_next().await {
        ended.unwrap().unwrap();
    }
    assert_eq!(numbers(&database), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_while_others_write() {
    let Some(database) = Postgres::new() else { return };
    let (writer, node) = (connect(&database).await, connect(&database).await);
    take(&node, &[FIRST], &moments()).await.unwrap();
    writer.run("BEGIN; INSERT INTO a (x, y) VALUES (1, 1)").await.unwrap();
    let mut migrating = taking(&database, &[FIRST, INDEX]);
    somebody_waits(&database).await;
    node.run("INSERT INTO a (x, y) VALUES (2, 2)").await.unwrap();
    writer.run("COMMIT").await.unwrap();
    migrating.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(numbers(&database), ["1", "2"]);
    assert_eq!(is_whole(&node, "a_by_y").await.unwrap(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_who_died_is_built_anew() {
    let Some(database) = Postgres::new() else { return };
    let node = connect(&database).await;
    take(&node, &[FIRST], &moments()).await.unwrap();
    // An interrupted build leaves an index in this state.
    node.run("INSERT INTO a (x, y) VALUES (1, 1), (1, 1)").await.unwrap();
    let broken = node.run("CREATE UNIQUE INDEX CONCURRENTLY a_by_y ON a (y)").await;
    assert!(matches!(broken, Err((StoreError::Violated(_), _))), "{broken:?}");
    assert_eq!(is_whole(&node, "a_by_y").await.unwrap(), Some(false));
    take(&node, &[FIRST, INDEX], &moments()).await.unwrap();
    assert_eq!(is_whole(&node, "a_by_y").await.unwrap(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_index_is_built_through_a_pooler() {
    let Some(database) = Postgres::new() else { return };
    let target = Target::parse(&format!("{}&pooler=transaction", database.url())).unwrap();
    let node = Connection::open(&Handle::current(), &target, PATIENT).await.unwrap();
    let refused = take(&node, &[FIRST, INDEX], &moments()).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("migrate")), "{refused:?}");
    assert_eq!(numbers(&database), ["1"]);
    take(&connect(&database).await, &[FIRST, INDEX], &moments()).await.unwrap();
    take(&node, &[FIRST, INDEX], &moments()).await.unwrap();
}

#[test]
fn a_step_that_builds_an_index_says_so() {
    assert_eq!(INDEX.builds_concurrently(), Some(("a_by_y", "a")));
    assert_eq!(COLUMN.builds_concurrently(), None);
}
