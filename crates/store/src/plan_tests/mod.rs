//! Tests of the plan of every query, under several kinds of statistics.
//!
//! A request must cost the same while its database grows, so every statement of the store must be planned with the
//! index that is meant for it. On PostgreSQL that holds whether statistics are missing, were gathered from an empty or
//! a small database, or from one that a single tenant fills; SQLite has none. The test calls every query on SQLite
//! ([`calls`]), records the texts, and has both engines explain each. `plans.txt` holds the intended indexes with the
//! columns that they are searched by: a line for each statement, with the engine where the two differ. To write the
//! file anew, run the tests on PostgreSQL with `TENANTRY_WRITE_PLANS=1`, and read what has changed.

mod calls;
mod engines;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor;
use crate::schema::migrations;
use crate::value::{Param, ParamType};
use crate::{Catalog, Tx, Vault};

/// A statement that a query ran, with the types of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    method: &'static str,
    sql: String,
    types: Vec<&'static str>,
}

thread_local! {
    static CALLED: RefCell<Option<(&'static str, BTreeSet<Statement>)>> = const { RefCell::new(None) };
}

/// Sets the query that the next recorded statements belong to.
fn called(name: &'static str) {
    CALLED.with_borrow_mut(|called| {
        if let Some((method, _)) = called {
            *method = name;
        }
    });
}

/// Records a statement, if the test records on this thread.
pub(crate) fn record(sql: &str, params: &[Param<'_>]) {
    CALLED.with_borrow_mut(|called| {
        let Some((method, statements)) = called else { return };
        let name = |param: &Param<'_>| match param.param_type() {
            ParamType::Bool => "boolean",
            ParamType::Int => "bigint",
            ParamType::Text => "text",
            ParamType::Bytes => "bytea",
            ParamType::Id => "uuid",
        };
        let types = params.iter().map(name).collect();
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        statements.insert(Statement { method, sql, types });
    });
}

/// Prepends the context to the text.
struct Prepend;

impl Vault for Prepend {
    fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        Some([context, text].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        sealed.strip_prefix(context).map(<[u8]>::to_vec)
    }
}

/// Every statement of every query.
async fn statements() -> BTreeSet<Statement> {
    let mut connection = engines::sqlite();
    connection.execute_batch("BEGIN").unwrap();
    CALLED.set(Some(("", BTreeSet::new())));
    calls::all(&mut Tx::sqlite(&mut connection, Some(&Prepend))).await;
    let (_, statements) = CALLED.take().unwrap();
    assert!(statements.len() > 150, "{}", statements.len());
    statements
}

/// The key columns of each index, by its name.
fn indexes() -> BTreeMap<String, Vec<String>> {
    let columns = |list: &str| -> Vec<String> {
        let list = list.split_once('(').unwrap().1.split_once(')').unwrap().0;
        list.split(',').map(|column| column.trim().to_owned()).collect()
    };
    let mut found = BTreeMap::new();
    for table in Catalog::now().unwrap().tables {
        let key = table.key_columns().map(|column| column.name.clone()).collect();
        found.insert(format!("{}_pkey", table.name), key);
    }
    for statement in migrations::texts().flat_map(|(_, text)| migrations::statements(text)) {
        let Some((_, rest)) = statement.split_once("INDEX ") else { continue };
        found.insert(rest.split(' ').next().unwrap().to_owned(), columns(rest));
    }
    found
}

/// One table access in a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    /// All rows of the table.
    Scan(String),
    /// The name of an index, and the condition on it.
    Index(String, String),
    /// A sort of all rows that were found. A page of one tenant's list must have its order from an index.
    Sort,
}

impl Access {
    /// The index and those of its leading columns that the condition binds, as in the file.
    fn shown(&self, indexes: &BTreeMap<String, Vec<String>>) -> String {
        match self {
            Self::Scan(table) => format!("SCAN {table}"),
            Self::Sort => "SORT".to_owned(),
            Self::Index(index, condition) => {
                let words: BTreeSet<&str> =
                    condition.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let columns = indexes.get(index).unwrap_or_else(|| panic!("no index {index}"));
                let bound: Vec<&str> =
                    columns.iter().map(String::as_str).take_while(|column| words.contains(column)).collect();
                format!("{index}({})", bound.join(", "))
            }
        }
    }

    /// Whether the access can read all rows of a table or of a tenant.
    fn is_wide(&self, indexes: &BTreeMap<String, Vec<String>>) -> bool {
        let shown = self.shown(indexes);
        let index = match self {
            Self::Scan(_) => return true,
            Self::Sort => return false,
            Self::Index(index, _) => index,
        };
        shown.ends_with("()") || indexes[index].len() > 1 && !shown.contains(", ")
    }
}

/// Queries that may read all rows of a tenant, or of a table, and why.
const WIDE: &[(&str, &str)] = &[
    ("access_tokens", "list of a tenant, in any order"),
    ("access_tokens_by_cursor", "list of a tenant"),
    ("any_organization", "the first row of a table"),
    ("audit_entries", "list of a tenant, by its primary key"),
    ("audit_entries_after", "list of a tenant, by its primary key"),
    ("audit_log", "list of a tenant, in tests"),
    ("audit_retentions", "the first rows of an index"),
    ("customer_sessions", "all sessions of a customer"),
    ("customer_sessions_delete", "all sessions of a customer"),
    ("user_organization_count", "list of a person"),
    ("user_email_changes", "the first rows of an index"),
    ("idempotency_delete_of_user", "the first rows of an index"),
    ("invitations", "list of a tenant, in any order"),
    ("invitations_delete_expired", "the first rows of an index"),
    ("invitations_delete_to", "the invitations for an address"),
    ("invitations_pending_count", "counts up to a limit"),
    ("invitations_waiting", "the first rows of an index"),
    ("customers", "list of a tenant, in any order"),
    ("customers_after", "list of a tenant, by its primary key"),
    ("mail_delete", "the first row of an index"),
    ("mail_delete_leased", "the first row of an index"),
    ("mail_postpone", "the first row of an index"),
    ("mail_next_due_of", "the queues of a tenant"),
    ("mails_delete_about", "the mails of an account that wait, which are limited"),
    ("mails_delete_all", "a restored database"),
    ("mails_delete_of", "the mails of an account that wait, which are limited"),
    ("mails_pending", "counts up to a limit"),
    ("members", "list of a tenant, by its primary key"),
    ("members_after", "list of a tenant, by its primary key"),
    ("operator_organizations", "lists of the operator"),
    ("organization_imports", "the organizations of an import"),
    ("organization_of_token", "a command of the operator"),
    ("organization_purge", "the last rows of an organization, which are few"),
    ("organization_rows_purge", "the first rows of an index"),
    ("organizations", "list of a person"),
    ("sub_account", "the size of a team"),
    ("sub_account_names", "list of a parent"),
    ("sub_account_slugs", "the first rows of an index"),
    ("sub_accounts_begin_purge", "the first rows of an index"),
    ("sub_accounts_by_cursor", "list of a parent; sizes of teams"),
    ("team", "list of a tenant"),
    ("team_oldest_first", "list of a tenant"),
    ("webhook_queues_purge", "the queues of an organization, which are limited"),
    ("webhook_events_delete_archived", "the first rows of an index"),
    ("customer_deletions", "the first rows of an index"),
    ("customer_import_delete", "the first rows of an import"),
    ("customer_imports_fail_all", "a restored database"),
    ("user_deletions", "the first rows of an index"),
    ("first_members_of_customer", "the first rows of an index"),
    ("mails_lease", "the first rows of an index"),
    ("webhook_endpoint_count", "the endpoints of a tenant"),
    ("team_size", "the size of a team"),
    ("user_organizations", "list of a person"),
    ("users", "lists of the operator"),
    ("tokens_of_user", "the tokens of a person"),
    ("console_sessions", "the sessions of a person"),
    ("console_delete_expired", "the first rows of an index"),
    ("passkeys", "the passkeys of a person"),
    ("passkeys_oldest", "the first rows of an index"),
    ("access_token_notices_due", "the first rows of an index"),
    ("user_token_notices_due", "the first rows of an index"),
    ("known_browsers", "the browsers of a person"),
    ("user_delete", "the browsers of a person"),
    ("recovery_code_count", "the recovery codes of a person"),
    ("recovery_codes_delete", "the recovery codes of a person"),
    ("recovery_codes_replace", "the recovery codes of a person"),
    ("user_owned_organizations", "list of a person"),
    ("organization_numbers", "the buckets of a counter"),
    ("former_team_member_first", "the first row of an index"),
    ("organization_update_owner", "the queues of a tenant"),
    ("user_organizations_of_owner", "list of a person"),
    ("credential_owner", "list of a person"),
    ("webhook_deliveries", "list of a tenant, by its primary key"),
    ("webhook_endpoints", "list of a tenant"),
    ("webhook_endpoints_subscribed", "the endpoints of a tenant"),
    ("webhook_events_pending", "a restored database"),
    ("webhook_queues_clear", "a restored database"),
    ("webhook_queues_of_deleted_delete", "the queues of a tenant"),
    ("customer_imports_due_of", "the imports of a tenant, whose number is limited"),
    ("customer_import_next_due_of", "the imports of a tenant, whose number is limited"),
    ("customer_import_chunks_delete", "the first rows of an import"),
    ("webhook_queues_due", "the leased queues of a tenant"),
    ("webhook_queues_of", "the queues of a tenant"),
];

/// Alternative plans that are accepted. They occur when one tenant and one endpoint own all rows, when nearly all mails
/// of the outbox are due, and in a restored database.
const ALSO: &[&str] = &[
    "webhook_deliveries: webhook_deliveries_pkey(organization_id) + webhook_endpoints_pkey(organization_id, id) + webhook_events_pkey(organization_id, id)",
    "webhook_queues_clear: webhook_endpoints_pkey() + webhook_queues_pkey()",
    "webhook_queues_of_deleted_delete: webhook_endpoints_pkey(organization_id, id) + webhook_queues_pkey(organization_id)",
];

fn plans_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan_tests/plans.txt")
}

/// The plans of one engine as lines of the file.
fn lines(plans: &BTreeMap<Statement, BTreeSet<Access>>) -> BTreeSet<String> {
    let indexes = indexes();
    let shown = plans.iter().filter(|(_, accesses)| !accesses.is_empty()).map(|(statement, accesses)| {
        let accesses: BTreeSet<String> = accesses.iter().map(|access| access.shown(&indexes)).collect();
        // Several tenants' rows may be sorted where those of one must not.
        let tenants = if statement.sql.contains("organization_id IN (") { " of several tenants" } else { "" };
        format!("{}{tenants}: {}", statement.method, accesses.into_iter().collect::<Vec<_>>().join(" + "))
    });
    shown.collect()
}

/// The lines of `plans.txt` that apply to an engine.
fn intended(engine: &str) -> BTreeSet<String> {
    let other = if engine == "sqlite" { "[postgres] " } else { "[sqlite] " };
    let own = format!("[{engine}] ");
    let text = fs::read_to_string(plans_file()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with(other));
    lines.map(|line| line.strip_prefix(&own).unwrap_or(line).to_owned()).collect()
}

/// Fails if a plan is not the intended one, or is wide and not listed in [`WIDE`].
fn check(engine: &str, statistics: &str, plans: &BTreeMap<Statement, BTreeSet<Access>>) {
    let (indexes, intended) = (indexes(), intended(engine));
    let mut faults = Vec::new();
    for (statement, accesses) in plans.iter().filter(|(_, accesses)| !accesses.is_empty()) {
        let is_wide = accesses.iter().any(|access| access.is_wide(&indexes));
        let may_be_wide = WIDE.iter().any(|(method, _)| *method == statement.method);
        let one = BTreeMap::from([(statement.clone(), accesses.clone())]);
        let line = lines(&one).into_iter().next().unwrap_or_default();
        if !intended.contains(&line) && !ALSO.contains(&line.as_str()) || is_wide && !may_be_wide {
            faults.push(format!("{line}\n    {}", statement.sql));
        }
    }
    assert!(faults.is_empty(), "{engine}, statistics {statistics}:\n{}", faults.join("\n"));
}

#[test]
fn every_query_is_called() {
    let texts = |folder: &str| {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect::<Vec<_>>()
    };
    let calls = format!("{}{}", include_str!("calls.rs"), texts("src/plan_tests/calls").concat());
    let mut count = 0;
    for text in texts("src/queries") {
        for (_, rest) in
            text.match_indices("pub async fn ").map(|(at, found)| text.split_at(at + found.len()))
        {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(calls.contains(&format!("tx.{name}(")), "{name} has no plan in `calls`");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// The only case for SQLite, which never has statistics: see `sqlite::driver`.
#[tokio::test]
async fn sqlite_plans_without_statistics() {
    let statements = statements().await;
    check("sqlite", "missing", &engines::explained_by_sqlite(&engines::sqlite(), &statements));
}

#[test]
fn the_doctor_reads_no_whole_organization_for_each_row() {
    let connection = engines::sqlite();
    for (table, fault) in doctor::conditions().filter(|(table, _)| *table != "organizations") {
        let query = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} AS t WHERE {fault}");
        let mut explained = connection.prepare(&query).unwrap();
        let details = explained.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let details: Vec<String> = details.map(Result::unwrap).collect();
        let whole = details.iter().find(|detail| {
            // The rows `t` of a list are searched by organization once.
            detail.starts_with("SEARCH ")
                && !detail.starts_with("SEARCH t ")
                && detail.ends_with("(organization_id=?)")
                // An organization has at most one such member.
                && !detail.contains("team_members_offered")
        });
        assert_eq!(whole, None, "{table}: {fault}");
    }
}

#[tokio::test]
async fn statistics_of_another_program_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenantry.db");
    let open = || crate::Store::open_sqlite(&path, engines::moments()).unwrap();
    open().close().await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("INSERT INTO installation VALUES ('a', x'00'); ANALYZE").unwrap();
    assert!(other.table_exists(None, "sqlite_stat1").unwrap());
    drop(other);
    open().close().await;
    let other = rusqlite::Connection::open(&path).unwrap();
    assert!(!other.table_exists(None, "sqlite_stat1").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_plans_depend_on_no_statistics() {
    let statements = statements().await;
    for steps in [engines::STATISTICS, engines::OUTDATED_STATISTICS] {
        let Some(database) = engines::postgres().await else { return };
        if std::env::var_os("TENANTRY_WRITE_PLANS").is_some() {
            write_plans(&database, &statements);
        }
        for statistics in steps {
            statistics.prepare(&database);
            check("postgres", statistics.name, &engines::explained_by_postgres(&database, &statements));
        }
    }
}

fn write_plans(database: &tenantry_testkit::Postgres, statements: &BTreeSet<Statement>) {
    let sqlite = lines(&engines::explained_by_sqlite(&engines::sqlite(), statements));
    let postgres = lines(&engines::explained_by_postgres(database, statements));
    let mut text: Vec<String> = sqlite.intersection(&postgres).cloned().collect();
    text.extend(sqlite.difference(&postgres).map(|line| format!("[sqlite] {line}")));
    text.extend(postgres.difference(&sqlite).map(|line| format!("[postgres] {line}")));
    fs::write(plans_file(), text.join("\n") + "\n").unwrap();
}
