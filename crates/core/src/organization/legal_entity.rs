//! The legal entity of an organization. It is stored, but no operation shows it.

use serde::{Deserialize, Serialize};

/// The legal entity behind an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LegalEntity {
    /// A person.
    Individual,
    /// A company.
    Company {
        /// Name in the register of companies.
        registered_name: String,
    },
}
