//! The schema, step by step. A migration is one text for every engine: `{{id}}` and the like stand for
//! what the engines call differently, so that their schemas cannot drift apart.

use crate::StoreError;

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
