//! The catalog that backup and copy use knows every table and column, and rows are inserted exactly as they were read.

use tenantry_core::member::MemberRole;
use tenantry_store::{Catalog, ColumnValue};

use crate::doctor::sound;
use crate::fixtures::*;
use crate::idempotency::with_vault;
use crate::support::Database;

on_every_engine!(
    the_catalog_equals_the_schema,
    rows_are_read_in_batches_and_inserted_again,
    a_snapshot_does_not_see_later_writes,
    nothing_is_changed_through_a_snapshot,
);

async fn the_catalog_equals_the_schema(database: Database) {
    database.open().await.close().await;
    let (catalog, schema) = (Catalog::now().unwrap(), database.tables());
    let known: Vec<&str> = schema.keys().map(String::as_str).collect();
    let mut named: Vec<&str> = catalog.tables.iter().map(|table| table.name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, known);
    for table in &catalog.tables {
        let (columns, key) = &schema[&table.name];
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            names,
            columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            "{}",
            table.name
        );
        for (column, (_, kinds)) in table.columns.iter().zip(columns) {
            assert!(kinds.contains(&column.kind), "{}.{}", table.name, column.name);
        }
        let named: Vec<&str> = table.key_columns().map(|column| column.name.as_str()).collect();
        assert_eq!(&named, key, "{}", table.name);
    }
}

async fn rows_are_read_in_batches_and_inserted_again(database: Database) {
    let (store, other) = (with_vault(&database).await, database.another());
    sound(&store).await;
    let target = other.open().await;
    let mut snapshot = store.snapshot().await.unwrap();
    for table in Catalog::now().unwrap().tables {
        let whole = snapshot.tx().unwrap().rows_after(&table, None, 1_000).await.unwrap();
        let (mut parts, mut after): (Vec<Vec<ColumnValue>>, _) = (Vec::new(), None);
        loop {
            let part = snapshot.tx().unwrap().rows_after(&table, after.as_deref(), 2).await.unwrap();
            let Some(last) = part.last() else { break };
            after = Some(table.key_of(last));
            parts.extend(part);
        }
        assert_eq!(parts, whole, "{}", table.name);
        assert_eq!(snapshot.tx().unwrap().rows_count(&table).await.unwrap(), parts.len() as i64);
        assert_eq!(snapshot.tx().unwrap().rows_exist(&table).await.unwrap(), !parts.is_empty());
        run!(target, (table, parts), |(table, rows), tx, _| Ok(tx.rows_insert(table, rows).await?)).unwrap();
    }
    drop(snapshot);
    let data = |dump: Vec<String>| -> Vec<String> {
        dump.into_iter().filter(|row| !row.starts_with("schema_migrations")).collect()
    };
    assert_eq!(data(database.dump()), data(other.dump()));
    // A row is deleted before the row that it refers to.
    for table in Catalog::now().unwrap().tables.into_iter().rev() {
        while run!(target, table.clone(), |table, tx, _| Ok(tx.rows_delete(table, 2).await?)).unwrap() > 0 {}
    }
    assert!(data(other.dump()).is_empty());
}

async fn a_snapshot_does_not_see_later_writes(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let mut snapshot = store.snapshot().await.unwrap();
    let customer = customer(1, 1);
    add_customer(&store, &customer).await;
    add_member(&store, &member(&customer, 1, MemberRole::Owner)).await;
    let find = async |tx: &mut tenantry_store::Tx<'_>| {
        tx.customer(organization_id(1), customer_id(1)).await.unwrap().is_some()
    };
    assert!(!find(&mut snapshot.tx().unwrap()).await);
    assert!(snapshot.tx().unwrap().organization(organization_id(1)).await.unwrap().is_some());
    drop(snapshot);
    assert!(find(&mut store.snapshot().await.unwrap().tx().unwrap()).await);
}

async fn nothing_is_changed_through_a_snapshot(database: Database) {
    let store = database.open().await;
    let mut snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.tx().unwrap().organization_insert(&organization(1)).await.is_err());
    drop(snapshot);
    add_organization(&store, 1).await;
}
