//! Sharding: distributes the tables over the nodes of a PostgreSQL database with the extension Citus.
//!
//! | tables | distribution |
//! |---|---|
//! | with rows of tenants | sharded by organization, colocated with `organizations` |
//! | queried without an organization, small | reference tables: a copy on every node |
//! | `credentials`: queried without an organization, large | sharded by the hash of the secret |
//!
//! So all rows of one tenant are on one node.

use super::connection::Connection;
use super::limits::MIGRATION_MS;
use super::values::value;
use crate::StoreError;
use crate::error::unexpected;
use crate::schema::{Catalog, Table};
use crate::value::{Param, Value};

/// The reference tables: small, with a copy on every node.
const COPIED: [&str; 5] =
    ["installation", "users", "user_tokens", "user_organizations", "organization_slugs"];
/// The table with which the other tenant tables are colocated.
const FIRST: &str = "organizations";
/// The table that is sharded by its own key, not by organization.
const ALONE: &str = "credentials";

/// The distribution of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharding<'a> {
    Copied,
    By { column: &'a str, beside: &'a str },
}

fn spread(table: &Table) -> Option<Sharding<'_>> {
    if COPIED.contains(&table.name.as_str()) {
        return Some(Sharding::Copied);
    }
    let column = table.key_columns().next()?.name.as_str();
    let beside = if [FIRST, ALONE].contains(&table.name.as_str()) { "none" } else { FIRST };
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
        // The catalog also lists local tables that Citus manages, which are not distributed.
        let is_spread = "SELECT 1 FROM pg_catalog.pg_dist_partition
            WHERE logicalrelid = to_regclass(?1) AND (partmethod = 'h' OR repmodel = 't')";
        if found(connection, is_spread, table).await? {
            continue;
        }
        let begin = format!(
            "BEGIN; SET LOCAL statement_timeout = {MIGRATION_MS}; SET LOCAL lock_timeout = {MIGRATION_MS}"
        );
        connection.run(&begin).await.map_err(|(error, _)| error)?;
        match spread {
            Sharding::Copied => {
                ask(connection, "SELECT create_reference_table(CAST(?1 AS regclass))", &[table]).await?
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
                Sharding::Copied => assert!(COPIED.contains(table)),
                Sharding::By { column, .. } if *table == ALONE => assert_eq!(*column, "secret_hash"),
                Sharding::By { column, beside } => {
                    assert_eq!((*column, *beside), ("organization_id", FIRST), "{table}");
                }
            }
        }
    }
}
