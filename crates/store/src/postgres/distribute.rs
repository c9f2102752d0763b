//! Sharding: distributes the tables over the nodes of a PostgreSQL database with the extension Citus.
//!
//! | tables | distribution |
//! |---|---|
//! | with rows of tenants | sharded by organization, colocated with `organizations` |
//! | queried without an organization | one shard each, on the coordinator |
//!
//! So all rows of one tenant are on one node, and a request involves the coordinator and that node alone: a lost worker
//! stops its own tenants. No query of a request joins tables of both kinds. The tables on the coordinator are known to
//! Citus, so that a transaction that changes one of them and a tenant is committed in two phases.

use super::connection::Connection;
use super::limits::MIGRATION;
use crate::StoreError;
use crate::schema::{Catalog, Table};
use crate::value::Param;

/// The table with which the other tenant tables are colocated.
const FIRST: &str = "organizations";

/// The distribution of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharding<'a> {
    Central,
    By { column: &'a str, beside: &'a str },
}

fn spread(table: &Table) -> Option<Sharding<'_>> {
    if table.is_central() {
        return Some(Sharding::Central);
    }
    let column = table.key_columns().next()?.name.as_str();
    let beside = if table.name == FIRST { "none" } else { FIRST };
    Some(Sharding::By { column, beside })
}

/// The distribution of each table, in the order in which it must be applied.
fn plan(catalogue: &Catalog) -> Vec<(&str, Sharding<'_>)> {
    let first = catalogue.tables.iter().filter(|table| table.name == FIRST);
    let others = catalogue.tables.iter().filter(|table| table.name != FIRST);
    first.chain(others).filter_map(|table| Some((table.name.as_str(), spread(table)?))).collect()
}

/// Distributes every table that is not distributed yet. Returns their names.
pub(super) async fn distribute(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let catalogue = Catalog::now()?;
    if !found(connection, "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = ?1", "citus").await? {
        return Err(StoreError::Unavailable(
            "tables can be spread with the extension Citus only, which this database does not have: put citus \
             into shared_preload_libraries of every node, add the workers, and run CREATE EXTENSION citus"
                .into(),
        ));
    }
    let mut done = Vec::new();
    for (table, spread) in plan(&catalogue) {
        let is_spread = "SELECT 1 FROM pg_catalog.pg_dist_partition WHERE logicalrelid = to_regclass(?1)";
        // Citus also lists tables that it registered because of another table's foreign key. They are not yet
        // distributed.
        let of_tenants = format!("{is_spread} AND partmethod = 'h'");
        let is_done = if spread == Sharding::Central { is_spread } else { &of_tenants };
        if found(connection, is_done, table).await? {
            continue;
        }
        let begin = format!(
            "BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}",
            limit = MIGRATION.statement_ms
        );
        connection.run(&begin).await?;
        match spread {
            Sharding::Central => {
                let sql = "SELECT citus_add_local_table_to_metadata(CAST(?1 AS regclass))";
                ask(connection, sql, &[table]).await?;
            }
            Sharding::By { column, beside } => {
                let sql = "SELECT create_distributed_table(CAST(?1 AS regclass), ?2, colocate_with => ?3)";
                ask(connection, sql, &[table, column, beside]).await?;
            }
        }
        connection.run("COMMIT").await?;
        done.push(table.to_owned());
    }
    Ok(done)
}

async fn found(connection: &Connection, sql: &str, name: &str) -> Result<bool, StoreError> {
    Ok(connection.number(sql, &[Param::Text(name)]).await?.is_some())
}

async fn ask(connection: &Connection, sql: &str, names: &[&str]) -> Result<(), StoreError> {
    let names: Vec<Param<'_>> = names.iter().map(|name| Param::Text(name)).collect();
    connection.rows(sql, &names).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_spread_once_and_tenants_lie_beside_their_organization() {
        let catalogue = Catalog::now().unwrap();
        let plan = plan(&catalogue);
        assert_eq!(plan.len(), catalogue.tables.len());
        assert_eq!(plan[0], (FIRST, Sharding::By { column: "id", beside: "none" }));
        for (table, spread) in &plan[1..] {
            match spread {
                Sharding::Central => assert!(catalogue.table(table).unwrap().is_central()),
                Sharding::By { column, beside } => {
                    assert_eq!((*column, *beside), ("organization_id", FIRST), "{table}");
                }
            }
        }
    }
}
