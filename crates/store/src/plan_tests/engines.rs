//! Test databases with several kinds of statistics, and the plans that the engines choose in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rusqlite::{Connection, OpenFlags};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_testkit::Postgres;

use super::{Access, Statement};
use crate::postgres::PLANNING;
use crate::postgres::values::id_digits;
use crate::{Catalog, ColumnKind, Moments, Table, sqlite};

type Plans = BTreeMap<Statement, BTreeSet<Access>>;

pub(super) fn moments() -> Moments {
    std::sync::Arc::new(|| ExecutionContext::new(Timestamp::from_micros(1), [0; 32]))
}

/// A migrated database in memory.
pub(super) fn sqlite() -> Connection {
    let mut connection = Connection::open_with_flags(":memory:", OpenFlags::default()).unwrap();
    sqlite::migrate(&mut connection, &moments()).unwrap();
    connection
}

pub(super) fn explained_by_sqlite(connection: &Connection, statements: &BTreeSet<Statement>) -> Plans {
    let mut plans = Plans::new();
    for statement in statements {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
        let nulls = vec![rusqlite::types::Null; statement.types.len()];
        let details = explained.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3));
        let accesses = details.unwrap().filter_map(|detail| sqlite_access(&detail.unwrap())).collect();
        plans.insert(statement.clone(), accesses);
    }
    plans
}

/// The access that a line such as `SEARCH m USING INDEX members_email (organization_id=?)` describes.
fn sqlite_access(detail: &str) -> Option<Access> {
    if detail.starts_with("USE TEMP B-TREE FOR ORDER BY") {
        return Some(Access::Sort);
    }
    let rest = detail.strip_prefix("SEARCH ").or_else(|| detail.strip_prefix("SCAN "))?;
    let Some((_, rest)) = rest.split_once(" INDEX ") else {
        // Subqueries and the list of an IN are not tables.
        let is_table = !rest.starts_with('(')
            && !rest.contains("CONSTANT")
            && !rest.contains("waiting")
            && !rest.contains("VALUES");
        return is_table.then(|| Access::Scan(rest.to_owned()));
    };
    let (index, condition) = rest.split_once(' ').unwrap_or((rest, ""));
    let of_key = index.strip_prefix("sqlite_autoindex_").and_then(|index| index.strip_suffix("_1"));
    Some(Access::Index(
        of_key.map_or(index.to_owned(), |table| format!("{table}_pkey")),
        condition.to_owned(),
    ))
}

/// A migrated database without autovacuum, so that only the test changes its statistics.
pub(super) async fn postgres() -> Option<Postgres> {
    let database = Postgres::new()?;
    database.open(moments()).await.unwrap().close().await;
    let off = |table: &std::sync::Arc<Table>| {
        format!("ALTER TABLE {} SET (autovacuum_enabled = off); ", table.name)
    };
    drop(database.query(&Catalog::now().unwrap().tables.iter().map(off).collect::<String>()));
    Some(database)
}

/// A step that adds rows or gathers statistics.
pub(super) struct Statistics {
    pub(super) name: &'static str,
    /// The number of rows to add to each table, and whether they all belong to one tenant.
    rows: (usize, bool),
    is_analyzed: bool,
}

/// The steps, applied one after another to the same database.
pub(super) const STATISTICS: &[Statistics] = &[
    Statistics { name: "missing", rows: (0, false), is_analyzed: false },
    Statistics { name: "missing, one tenant with 30,000 rows", rows: (30_000, true), is_analyzed: false },
    Statistics { name: "of one large tenant", rows: (0, true), is_analyzed: true },
];

/// Steps for a database whose statistics are older than its rows.
pub(super) const OUTDATED_STATISTICS: &[Statistics] = &[
    Statistics { name: "of an empty database", rows: (0, false), is_analyzed: true },
    Statistics { name: "of three tenants", rows: (3, false), is_analyzed: true },
    Statistics { name: "of three tenants, then 3,000 rows", rows: (3_000, true), is_analyzed: false },
    Statistics { name: "of three tenants, then 30,000 rows", rows: (30_000, true), is_analyzed: false },
];

impl Statistics {
    pub(super) fn prepare(&self, database: &Postgres) {
        let (rows, is_one_tenant) = self.rows;
        let mut sql = String::from("SET session_replication_role = replica; ");
        for table in Catalog::now().unwrap().tables.iter().filter(|_| rows > 0) {
            let values: Vec<String> = table
                .columns
                .iter()
                .map(|column| value(&table.name, &column.name, column.kind, is_one_tenant))
                .collect();
            let _ = write!(
                sql,
                "INSERT INTO {} SELECT {} FROM generate_series({rows}, {rows} * 2 - 1) AS i; ",
                table.name,
                values.join(", ")
            );
        }
        drop(database.query(&sql));
        if self.is_analyzed {
            drop(database.query("ANALYZE"));
        }
    }
}

/// The expression for a column of row `i`.
fn value(table: &str, column: &str, kind: ColumnKind, is_one_tenant: bool) -> String {
    let is_shared = column == "organization_id"
        && !["user_organizations", "mail_queues", "organization_imports"].contains(&table)
        || column == "customer_id" && table == "members"
        || column == "endpoint_id" && table != "webhook_queues";
    let fixed = match (table, column) {
        (_, "deleted_at" | "anonymized_at" | "parent_id")
        | ("webhook_events" | "webhook_queues", "due_at")
        | ("invitations", "settled_at" | "accepted_by_user_id")
        | ("user_tokens", "notice_at") => "NULL",
        ("customers", "kind") => "'team'",
        ("customer_imports", "state") => "'completed'",
        ("invitations", "state") => "'pending'",
        ("customer_imports", "format") => "'csv'",
        (_, "on_match") => "'skip'",
        (_, "role") => "'member'",
        (_, "state") => "'succeeded'",
        (_, "format") => "'raw'",
        (_, "queue") => "'retries'",
        (_, "step") => "'members'",
        (_, "sub_account_count") => "0",
        ("members", "is_of_individual") => "false",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    match kind {
        ColumnKind::Id if is_one_tenant && is_shared => {
            "CAST('00000000-0000-4000-8000-000000000001' AS uuid)".to_owned()
        }
        ColumnKind::Id => "gen_random_uuid()".to_owned(),
        ColumnKind::Bytes => "decode(lpad(to_hex(i), 64, '0'), 'hex')".to_owned(),
        ColumnKind::Time | ColumnKind::Int => "i".to_owned(),
        ColumnKind::Bool => "true".to_owned(),
        ColumnKind::Text => format!("'{column}' || i"),
    }
}

pub(super) fn explained_by_postgres(database: &Postgres, statements: &BTreeSet<Statement>) -> Plans {
    let mut sql = format!("SET plan_cache_mode = force_generic_plan; {PLANNING} ");
    for (number, Statement { sql: text, types, .. }) in statements.iter().enumerate() {
        let mut text = text.replace('?', "$");
        for column in ["d.id", "d.event_id"] {
            text = text.replace(&format!("hex({column})"), &id_digits(column));
        }
        let typed = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
        let nulls = if types.is_empty() {
            String::new()
        } else {
            format!("({})", vec!["NULL"; types.len()].join(", "))
        };
        let _ =
            write!(sql, "PREPARE s{number}{typed} AS {text}; SELECT '@'; EXPLAIN EXECUTE s{number}{nulls}; ");
    }
    let rows: Vec<String> = database.query(&sql).into_iter().flatten().flatten().collect();
    let explained: Vec<&[String]> = rows.split(|line| line == "@").skip(1).collect();
    assert_eq!(explained.len(), statements.len());
    statements.iter().cloned().zip(explained.into_iter().map(postgres_accesses)).collect()
}

fn postgres_accesses(lines: &[String]) -> BTreeSet<Access> {
    let mut found = Vec::new();
    for line in lines {
        let line = line.trim_start_matches([' ', '-', '>']);
        if let Some(table) = line.strip_prefix("Seq Scan on ") {
            found.push(Access::Scan(table.split(' ').next().unwrap_or_default().to_owned()));
        } else if let Some((_, rest)) =
            line.split_once("Bitmap Index Scan on ").or_else(|| line.split_once(" using "))
        {
            let index = rest.split(' ').next().unwrap_or_default();
            found.push(Access::Index(index.to_owned(), String::new()));
        } else if let Some(condition) = line.strip_prefix("Index Cond: ")
            && let Some(Access::Index(_, bound)) = found.last_mut()
        {
            condition.clone_into(bound);
        } else if line.starts_with("Sort  (") {
            found.push(Access::Sort);
        }
    }
    found.into_iter().collect()
}
