//! Tables that are spread over the nodes of a Citus, or over partitions by a stand-in where there is none.

use tenantry_core::member::MemberRole;
use tenantry_store::Catalog;

use crate::fixtures::*;
use crate::nodes::operations_that_block_each_other;
use crate::support::Database;

#[tokio::test]
async fn tables_are_distributed_once_with_their_rows() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    let (team, owner) = (customer(1, 1), member(&customer(1, 1), 1, MemberRole::Owner));
    add_customer(&store, &team).await;
    add_member(&store, &owner).await;
    let refused = store.distribute_tables().await;
    store.close().await;

    let spread = database.spread().await;
    if let Err(error) = refused {
        assert!(error.to_string().contains("with the extension Citus only"), "{error}");
        assert_eq!(spread.len(), Catalog::now().unwrap().tables.len());
    }
    assert_eq!(database.spread().await, Vec::<String>::new());
    let store = database.open().await;
    assert_eq!(read!(store, member(team.organization, owner.id)).as_ref(), Some(&owner));
    assert_eq!(read!(store, customer(team.organization, team.id)).map(|found| found.id), Some(team.id));
}

/// A worker that does not answer is counted, and writes that involve no worker go on.
#[tokio::test]
async fn lost_workers_are_counted() {
    let Some(database) = Database::postgres().filter(|database| !database.is_distributed()) else { return };
    let alone = database.open().await;
    assert_eq!(alone.lost_servers().await.unwrap(), 0, "a database without workers");
    alone.close().await;

    database.spread().await;
    let store = database.open().await;
    assert_eq!(store.lost_servers().await.unwrap(), 0);
    database.sql("UPDATE pg_catalog.stand_in_workers SET is_alive = false WHERE port = 2");
    assert_eq!(store.lost_servers().await.unwrap(), 1);
    database.sql("UPDATE pg_catalog.stand_in_workers SET is_alive = true");
    assert_eq!(store.lost_servers().await.unwrap(), 0);
}

/// A use case that waits for another transaction's row leaves its batch, on every node.
#[tokio::test]
async fn operations_that_block_each_other_all_happen_once() {
    let Some(database) = Database::postgres() else { return };
    database.spread().await;
    operations_that_block_each_other(database).await;
}
