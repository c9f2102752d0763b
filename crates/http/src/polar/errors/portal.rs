//! Errors of the customer portal and of customer sessions (docs/contracts/polar/portal.md, 7 and 8).

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_core::customer::{CustomerError, CustomerViolation};
use tenantry_core::portal::{CustomerSelector, MemberSelector, PortalError};

use super::ErrorResponse;
use super::body::{invalid_token, plain, rule};
use super::customers::customer_violation;
use crate::wire::Violation;

/// The answer to a refusal of the portal's rules.
pub(super) fn of_portal(error: &PortalError) -> RenderedError {
    let invalid = |loc, msg, input| rule("value_error", loc, msg, input);
    match error {
        PortalError::SessionOver => invalid_token(),
        PortalError::CustomerUnknown(_)
        | PortalError::MemberRequired
        | PortalError::MemberUnknown(_)
        | PortalError::MemberSessionsDisabled(_) => of_session(error),
        PortalError::MemberSessionRequired => {
            let msg =
                "A team customer without an email is visited by its members: begin a session with member_id.";
            invalid(&["body"], msg, Value::Null)
        }
        PortalError::BillingNotAllowed => forbidden("Billing is for the owner and billing managers."),
        PortalError::MemberManagementNotAllowed => forbidden("Your role in this team does not allow this."),
        PortalError::NotATeamCustomer => forbidden("Only team customers have members to manage."),
        PortalError::EmailChangeDisabled => {
            forbidden("Customers of this organization cannot change their email.")
        }
        PortalError::OwnerExists => {
            let msg = "A customer has one owner: add the member, then make them the owner.";
            invalid(&["body", "role"], msg, Value::from("owner"))
        }
        PortalError::CannotChangeOwnRole(id) => {
            invalid(&["path", "id"], "Your own role is not yours to change.", Value::from(id.to_string()))
        }
        PortalError::CannotRemoveSelf(id) => {
            invalid(&["path", "id"], "You cannot remove yourself.", Value::from(id.to_string()))
        }
        PortalError::OnlyOwnerTransfers => invalid(
            &["body", "role"],
            "Only the owner can make another member the owner.",
            Value::from("owner"),
        ),
        PortalError::TeamEmailFixed(email) => invalid(
            &["body", "email"],
            "Only individual customers can change their email.",
            Value::from(email.as_str()),
        ),
        PortalError::EmailUnchanged(email) => {
            invalid(&["body", "email"], "This is the current email already.", Value::from(email.as_str()))
        }
        PortalError::EmailUpdateInvalid => plain(
            StatusCode::UNAUTHORIZED,
            "InvalidCustomerEmailUpdate",
            "There is no such email update, or it is over.",
        ),
        PortalError::EmailTaken => {
            invalid(&["body", "token"], "This email address was taken meanwhile.", Value::Null)
        }
    }
}

fn forbidden(detail: &str) -> RenderedError {
    plain(StatusCode::FORBIDDEN, "NotPermitted", detail)
}

/// The answer to a session that cannot begin, at the field that names whom it is for.
fn of_session(error: &PortalError) -> RenderedError {
    let (loc, msg, input): (&[&'static str], _, _) = match error {
        PortalError::CustomerUnknown(CustomerSelector::Id(id)) => {
            (&["body", "customer_id"], "Customer does not exist.", Value::from(id.to_string()))
        }
        PortalError::CustomerUnknown(CustomerSelector::External(id)) => {
            (&["body", "external_customer_id"], "Customer does not exist.", Value::from(id.as_str()))
        }
        PortalError::MemberUnknown(named) => {
            let (loc, input) = place(named);
            (loc, "The customer has no such member.", input)
        }
        PortalError::MemberSessionsDisabled(named) => {
            let (loc, input) = place(named);
            (loc, "This organization has no member sessions: member_model_enabled is off.", input)
        }
        _ => (&["body", "member_id"], "member_id is needed for a team customer.", Value::Null),
    };
    rule("value_error", loc, msg, input)
}

fn place(named: &MemberSelector) -> (&'static [&'static str], Value) {
    match named {
        MemberSelector::Id(id) => (&["body", "member_id"], Value::from(id.to_string())),
        MemberSelector::External(id) => (&["body", "external_member_id"], Value::from(id.as_str())),
    }
}

/// A refused change of what invoices need: what may not be removed counts as missing here.
pub(crate) fn of_billing(error: Error) -> ErrorResponse {
    let Error::Customer(CustomerError::Invalid(violations)) = error else { return error.into() };
    let show = |violation: &CustomerViolation| {
        let shown = customer_violation(violation);
        match violation {
            CustomerViolation::BillingAddressRequired => Violation { kind: "missing".into(), ..shown },
            _ => shown,
        }
    };
    ErrorResponse::Rules(violations.iter().map(show).collect())
}
