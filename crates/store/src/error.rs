//! Why the database did not do what it was asked.

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The constraint of this name refused the change.
    #[error("constraint {0} violated")]
    Violated(String),
    /// The database cannot answer now; the same call may succeed later. Nothing was changed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The connection broke while the change was being committed: it may have happened or not.
    #[error("nobody can tell whether it happened: {0}")]
    InDoubt(String),
    /// A stored row is not what it must be, or a query is wrong: a defect.
    #[error("the database answered something unexpected: {0}")]
    Unexpected(String),
    /// The database has a schema that this program does not know.
    #[error("the database has schema {found}, this program knows {known}")]
    NewerSchema {
        /// The newest migration that the database has had.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The database lacks a migration of this program, and nobody is to run it now.
    #[error("the database has schema {found}, this program needs {needed}: run `tenantry migrate`")]
    OlderSchema {
        /// The newest migration that the database has had.
        found: i64,
        /// The newest migration that this program has.
        needed: i64,
    },
}

impl StoreError {
    /// Whether the constraint `name` refused the change.
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
