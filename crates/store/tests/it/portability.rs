//! The SQL stays portable to engines that speak PostgreSQL's protocol and shard by tenant. The tests parse the texts
//! of the migrations and of the queries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tenantry_store::Catalog;

use crate::portability_rules as rules;

use rules::{names_tenant, tenant_column, unrestricted};

/// Whether a table is read without knowing the organization.
fn is_central(table: &str) -> bool {
    let catalog = Catalog::now().unwrap();
    catalog.table(table).unwrap_or_else(|| panic!("no table {table}")).is_central()
}

/// Features that some of those engines lack, or that depend on rows of several tenants.
const NOT_PORTABLE: [&str; 10] = [
    "ADVISORY",
    "SERIAL",
    "CREATE SEQUENCE",
    "NEXTVAL",
    "TRIGGER",
    "AUTOINCREMENT",
    "GENERATED",
    "INHERITS",
    "UNLOGGED",
    "EXCLUDE",
];

fn texts(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The statements of all migrations, without comments, each on one line.
fn statements() -> Vec<String> {
    let mut found = Vec::new();
    for text in texts("migrations", "sql").values() {
        let lines: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap()).collect();
        let whole = lines.join(" ");
        found.extend(whole.split(';').map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    found.retain(|statement| !statement.is_empty());
    found
}

/// The name after `keyword`, and the rest.
fn after<'a>(statement: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let rest = statement.strip_prefix(keyword)?.trim_start();
    let end = rest.find([' ', '(']).unwrap_or(rest.len());
    Some((&rest[..end], rest[end..].trim_start()))
}

/// The tables of tenants.
fn tenant_tables() -> BTreeSet<String> {
    let made = statements();
    let tables = made.iter().filter_map(|statement| after(statement, "CREATE TABLE"));
    tables.map(|(name, _)| name.to_owned()).filter(|name| !is_central(name)).collect()
}

#[test]
fn migrations_use_nothing_that_only_one_engine_has() {
    for statement in statements() {
        let words = format!("{} ", statement.to_uppercase());
        for feature in NOT_PORTABLE {
            assert!(!words.contains(feature), "{feature} in: {statement}");
        }
    }
}

#[test]
fn the_primary_key_of_a_tenants_table_begins_with_the_tenant() {
    let made = statements();
    for (table, columns) in made.iter().filter_map(|statement| after(statement, "CREATE TABLE")) {
        let key = columns.split("PRIMARY KEY (").nth(1).unwrap_or_else(|| panic!("{table} has no key"));
        let first = key.split([',', ')']).next().unwrap();
        if !is_central(table) {
            assert_eq!(first, tenant_column(table), "{table}");
        }
        assert!(columns.contains(&format!("CONSTRAINT {table}_pkey PRIMARY KEY")), "{table} names its key");
    }
}

#[test]
fn a_unique_index_of_a_tenants_table_begins_with_the_tenant() {
    let mut seen = 0;
    for statement in statements() {
        let Some((index, rest)) = after(&statement, "CREATE UNIQUE INDEX") else { continue };
        let (table, columns) = after(rest, "ON").unwrap();
        if is_central(table) {
            continue;
        }
        let first = columns.trim_start_matches('(').split([',', ')']).next().unwrap();
        assert_eq!(first, tenant_column(table), "{index}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

/// The functions of a file of queries, by name. The text before the first function has an empty name.
fn functions(text: &str) -> Vec<(String, &str)> {
    let starts: Vec<usize> = text.match_indices("fn ").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let named = starts.iter().zip(ends).filter_map(|(start, end)| {
        let body = &text[*start..end];
        let name: String = body[3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (!name.is_empty()).then_some((name, body))
    });
    let head = &text[..starts.first().copied().unwrap_or(text.len())];
    [(String::new(), head)].into_iter().chain(named).collect()
}

/// The string literals of a function.
fn literals(body: &str) -> Vec<&str> {
    body.split('"').skip(1).step_by(2).collect()
}

const SECTION: &str = "## Queries over several tenants";

/// The functions with a query over several tenants, as `docs/OPERATIONS.md` lists them.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split(SECTION).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn queries_name_the_tenant_at_every_level_except_those_that_are_documented() {
    let tables: Vec<String> = tenant_tables().into_iter().collect();
    let (mut over, mut seen) = (BTreeSet::new(), 0);
    for text in texts("src/queries", "rs").values() {
        for (name, body) in functions(text) {
            // A query that is built at run time is restricted to tenants by `Query::organizations`, or by the
            // constant CONDITION.
            let is_restricted = body.contains(".organizations(\"")
                || (body.contains("{CONDITION}") && names_tenant(body, ""));
            for query in literals(body) {
                seen += usize::from(tables.iter().any(|table| rules::uses_table(query, table)));
                // A query with a variable table name may read any table.
                let is_open = !unrestricted(query, &tables, is_restricted).is_empty()
                    || (query.contains("FROM {table}") && !names_tenant(query, "") && !is_restricted);
                if is_open {
                    over.insert(name.clone());
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
    assert_eq!(over, documented(), "docs/OPERATIONS.md, {SECTION}");
}

#[test]
fn queries_have_the_forms_that_a_sharding_engine_accepts() {
    let documented = documented();
    for (file, text) in texts("src/queries", "rs") {
        for (name, body) in functions(&text) {
            let several = documented.contains(&name) || body.contains(".organizations(\"");
            for query in literals(body) {
                assert_eq!(rules::fault(query), None, "{file}, {name}: {query}");
                if several {
                    assert_eq!(rules::fault_over_several(query), None, "{file}, {name}: {query}");
                }
            }
            assert!(
                !several || !body.contains("for_update()"),
                "{file}, {name} locks rows of several tenants"
            );
        }
    }
}

#[test]
fn names_leave_room_for_a_shard() {
    let (mut tables, mut others) = (BTreeSet::new(), BTreeSet::new());
    for statement in statements() {
        assert_eq!(rules::fault_of_migration(&statement), None, "{statement}");
        let words: Vec<&str> = statement.split([' ', '(', ')', ',']).collect();
        for pair in words.windows(2) {
            match pair {
                ["TABLE", name] => drop(tables.insert((*name).to_owned())),
                ["CONSTRAINT" | "INDEX", name] => drop(others.insert((*name).to_owned())),
                _ => {}
            }
        }
    }
    assert!(tables.len() > 20 && others.len() > 40, "{tables:?} {others:?}");
    for name in tables.iter().chain(&others) {
        assert_eq!(rules::fault_of_name(name), None, "{name}");
    }
    // A violated constraint is recognised by its name in the message, which contains the table's name as well.
    assert_eq!(tables.intersection(&others).next(), None);
}
