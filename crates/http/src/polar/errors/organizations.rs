//! Errors about organizations.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use serde_json::Value;
use tenantry_core::organization::{DeletionError, OrganizationViolation};

use super::body::{invalid, plain};
use crate::wire::Violation;

pub(super) fn of_organization(violations: &[OrganizationViolation]) -> RenderedError {
    let forbidden = |error: &str, detail: String| plain(StatusCode::FORBIDDEN, error, &detail);
    for violation in violations {
        match violation {
            OrganizationViolation::DisputeAutoAcceptNotEnabled => {
                return forbidden("DisputeAutoAcceptNotEnabled", violation.to_string());
            }
            OrganizationViolation::SsoNotVerified => return forbidden("NotPermitted", violation.to_string()),
            _ => {}
        }
    }
    let limits = |violation| {
        matches!(violation, &OrganizationViolation::LimitNeedsTotal | &OrganizationViolation::LimitAboveTotal)
    };
    let error =
        if violations.iter().all(limits) { "RequestValidationError" } else { "PolarRequestValidationError" };
    let violations: Vec<Violation> = violations.iter().map(organization_violation).collect();
    invalid(error, &violations)
}

pub(super) fn of_deletion(error: &DeletionError) -> RenderedError {
    let name = match error {
        DeletionError::HasSubAccounts(..) => "OrganizationHasSubAccounts",
        DeletionError::ParentDeleted => "OrganizationParentDeleted",
        DeletionError::Purged => "OrganizationPurged",
    };
    plain(StatusCode::CONFLICT, name, &error.to_string())
}

pub(super) fn organization_violation(violation: &OrganizationViolation) -> Violation {
    const SEATS: &[&str] = &["body", "feature_settings", "seat_based_pricing_enabled"];
    let (loc, input): (&[&'static str], Value) = match violation {
        OrganizationViolation::SlugTaken(slug) => (&["body", "slug"], Value::from(slug.as_str())),
        OrganizationViolation::SeatsCannotBeDisabled => (SEATS, Value::from(false)),
        OrganizationViolation::SeatsNeedMembers => (SEATS, Value::from(true)),
        OrganizationViolation::ResetNotEnabled => {
            (&["body", "subscription_settings", "proration_behavior"], Value::from("reset"))
        }
        OrganizationViolation::LimitNeedsTotal
        | OrganizationViolation::LimitAboveTotal
        | OrganizationViolation::DisputeAutoAcceptNotEnabled
        | OrganizationViolation::SsoNotVerified => (&["body"], Value::Null),
    };
    let msg = match violation {
        OrganizationViolation::SlugTaken(_) => "An organization with this slug already exists.".to_owned(),
        OrganizationViolation::LimitNeedsTotal => {
            "Value error, per_user_monthly_spending_limit needs total_monthly_spending_limit".to_owned()
        }
        OrganizationViolation::LimitAboveTotal => {
            "Value error, per_user_monthly_spending_limit is at most total_monthly_spending_limit".to_owned()
        }
        other => other.to_string(),
    };
    Violation::rule("value_error", loc, msg, input)
}
