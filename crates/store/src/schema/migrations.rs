//! The migrations of the schema. Both engines share one text for each, so their schemas cannot differ. Placeholders
//! such as `{{id}}` stand for the types whose names differ.

use crate::StoreError;

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// One migration.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    text: &'static str,
}

/// Every migration, in order.
pub(crate) const ALL: &[Migration] =
    &[Migration { number: 1, name: "initial", text: include_str!("../../migrations/0001_initial.sql") }];

/// The first line of a migration that builds one index without blocking writers.
pub(crate) const CONCURRENTLY: &str = "-- concurrently\n";

/// Pairs of a placeholder and the engine's name for it.
pub(crate) type TypeNames = [(&'static str, &'static str)];

impl Migration {
    /// The text, with the placeholders replaced by an engine's type names.
    pub(crate) fn sql(&self, names: &TypeNames) -> String {
        names.iter().fold(self.text.to_owned(), |sql, (from, to)| sql.replace(from, to))
    }

    /// The index and its table if the migration begins with [`CONCURRENTLY`]. Building the index of a large table must
    /// not block its writers.
    pub(crate) fn builds_concurrently(&self) -> Option<(&'static str, &'static str)> {
        let statement = self.text.strip_prefix(CONCURRENTLY)?;
        let mut words = statement.split([' ', '\n', '(']).filter(|word| !word.is_empty());
        words.find(|word| *word == "INDEX")?;
        let index = words.next()?;
        words.find(|word| *word == "ON").and(words.next()).map(|table| (index, table))
    }

    #[cfg(test)]
    pub(crate) const fn for_test(number: i64, text: &'static str) -> Self {
        Self { number, name: "test", text }
    }
}

/// Splits a text into statements and drops the comments. Citus accepts one statement per message.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// The names of all constraints and unique indexes: everything that a change can violate.
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

/// The migrations after number `found`.
///
/// # Errors
/// [`StoreError::NewerSchema`] when `found` is newer than every migration.
pub(crate) fn after(found: i64) -> Result<impl Iterator<Item = &'static Migration>, StoreError> {
    after_in(ALL, found)
}

/// The migrations of `steps` after number `found`.
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

/// The number and text of each migration.
pub(crate) fn texts() -> impl Iterator<Item = (i64, &'static str)> {
    ALL.iter().map(|step| (step.number, step.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_text_into_statements() {
        let text = "-- a note; with a semicolon\nCREATE TABLE a (\n x TEXT -- one;\n);\n\nCREATE INDEX b ON a (x);\n";
        assert_eq!(statements(text), ["CREATE TABLE a (\n x TEXT \n)", "CREATE INDEX b ON a (x)"]);
    }

    #[test]
    fn names_each_constraint_and_unique_index() {
        for name in ["members_email", "members_pkey", "members_role", "organizations_one_level"] {
            assert!(constraints().contains(name), "{name}");
        }
        assert!(!constraints().contains("members_by_customer"), "an index that refuses nothing");
    }
}
