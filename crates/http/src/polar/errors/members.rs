//! Errors about members of customers.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use serde_json::Value;
use tenantry_core::member::MemberError;

use super::body::{plain, rule};

pub(super) fn of_member(error: &MemberError) -> RenderedError {
    let not_found = |detail: &str| plain(StatusCode::NOT_FOUND, "ResourceNotFound", detail);
    let forbidden = |detail: &str| plain(StatusCode::FORBIDDEN, "NotPermitted", detail);
    match error {
        MemberError::CustomerNotFound => not_found("Customer not found"),
        MemberError::NotFound => not_found("Member not found"),
        MemberError::Disabled => forbidden("Member management is not enabled for this organization"),
        MemberError::IndividualHasOneMember => forbidden(
            "An individual customer has no member besides its owner. Make it a team customer to add members.",
        ),
        MemberError::ExternalIdTaken(id) => rule(
            "value_error",
            &["body", "external_id"],
            "A member of this customer has this external ID already.",
            Value::from(id.as_str()),
        ),
        MemberError::EmailTaken(email) => rule(
            "value_error",
            &["body", "email"],
            "A member of this customer has this email address already.",
            Value::from(email.as_str()),
        ),
        MemberError::EmailFollowsCustomer(email) => rule(
            "value_error",
            &["body", "email"],
            "The owner of an individual customer has the customer's email address: change it there.",
            Value::from(email.as_str()),
        ),
        MemberError::OwnerRequired(role) => rule(
            "value_error",
            &["body", "role"],
            "A customer must have exactly one owner. Make another member the owner instead.",
            Value::from(role.as_str()),
        ),
        MemberError::CannotRemoveOwner(id) => rule(
            "value_error",
            &["body"],
            "The only owner cannot be deleted. Make another member the owner first.",
            Value::from(id.to_string()),
        ),
    }
}
