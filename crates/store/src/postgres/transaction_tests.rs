//! The end of a transaction in which a change failed.

use tenantry_testkit::Postgres as Database;
use tokio::runtime::Handle;

use super::*;
use crate::postgres::Target;

const INSERT: &str = "INSERT INTO a (x) VALUES (?1)";

/// Connections to a database with a table that contains the row 1.
async fn connect<const N: usize>(database: &Database) -> [Arc<Connection>; N] {
    let target = Target::parse(&database.url()).unwrap();
    drop(database.query("CREATE TABLE a (x bigint PRIMARY KEY); INSERT INTO a VALUES (1)"));
    let mut opened = Vec::new();
    for _ in 0..N {
        opened.push(Arc::new(Connection::open(&Handle::current(), &target, limits::FAST).await.unwrap()));
    }
    opened.try_into().map_err(|_| ()).unwrap()
}

fn writing(connection: &Arc<Connection>) -> Transaction {
    Transaction::new(Arc::clone(connection), Mode::Write { bucket: 0, is_strict: false })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_failed_is_not_said_to_be_committed() {
    let Some(database) = Database::new() else { return };
    let [connection] = connect(&database).await;
    let mut transaction = writing(&connection);
    transaction.change(INSERT, &[Param::Int(2)]).await.unwrap();
    transaction.change(INSERT, &[Param::Int(1)]).await.unwrap_err();
    assert!(matches!(transaction.commit(None).await, Err(NotCommitted::Undone(..))));
    // The same if the change failed after the use case had gone on: its result arrives with that of the COMMIT.
    let mut transaction = writing(&connection);
    transaction.change(INSERT, &[Param::Int(3)]).await.unwrap();
    transaction.send(INSERT, &[Param::Int(1)]).await.unwrap();
    let outcome = transaction.commit(None).await;
    assert!(matches!(&outcome, Err(NotCommitted::Undone(StoreError::Violated(_), Some(Fault::Late)))));
    // The same if no statement of the transaction reported the failure: the COMMIT itself then fails.
    let mut transaction = writing(&connection);
    transaction.change(INSERT, &[Param::Int(4)]).await.unwrap();
    connection.rows(INSERT, &[Param::Int(1)]).await.unwrap_err();
    assert!(transaction.commit(None).await.is_err());
    // The same if the change was in a savepoint that is rolled back.
    let mut transaction = writing(&connection);
    transaction.change(INSERT, &[Param::Int(5)]).await.unwrap();
    transaction.then("SAVEPOINT use_case_part");
    transaction.send(INSERT, &[Param::Int(1)]).await.unwrap();
    assert!(transaction.roll_back_part().await.is_err());
    assert!(matches!(transaction.take_fault(), Some((Fault::Late, StoreError::Violated(_)))));
    transaction.roll_back().await;
    assert_eq!(database.query("SELECT x FROM a").len(), 1);
    assert!(!connection.is_lost());
    // A savepoint that is rolled back after an awaited failure leaves the transaction as it was.
    let mut transaction = writing(&connection);
    transaction.change(INSERT, &[Param::Int(6)]).await.unwrap();
    transaction.then("SAVEPOINT use_case_part");
    transaction.change(INSERT, &[Param::Int(1)]).await.unwrap_err();
    transaction.roll_back_part().await.unwrap();
    transaction.then("RELEASE use_case_part");
    // A statement that is new to the connection is prepared in the transaction.
    assert_eq!(transaction.rows("SELECT x + 0 FROM a", &[]).await.unwrap().len(), 2);
    assert!(transaction.commit(None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_dropped_leaves_no_lock() {
    let Some(database) = Database::new() else { return };
    let [first, second] = connect(&database).await;
    let mut transaction = writing(&first);
    transaction.change(INSERT, &[Param::Int(2)]).await.unwrap();
    drop(transaction);
    assert!(first.is_lost());
    let mut transaction = writing(&second);
    while transaction.change(INSERT, &[Param::Int(2)]).await.is_err() {
        transaction.roll_back().await;
        transaction = writing(&second);
    }
    assert!(transaction.commit(None).await.is_ok());
    assert_eq!(database.query("SELECT x FROM a").len(), 2);
}
