//! Distributed tables: on the nodes of a Citus cluster, or on partitions by a stand-in where there is no Citus.

use tenantry_core::member::MemberRole;
use tenantry_store::Catalog;

use crate::fixtures::*;
use crate::nodes::run_deadlocking_use_cases;
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

    let distributed = database.distribute().await;
    if let Err(error) = refused {
        assert!(error.to_string().contains("with the extension Citus only"), "{error}");
        assert_eq!(distributed.len(), Catalog::now().unwrap().tables.len());
    }
    assert_eq!(database.distribute().await, Vec::<String>::new());
    let store = database.open().await;
    assert_eq!(read!(store, member(team.organization, owner.id)).as_ref(), Some(&owner));
    assert_eq!(read!(store, customer(team.organization, team.id)).map(|found| found.id), Some(team.id));
}

/// A worker that does not answer is counted, and writes that involve no worker go on.
#[tokio::test]
async fn lost_workers_are_counted() {
    let Some(database) = Database::postgres().filter(|database| !database.is_distributed()) else { return };
    let undistributed = database.open().await;
    assert_eq!(undistributed.lost_servers().await.unwrap(), 0, "a database without workers");
    undistributed.close().await;

    database.distribute().await;
    let store = database.open().await;
    assert_eq!(store.lost_servers().await.unwrap(), 0);
    database.sql("UPDATE pg_catalog.stand_in_workers SET is_alive = false WHERE port = 2");
    assert_eq!(store.lost_servers().await.unwrap(), 1);
    database.sql("UPDATE pg_catalog.stand_in_workers SET is_alive = true");
    assert_eq!(store.lost_servers().await.unwrap(), 0);
}

/// A use case that waits for a row of another transaction leaves its batch, on every node.
#[tokio::test]
async fn deadlocking_use_cases_all_take_effect_once() {
    let Some(database) = Database::postgres() else { return };
    database.distribute().await;
    run_deadlocking_use_cases(database).await;
}
