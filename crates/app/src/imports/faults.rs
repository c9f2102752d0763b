//! The reasons why a row of an import fails.

use serde::{Deserialize, Serialize};
use tenantry_core::customer::{CustomerError, CustomerViolation};

use crate::Error;

/// A reason why a row fails. It repeats nothing of the row, because it outlives the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The field of the row, such as `billing_address.country`. Empty for the row as a whole.
    pub field: String,
    /// The reason.
    pub message: String,
}

impl Fault {
    /// A fault of a field.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The faults of a row that a rule refuses. None for an error that is not about the row.
pub(super) fn of(error: &Error) -> Option<Vec<Fault>> {
    match error {
        Error::Customer(CustomerError::Invalid(violations)) => Some(
            violations.iter().map(|violation| Fault::new(field(violation), violation.to_string())).collect(),
        ),
        Error::Member(error) => Some(vec![Fault::new("members", error.to_string())]),
        // Another transaction deleted the customer meanwhile.
        Error::Customer(CustomerError::NotFound) => {
            Some(vec![Fault::new("", "the customer was deleted meanwhile")])
        }
        _ => None,
    }
}

const fn field(violation: &CustomerViolation) -> &'static str {
    match violation {
        CustomerViolation::EmailTaken(_) => "email",
        CustomerViolation::ExternalIdTaken(_) | CustomerViolation::ExternalIdImmutable(_) => "external_id",
        CustomerViolation::OwnerNeedsEmail => "owner",
        CustomerViolation::TeamCannotBecomeIndividual(_) => "type",
        CustomerViolation::BillingAddressRequired => "billing_address",
        CustomerViolation::TaxIdNeedsCountry | CustomerViolation::TaxIdInvalid(_) => "tax_id",
    }
}
