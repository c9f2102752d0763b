//! Errors of the customer portal and of customer sessions (docs/contracts/polar/portal.md, 7 and 8).

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tenantry_app::Error;
use tenantry_core::customer::{CustomerError, CustomerViolation};
use tenantry_core::portal::{CustomerChoice, CustomerSelector, MemberSelector, PortalError, PortalSection};

use super::ErrorResponse;
use super::body::{invalid_token, plain, rule};
use super::customers::customer_violation;
use crate::wire::Violation;

/// Renders an error of the portal's rules.
pub(super) fn of_portal(error: &PortalError) -> RenderedError {
    let invalid = |loc, msg, input| rule("value_error", loc, msg, input);
    match error {
        PortalError::SessionOver => invalid_token(),
        PortalError::CustomerUnknown(_)
        | PortalError::MemberRequired
        | PortalError::MemberUnknown(_)
        | PortalError::MemberSessionsDisabled(_) => of_session(error),
        PortalError::MemberSessionRequired => {
            let msg = "A team customer without an email needs a member's session: send member_id.";
            invalid(&["body"], msg, Value::Null)
        }
        PortalError::BillingNotAllowed => forbidden("Billing is for the owner and billing managers."),
        PortalError::MemberManagementNotAllowed => forbidden("Your role in this team does not allow this."),
        PortalError::NotATeamCustomer => forbidden("Only team customers have members to manage."),
        PortalError::EmailChangeDisabled => {
            forbidden("Customers of this organization cannot change their email.")
        }
        PortalError::SectionDisabled(section) => forbidden(disabled(*section)),
        PortalError::SessionUnknown => plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Session not found"),
        PortalError::CodeInvalid => plain(
            StatusCode::UNAUTHORIZED,
            "CustomerSessionCodeInvalidOrExpired",
            "The code is wrong, expired or already used.",
        ),
        PortalError::CustomerAmbiguous(choices) => ambiguous(choices),
        PortalError::OwnerExists => {
            let msg = "A new member cannot be the owner: add the member first, then change its role.";
            invalid(&["body", "role"], msg, Value::from("owner"))
        }
        PortalError::CannotChangeOwnRole(id) => {
            invalid(&["path", "id"], "You cannot change your own role.", Value::from(id.to_string()))
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
            invalid(&["body", "email"], "The new email equals the current one.", Value::from(email.as_str()))
        }
        PortalError::EmailUpdateInvalid => plain(
            StatusCode::UNAUTHORIZED,
            "InvalidCustomerEmailUpdate",
            "The email update is unknown, expired or already used.",
        ),
        PortalError::EmailTaken => invalid(
            &["body", "token"],
            "Another customer has taken this email address in the meantime.",
            Value::Null,
        ),
    }
}

const fn disabled(section: PortalSection) -> &'static str {
    match section {
        PortalSection::SignIn => "This organization does not offer to sign in by a mailed code.",
        PortalSection::BillingDetails => {
            "Customers of this organization cannot change their billing details."
        }
        PortalSection::Team => "Customers of this organization cannot manage their members.",
        PortalSection::AddMembers => "Customers of this organization cannot add members.",
        PortalSection::Sessions => "Customers of this organization cannot manage their sessions.",
    }
}

/// The customers of one address, of which the request has to name one.
fn ambiguous(choices: &[CustomerChoice]) -> RenderedError {
    let customers: Vec<Value> = choices
        .iter()
        .map(|choice| {
            let name = choice.name.as_ref().map(|name| name.as_str());
            json!({"id": choice.customer.to_string(), "name": name})
        })
        .collect();
    let detail = "Several customers have this email address: name one of them in customer_id.";
    let body = json!({"error": "customer_selection_required", "detail": detail, "customers": customers});
    RenderedError::new(StatusCode::CONFLICT, body)
}

fn forbidden(detail: &str) -> RenderedError {
    plain(StatusCode::FORBIDDEN, "NotPermitted", detail)
}

/// Renders the error of a session that cannot start, at the field that names its customer or member.
fn of_session(error: &PortalError) -> RenderedError {
    let (loc, msg, input): (&[&'static str], _, _) = match error {
        PortalError::CustomerUnknown(CustomerSelector::Id(id)) => {
            (&["body", "customer_id"], "Customer does not exist.", Value::from(id.to_string()))
        }
        PortalError::CustomerUnknown(CustomerSelector::External(id)) => {
            (&["body", "external_customer_id"], "Customer does not exist.", Value::from(id.as_str()))
        }
        PortalError::MemberUnknown(named) => {
            let (loc, input) = location(named);
            (loc, "The customer has no such member.", input)
        }
        PortalError::MemberSessionsDisabled(named) => {
            let (loc, input) = location(named);
            (
                loc,
                "This organization has no member sessions: its feature member_model_enabled is disabled.",
                input,
            )
        }
        _ => (&["body", "member_id"], "member_id is needed for a team customer.", Value::Null),
    };
    rule("value_error", loc, msg, input)
}

fn location(named: &MemberSelector) -> (&'static [&'static str], Value) {
    match named {
        MemberSelector::Id(id) => (&["body", "member_id"], Value::from(id.to_string())),
        MemberSelector::External(id) => (&["body", "external_member_id"], Value::from(id.as_str())),
    }
}

/// Renders the error of a billing update. A field that cannot be removed counts as missing here.
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
