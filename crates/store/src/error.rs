//! The errors of the store.

use std::fmt::Display;

/// The reason for a failed operation of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The change violates the constraint of this name.
    #[error("constraint {0} violated")]
    Violated(String),
    /// The database is not available. Nothing was changed, and the same call may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The connection broke during the commit, so the change may have been committed or not.
    #[error("the outcome of the commit is unknown: {0}")]
    InDoubt(String),
    /// A stored row or the result of a query is not what the program expects. This is a bug or a damaged
    /// database.
    #[error("unexpected database content or result: {0}")]
    Unexpected(String),
    /// The PostgreSQL database has another encoding than UTF8.
    #[error(
        "the database is encoded as {0}: create another one, CREATE DATABASE name ENCODING 'UTF8' LOCALE 'C.UTF-8' \
         TEMPLATE template0"
    )]
    WrongEncoding(String),
    /// The schema of the database is newer than this program.
    #[error("the database has schema {found}, this program knows up to {known}: run a newer version of it")]
    NewerSchema {
        /// The newest migration that was applied to the database.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The database lacks a migration of this program, and the caller did not allow migrations.
    #[error("the database has schema {found}, this program needs {needed}: run `tenantry migrate`")]
    OlderSchema {
        /// The newest migration that was applied to the database.
        found: i64,
        /// The newest migration that this program has.
        needed: i64,
    },
}

impl StoreError {
    /// Whether the change violates the constraint `name`.
    #[must_use]
    pub fn is_violation_of(&self, name: &str) -> bool {
        matches!(self, Self::Violated(violated) if violated == name)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unexpected(error.to_string())
    }
}

/// A [`StoreError::Unexpected`] with this text.
pub(crate) fn unexpected(error: impl Display) -> StoreError {
    StoreError::Unexpected(error.to_string())
}
