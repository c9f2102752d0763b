//! Savepoints of several use cases in one transaction.

use tenantry_testkit::Postgres as Database;
use tokio::runtime::Handle;

use super::*;
use crate::postgres::Target;
use crate::value::Value;

const INSERT: &str = "INSERT INTO a (x) VALUES (?1)";

/// Connections to a database with a table that contains the row 1.
async fn connect<const N: usize>(database: &Database) -> [Arc<Connection>; N] {
    let target = Target::parse(&database.url()).unwrap();
    drop(database.query("CREATE TABLE a (x bigint PRIMARY KEY); INSERT INTO a VALUES (1)"));
    let mut opened = Vec::new();
    for _ in 0..N {
        opened.push(Arc::new(Connection::open(&Handle::current(), &target).await.unwrap()));
    }
    opened.try_into().map_err(|_| ()).unwrap()
}

async fn lock_timeout(transaction: &mut Transaction) -> String {
    let rows = transaction.rows("SELECT current_setting('lock_timeout')", &[]).await.unwrap();
    match crate::postgres::values::value(&rows[0], 0).unwrap() {
        Value::Text(shown) => shown.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_after_an_operation_that_failed_keeps_its_place() {
    let Some(database) = Database::new() else { return };
    let [connection] = connect(&database).await;
    let mut transaction = Transaction::new(connection, Mode::Shared);
    transaction.begin_operation();
    let refused = transaction.change("INSERT INTO a (x) VALUES (1)", &[]).await;
    assert!(matches!(refused, Err(StoreError::Violated(_))), "{refused:?}");
    transaction.end_operation(false);
    for x in [2, 3] {
        // On the first pass the statement is not prepared yet.
        transaction.begin_operation();
        transaction.send(INSERT, &[Param::Int(x)]).await.unwrap();
        transaction.hear().await.unwrap();
        assert!(transaction.fault().is_none() && !transaction.has_failed());
        transaction.end_operation(true);
    }
    assert!(transaction.commit(None).await.is_ok());
    assert_eq!(database.query("SELECT x FROM a").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_failed_is_not_said_to_be_committed() {
    let Some(database) = Database::new() else { return };
    let [connection] = connect(&database).await;
    let mut transaction = Transaction::new(connection, Mode::Shared);
    transaction.begin_operation();
    transaction.change(INSERT, &[Param::Int(2)]).await.unwrap();
    transaction.end_operation(true);
    // A statement between two use cases, outside their savepoints.
    transaction.change("INSERT INTO a (x) VALUES (1)", &[]).await.unwrap_err();
    assert!(matches!(transaction.commit(None).await, Err(NotCommitted::Undone(..))));
    assert_eq!(database.query("SELECT x FROM a").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_for_a_row_in_vain_waits_for_no_other() {
    let Some(database) = Database::new() else { return };
    let [holder, connection] = connect(&database).await;
    holder.run("BEGIN; SELECT x FROM a FOR UPDATE").await.unwrap();
    let mut transaction = Transaction::new(Arc::clone(&connection), Mode::Shared);
    transaction.begin_operation();
    assert_eq!(lock_timeout(&mut transaction).await, "20ms");
    assert!(transaction.rows("SELECT x FROM a FOR UPDATE", &[]).await.is_err());
    assert_eq!(transaction.fault(), Some(Fault::Conflict));
    transaction.end_operation(false);
    transaction.wait_no_more().await;
    transaction.begin_operation();
    assert_eq!(lock_timeout(&mut transaction).await, "1ms");
    transaction.send(INSERT, &[Param::Int(2)]).await.unwrap();
    transaction.end_operation(true);
    assert!(transaction.commit(None).await.is_ok());
    assert_eq!(database.query("SELECT x FROM a").len(), 2);
    assert_eq!(lock_timeout(&mut Transaction::new(connection, Mode::Shared)).await, "20ms");
}
