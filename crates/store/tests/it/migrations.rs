//! A migration only adds to the schema, because nodes of the previous release run on it during an upgrade. A later
//! release removes a part, with a mark that says why the part is unused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The newest migration of the first release. No release runs on an earlier schema.
const BASELINE: u32 = 1;
/// The first line of a migration that builds one index while others write.
const CONCURRENTLY: &str = "-- concurrently";
/// Comes before a statement that removes something: `-- contract: since N: REASON`. The program with migration N and
/// later programs do not need the removed part.
const CONTRACT: &str = "-- contract: since ";

/// The migrations, by number.
fn migrations() -> Vec<(u32, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut found: Vec<(u32, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let number = path.file_name().unwrap().to_str().unwrap()[..4].parse().unwrap();
            (number, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The statements, each on one line, with the mark before it.
fn statements(text: &str) -> Vec<(Option<&str>, String)> {
    let (mut found, mut mark, mut code) = (Vec::new(), None, String::new());
    for line in text.lines() {
        if let Some(given) = line.trim().strip_prefix(CONTRACT) {
            mark = Some(given);
        }
        for part in line.split("--").next().unwrap().split_inclusive(';') {
            code.push(' ');
            code.push_str(part.trim_end_matches(';'));
            if part.ends_with(';') {
                found.push((mark.take(), code.split_whitespace().collect::<Vec<_>>().join(" ")));
                code.clear();
            }
        }
    }
    if !code.trim().is_empty() {
        found.push((mark, code.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    found
}

/// A table's name in a statement, without the characters that follow it directly.
fn name(word: &str) -> &str {
    word.split('(').next().unwrap()
}

/// The part of a statement that breaks an older program on the schema; `None` if the statement only adds.
fn takes_away(statement: &str, made_here: &BTreeSet<String>, concurrently: bool) -> Option<&'static str> {
    let upper = statement.to_uppercase();
    let words: Vec<&str> = upper.split_whitespace().collect();
    let is_new = |table: &str| made_here.contains(&name(table).to_lowercase());
    let has = |what: &str| upper.contains(what);
    match words.as_slice() {
        ["CREATE", "TABLE", ..] => None,
        ["ALTER", "TABLE", table, ..] if is_new(table) => None,
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] if has("NOT NULL") && !has("DEFAULT") => {
            Some("rows that the older program makes lack the column")
        }
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] if has("CHECK") || has("UNIQUE") || has("PRIMARY KEY") => {
            Some("rows that the older program makes may be refused")
        }
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => None,
        ["CREATE", "INDEX", _, "ON", table, ..] | ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..]
            if is_new(table) =>
        {
            None
        }
        ["CREATE", "UNIQUE", ..] => Some("rows that the older program makes may be refused"),
        ["CREATE", "INDEX", ..] if !concurrently => Some("writers wait until the index is built"),
        ["CREATE", "INDEX", ..] => None,
        _ => Some("it changes what the older program works with"),
    }
}

/// Whether a mark names an earlier migration and a reason.
fn is_reason(mark: &str, number: u32) -> bool {
    mark.split_once(": ").is_some_and(|(since, reason)| {
        since.parse::<u32>().is_ok_and(|since| since < number) && !reason.trim().is_empty()
    })
}

/// The faults of a migration.
fn faults(number: u32, text: &str) -> Vec<String> {
    let concurrently = text.lines().next() == Some(CONCURRENTLY);
    let (mut faults, mut made_here) = (Vec::new(), BTreeSet::new());
    let statements = statements(text);
    if concurrently && (statements.len() != 1 || !statements[0].1.contains("INDEX")) {
        faults.push("what is marked as concurrent is not one index".to_owned());
    }
    for (mark, statement) in statements {
        if let Some(rest) = statement.strip_prefix("CREATE TABLE ") {
            made_here.insert(name(rest.split(' ').next().unwrap()).to_lowercase());
        }
        match (takes_away(&statement, &made_here, concurrently), mark) {
            (Some(_), Some(mark)) if is_reason(mark, number) => {}
            (Some(_), Some(mark)) => faults.push(format!("{mark}: no earlier migration, or no reason")),
            (Some(why), None) => faults.push(format!("{statement}: {why}")),
            (None, _) => {}
        }
    }
    faults
}

#[test]
fn a_migration_only_adds_to_the_schema_unless_it_says_why() {
    for (number, text) in migrations().iter().filter(|(number, _)| *number > BASELINE) {
        assert_eq!(faults(*number, text), Vec::<String>::new(), "migration {number}");
    }
    assert!(migrations().len() >= BASELINE as usize);
}

#[test]
fn a_migration_that_breaks_the_previous_release_is_refused() {
    for bad in [
        "UPDATE customers SET name = ''",
        "DELETE FROM mails",
        "DROP TABLE mails",
        "DROP INDEX mails_by_due",
        "ALTER TABLE mails RENAME TO letters",
        "ALTER TABLE mails RENAME COLUMN content TO facts",
        "ALTER TABLE mails DROP COLUMN content",
        "ALTER TABLE mails ALTER COLUMN content TYPE text",
        "ALTER TABLE mails ADD CONSTRAINT mails_x CHECK (attempts < 9)",
        "ALTER TABLE mails ADD COLUMN x {{int}} NOT NULL",
        "ALTER TABLE mails ADD COLUMN x {{int}} NOT NULL DEFAULT 0 CHECK (x < 5)",
        "alter table mails add column x {{int}} unique",
        "CREATE UNIQUE INDEX mails_x ON mails (recipient)",
        "-- concurrently\nCREATE UNIQUE INDEX mails_x ON mails (recipient)",
        "CREATE INDEX mails_x ON mails (recipient)",
        "-- concurrently\nCREATE INDEX mails_x ON mails (recipient); CREATE INDEX mails_y ON mails (content)",
        "-- concurrently\nALTER TABLE mails ADD COLUMN x {{int}}",
        "-- contract: since 9: of the future\nDROP TABLE mails",
        "-- contract: since 7:  \nDROP TABLE mails",
        "-- contract: it is old\nDROP TABLE mails",
        "-- contract: since 7: for the first only\nDROP TABLE mails;\nDROP TABLE customer_sessions",
    ] {
        assert_eq!(faults(9, bad).len(), 1, "{bad}: {:?}", faults(9, bad));
    }
}

#[test]
fn a_migration_that_only_adds_is_accepted() {
    for good in [
        "CREATE TABLE a (x {{id}} NOT NULL, CONSTRAINT a_pkey PRIMARY KEY (x), CONSTRAINT a_x CHECK (x <> 5)) {{table}};
         CREATE UNIQUE INDEX a_x ON a (x); CREATE INDEX a_y ON a(x)",
        "ALTER TABLE mails ADD COLUMN x {{int}}; -- may be null\nALTER TABLE mails ADD COLUMN y {{int}} NOT NULL DEFAULT 0",
        "-- concurrently\nCREATE INDEX mails_x ON mails (recipient) WHERE due_at IS NOT NULL",
        "-- contract: since 8: nobody reads it\nDROP INDEX mails_by_due;",
    ] {
        assert_eq!(faults(9, good), Vec::<String>::new(), "{good}");
    }
}
