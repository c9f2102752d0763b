//! Both engines have the same tables, columns, indexes and checks, and a schema that can be sharded.

use std::collections::BTreeSet;

use crate::support::Database;

/// Tables that are read before the tenant is known. Their keys do not begin with the organization.
const LOOKUPS: [&str; 6] = [
    "user_organizations",
    "former_team_members",
    "invitation_addresses",
    "organization_slugs",
    "credentials",
    "portal_sign_ins",
];

async fn catalog(database: &Database) -> BTreeSet<String> {
    database.open().await.close().await;
    database.catalog().into_iter().filter(|line| !line.contains("schema_migrations")).collect()
}

#[tokio::test]
async fn both_engines_have_one_schema() {
    let Some(postgres) = Database::on_one_server() else { return };
    let (sqlite, postgres) = (catalog(&Database::sqlite()).await, catalog(&postgres).await);
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    assert_eq!(only(&sqlite, &postgres), Vec::<String>::new(), "SQLite alone has these");
    assert_eq!(only(&postgres, &sqlite), Vec::<String>::new(), "PostgreSQL alone has these");
    assert!(sqlite.len() > 150, "{}", sqlite.len());
}

#[tokio::test]
async fn a_tenants_keys_begin_with_the_tenant() {
    let lines = catalog(&Database::sqlite()).await;
    let of_tenants: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("column ")?.split_once(".organization_id "))
        .map(|(table, _)| table)
        .filter(|table| !LOOKUPS.contains(table))
        .collect();
    assert!(of_tenants.contains("members") && of_tenants.len() > 10, "{of_tenants:?}");
    let mut looked_at = 0;
    for line in lines.iter().filter_map(|line| line.strip_prefix("unique ")) {
        let (table, columns) = (line.split_once('.').unwrap().0, line.split_once('(').unwrap().1);
        if of_tenants.contains(table) {
            looked_at += 1;
            assert!(columns.starts_with("organization_id"), "{line}");
        }
    }
    assert!(looked_at >= of_tenants.len(), "{looked_at}");
}

#[tokio::test]
async fn nothing_stands_in_the_way_of_sharding() {
    let Some(postgres) = Database::on_one_server() else { return };
    postgres.open().await.close().await;
    let unwanted = "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
         WHERE n.nspname = 'public' AND relkind NOT IN ('r', 'i')
         UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(postgres.query(unwanted), Vec::<Vec<Option<String>>>::new());
}

#[tokio::test]
async fn a_foreign_key_stays_within_a_tenant() {
    let Some(postgres) = Database::on_one_server() else { return };
    postgres.open().await.close().await;
    let all = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'";
    let all: Vec<String> = postgres.query(all).into_iter().flatten().flatten().collect();
    assert!(all.len() >= 10, "{all:?}");
    for key in all {
        let (from, to) = key.split_once(" REFERENCES ").unwrap();
        assert!(from.starts_with("FOREIGN KEY (organization_id"), "{key}");
        assert!(to.contains("(organization_id, ") || to == "organizations(id)", "{key}");
    }
}
