//! Errors about customers.

use serde_json::Value;
use tenantry_core::customer::CustomerViolation;

use crate::wire::Violation;

pub(super) fn customer_violation(violation: &CustomerViolation) -> Violation {
    let text = |text: &str| Value::from(text);
    match violation {
        CustomerViolation::EmailTaken(email) => Violation::rule(
            "value_error",
            &["body", "email"],
            "A customer with this email address already exists.",
            text(email.as_str()),
        ),
        CustomerViolation::ExternalIdTaken(id) => Violation::rule(
            "value_error",
            &["body", "external_id"],
            "A customer with this external ID already exists.",
            text(id.as_str()),
        ),
        CustomerViolation::ExternalIdImmutable(id) => Violation::rule(
            "value_error",
            &["body", "external_id"],
            "Customer external ID cannot be updated.",
            id.as_ref().map_or(Value::Null, |id| text(id.as_str())),
        ),
        CustomerViolation::OwnerNeedsEmail => Violation::rule(
            "value_error",
            &["body", "team"],
            "A team customer without an email needs an owner with one.",
            Value::Null,
        ),
        CustomerViolation::TeamCannotBecomeIndividual(kind) => Violation::rule(
            "value_error",
            &["body", "type"],
            "A team customer cannot become an individual one.",
            kind.map_or(Value::Null, |kind| text(kind.as_str())),
        ),
        CustomerViolation::BillingAddressRequired => Violation::rule(
            "value_error",
            &["body", "billing_address"],
            "A billing address can be replaced, but not removed.",
            Value::Null,
        ),
        CustomerViolation::TaxIdNeedsCountry => Violation::rule(
            "missing",
            &["body", "billing_address"],
            "A tax ID needs a billing address, because its country determines the valid forms.",
            Value::Null,
        ),
        CustomerViolation::TaxIdInvalid(typed) => {
            Violation::rule("invalid", &["body", "tax_id"], "Invalid tax ID.", text(typed))
        }
    }
}
