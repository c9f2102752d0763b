//! Responses to errors of use cases.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use serde_json::Value;
use tenantry_app::{Error, TeamPermission};
use tenantry_core::customer::CustomerError;
use tenantry_core::webhook::WebhookError;

use super::body::{failed, invalid, plain, rule};
use super::rejection::of_rejection;
use super::{customers, invitations, members, organizations, portal, team, tokens};
use crate::api::rejection::{Rejection, fault_status};
use crate::api::response::IDEMPOTENT_REPLAYED;
use crate::wire::Violation;

/// `Retry-After` of a refused import: the seconds after which one of the owner's imports may be finished.
const IMPORT_RETRY_AFTER_S: u64 = 10;

const fn not_permitted(right: TeamPermission) -> &'static str {
    match right {
        TeamPermission::ReadCustomers => "You don't have permission to view customers",
        TeamPermission::ReadTeam => "You don't have permission to view members",
        TeamPermission::ManageTeam => "You don't have permission to manage members",
        TeamPermission::ManageCustomers => "You don't have permission to manage customers",
        TeamPermission::TransferOwnership => "Only the owner can transfer the organization",
        TeamPermission::ManageOrganization => "You don't have permission to manage the organization",
    }
}

fn of_customer(error: &CustomerError) -> RenderedError {
    match error {
        CustomerError::NotFound => plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found"),
        CustomerError::Invalid(violations) => {
            let violations: Vec<Violation> = violations.iter().map(customers::customer_violation).collect();
            invalid("PolarRequestValidationError", &violations)
        }
        CustomerError::NotRestorable(_) => {
            plain(StatusCode::CONFLICT, "CustomerNotRestorable", &error.to_string())
        }
    }
}

/// Renders the error of a use case.
pub(super) fn of(error: &Error) -> RenderedError {
    let not_found = |detail: &str| plain(StatusCode::NOT_FOUND, "ResourceNotFound", detail);
    match error {
        Error::Member(error) => members::of_member(error),
        Error::Portal(error) => portal::of_portal(error),
        Error::Customer(error) => of_customer(error),
        Error::OrganizationNotFound
        | Error::SubAccountNotFound
        | Error::TokenNotFound
        | Error::PasskeyNotFound
        | Error::ImportNotFound
        | Error::AuditEntryNotFound
        | Error::User(_)
        | Error::SubAccount(_) => not_found("Not found"),
        Error::Webhook(error) => of_webhook(error),
        Error::OrganizationInvalid(violations) => organizations::of_organization(violations),
        Error::Team(error) => team::of_team(*error),
        Error::Invitation(error) => invitations::of_invitation(error),
        Error::Token(error) => tokens::of_token(error),
        Error::Deletion(error) => organizations::of_deletion(error),
        Error::LimitReached(_) | Error::OwnerSuspended | Error::ProofRequired => {
            plain(StatusCode::FORBIDDEN, "NotPermitted", &error.to_string())
        }
        Error::NotPermitted(right) => plain(StatusCode::FORBIDDEN, "NotPermitted", not_permitted(*right)),
        Error::CallerUnknown => of_rejection(Rejection::InvalidToken),
        Error::CallerSuspended => of_rejection(Rejection::Suspended),
        Error::ConditionFailed => of_rejection(Rejection::ConditionFailed),
        Error::CallerReduced => plain(
            StatusCode::FORBIDDEN,
            "NotPermitted",
            "Your permissions changed while this request waited. Send it again.",
        ),
        Error::AmbiguousCustomer => plain(
            StatusCode::CONFLICT,
            "AmbiguousExternalCustomerID",
            "Customers in more than one of your organizations have this external ID. Name the customer by its \
             ID, or use a token of one organization.",
        ),
        Error::OrganizationNotAccepted(id) => rule(
            "organization_token",
            &["body", "organization_id"],
            "An organization token acts in its own organization: leave organization_id out.",
            Value::from(id.to_string()),
        ),
        Error::UnknownOrganization(id) => rule(
            "value_error",
            &["body", "organization_id"],
            "Organization not found.",
            Value::from(id.to_string()),
        ),
        Error::OrganizationRequired => {
            rule("missing", &["body", "organization_id"], "organization_id is required.", Value::Null)
        }
        Error::IdempotencyInProgress { .. }
        | Error::IdempotencyKeyReused
        | Error::StoredResponseExpired
        | Error::SecretOfOtherCredential => of_key(error),
        Error::TooManyImports | Error::TooManyImportBytes => {
            too_many(&error.to_string(), IMPORT_RETRY_AFTER_S)
        }
        Error::WebhookBytes { retry_after_s }
        | Error::StoredBytes { retry_after_s }
        | Error::TooManyAttempts { retry_after_s } => too_many(&error.to_string(), *retry_after_s),
        Error::ReplayNotPermitted(error) => of(error),
        Error::Store(error) => {
            tracing::error!(%error, "use case failed");
            failed(fault_status(error))
        }
    }
}

/// The response to a request that can succeed later.
pub(super) fn too_many(detail: &str, retry_after_s: u64) -> RenderedError {
    plain(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", detail)
        .with(RETRY_AFTER, retry_after_s.to_string())
}

/// Renders an error about the idempotency key.
fn of_key(error: &Error) -> RenderedError {
    match error {
        Error::IdempotencyInProgress { retry_after_s } => {
            let detail = "A request with this idempotency key is in progress.";
            plain(StatusCode::CONFLICT, "IdempotencyConflict", detail)
                .with(RETRY_AFTER, retry_after_s.to_string())
                .with(IDEMPOTENT_REPLAYED, "false")
        }
        Error::IdempotencyKeyReused => rule(
            "idempotency_key_reused",
            &["header", "Idempotency-Key"],
            "The idempotency key was used with another request.",
            Value::Null,
        ),
        Error::SecretOfOtherCredential => plain(
            StatusCode::CONFLICT,
            "IdempotencyKeyOfOtherToken",
            "Another token used this idempotency key, and it alone gets the secret again. Send a new key.",
        ),
        _ => plain(
            StatusCode::CONFLICT,
            "IdempotencyResponseExpired",
            "The stored response contained a secret and was deleted. Send the request with a new key.",
        ),
    }
}

fn of_webhook(error: &WebhookError) -> RenderedError {
    match error {
        WebhookError::NotFound | WebhookError::EventNotFound => {
            plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found")
        }
        WebhookError::CredentialsMasked => rule(
            "value_error",
            &["body", "url"],
            "The masked user name and password stand for none of this scheme, host and port: send them in full.",
            Value::Null,
        ),
        WebhookError::Disabled => plain(
            StatusCode::CONFLICT,
            "WebhookEndpointDisabled",
            "The endpoint is disabled, so nothing is sent to it. Enable it first.",
        ),
        WebhookError::LimitReached(_) => plain(StatusCode::FORBIDDEN, "NotPermitted", &error.to_string()),
        WebhookError::UrlInvalid => rule(
            "value_error",
            &["body", "enabled"],
            "The endpoint's URL is not a permitted target. Change the URL first, or in the same request.",
            Value::Bool(true),
        ),
    }
}
