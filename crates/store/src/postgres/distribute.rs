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
use super::limits::MIGRATION_MS;
use super::values::value;
use crate::StoreError;
use crate::error::unexpected;
use crate::schema::{Catalog, Table};
use crate::value::{Param, Value};

/// The tables that are queried without an organization.
const CENTRAL: [&str; 8] = [
    "installation",
    "users",
    "user_tokens",
    "user_organizations",
    "former_team_members",
    "user_deletions",
    "organization_slugs",
    "credentials",
];
/// The table with which the other tenant tables are colocated.
const FIRST: &str = "organizations";

/// The distribution of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharding<'a> {
    Central,
    By { column: &'a str, beside: &'a str },
}

fn spread(table: &Table) -> Option<Sharding<'_>> {
    if CENTRAL.contains(&table.name.as_str()) {
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
            "BEGIN; SET LOCAL statement_timeout = {MIGRATION_MS}; SET LOCAL lock_timeout = {MIGRATION_MS}"
        );
        connection.run(&begin).await.map_err(|(error, _)| error)?;
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
        connection.run("COMMIT").await.map_err(|(error, _)| error)?;
        done.push(table.to_owned());
    }
    Ok(done)
}

async fn found(connection: &Connection, sql: &str, name: &str) -> Result<bool, StoreError> {
    let counted = sql.replacen("SELECT 1", "SELECT count(*)", 1);
    let rows = connection.rows(&counted, &[Param::Text(name)]).await.map_err(|(error, _)| error)?;
    let first = rows.first().ok_or_else(|| unexpected("no row"))?;
    Ok(matches!(value(first, 0)?, Value::Int(count) if count > 0))
}

async fn ask(connection: &Connection, sql: &str, names: &[&str]) -> Result<(), StoreError> {
    let names: Vec<Param<'_>> = names.iter().map(|name| Param::Text(name)).collect();
    connection.change(sql, &names).await.map(|_| ()).map_err(|(error, _)| error)
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
                Sharding::Central => assert!(CENTRAL.contains(table)),
                Sharding::By { column, beside } => {
                    assert_eq!((*column, *beside), ("organization_id", FIRST), "{table}");
                }
            }
        }
    }
}
