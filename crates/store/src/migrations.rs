//! The schema, step by step. A migration is one text for every engine: `{{id}}` and the like stand for
//! what the engines call differently, so that their schemas cannot drift apart.

use crate::StoreError;

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// One step.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    text: &'static str,
}

/// All of them.
pub(crate) const ALL: &[Migration] = &[
    Migration { number: 1, name: "foundation", text: include_str!("../migrations/0001_foundation.sql") },
    Migration { number: 2, name: "webhooks", text: include_str!("../migrations/0002_webhooks.sql") },
    Migration { number: 3, name: "portal", text: include_str!("../migrations/0003_portal.sql") },
    Migration { number: 4, name: "customers", text: include_str!("../migrations/0004_customers.sql") },
    Migration { number: 5, name: "api_keys", text: include_str!("../migrations/0005_api_keys.sql") },
    Migration { number: 6, name: "sub_accounts", text: include_str!("../migrations/0006_sub_accounts.sql") },
    Migration { number: 7, name: "idempotency", text: include_str!("../migrations/0007_idempotency.sql") },
];

/// How the text of a step begins that builds one index while others write.
pub(crate) const CONCURRENTLY: &str = "-- concurrently\n";

/// What an engine calls a placeholder.
pub(crate) type TypeNames = [(&'static str, &'static str)];

impl Migration {
    /// The step in an engine's words.
    pub(crate) fn sql(&self, names: &TypeNames) -> String {
        names.iter().fold(self.text.to_owned(), |sql, (from, to)| sql.replace(from, to))
    }

    /// The index, and its table, that this step builds and does nothing besides: one that is marked so, since
    /// the table may be large, and its writers are not to wait.
    pub(crate) fn builds_concurrently(&self) -> Option<(&'static str, &'static str)> {
        let statement = self.text.strip_prefix(CONCURRENTLY)?;
        let mut words = statement.split([' ', '\n', '(']).filter(|word| !word.is_empty());
        words.find(|word| *word == "INDEX")?;
        let index = words.next()?;
        words.find(|word| *word == "ON").and(words.next()).map(|table| (index, table))
    }

    #[cfg(test)]
    pub(crate) const fn of_a_test(number: i64, text: &'static str) -> Self {
        Self { number, name: "of a test", text }
    }
}

/// The statements of a text, without comments. Citus takes one at a time.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// The names of all constraints and unique indexes: what a change can be refused by.
pub(crate) fn constraints() -> &'static BTreeSet<String> {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let words: Vec<String> = texts()
            .flat_map(|(_, text)| statements(text))
            .flat_map(|statement| statement.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let named = words.windows(3).filter_map(|words| match words {
            [_, before, name] if before == "CONSTRAINT" => Some(name.clone()),
            [unique, index, name] if unique == "UNIQUE" && index == "INDEX" => Some(name.clone()),
            _ => None,
        });
        named.collect()
    });
    &NAMES
}

/// The steps that a database of schema `found` lacks.
///
/// # Errors
/// When its schema is newer than any that this program knows.
pub(crate) fn after(found: i64) -> Result<impl Iterator<Item = &'static Migration>, StoreError> {
    after_in(ALL, found)
}

/// The same of these steps.
pub(crate) fn after_in(
    steps: &[Migration],
    found: i64,
) -> Result<impl Iterator<Item = &Migration>, StoreError> {
    let known = steps.last().map_or(0, |migration| migration.number);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    Ok(steps.iter().filter(move |step| step.number > found))
}

/// The text of each step, with its number.
pub(crate) fn texts() -> impl Iterator<Item = (i64, &'static str)> {
    ALL.iter().map(|step| (step.number, step.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_statements() {
        let text = "-- a note; with a semicolon\nCREATE TABLE a (\n x TEXT -- one;\n);\n\nCREATE INDEX b ON a (x);\n";
        assert_eq!(statements(text), ["CREATE TABLE a (\n x TEXT \n)", "CREATE INDEX b ON a (x)"]);
    }

    #[test]
    fn what_refuses_a_change_is_known_by_name() {
        for name in ["members_email", "members_pkey", "members_role", "organizations_one_level"] {
            assert!(constraints().contains(name), "{name}");
        }
        assert!(!constraints().contains("members_by_customer"), "an index that refuses nothing");
    }
}
