//! Who stands behind an organization before the law. Kept, shown by no operation.

use serde::{Deserialize, Serialize};

/// Who stands behind an organization before the law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LegalEntity {
    /// A person.
    Individual,
    /// A company.
    Company {
        /// The name it is registered under.
        registered_name: String,
    },
}
