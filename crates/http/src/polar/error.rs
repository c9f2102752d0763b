//! How the dialect says no (docs/contracts/polar/http.md, 1.6).

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde_json::{Value, json};
use tenantry_app::{Error, TeamPermission};
use tenantry_core::customer::{CustomerError, CustomerViolation};
use tenantry_core::member::MemberError;
use tenantry_core::organization::OrganizationViolation;
use tenantry_core::token::RequiredScope;
use tenantry_core::webhook::WebhookError;

use super::{access_tokens, team};
use crate::call::{json as answer, set};
use crate::idempotency::{REPLAYED, settled};
use crate::route::{Rejection, fault_status};
use crate::wire::Violation;

/// Why a handler of the dialect has nothing to show.
#[derive(Debug)]
pub(crate) enum ErrorResponse {
    /// What was sent is not of the form that the operation takes.
    Malformed(Vec<Violation>),
    /// What was sent breaks a rule that is checked before the use case.
    Rules(Vec<Violation>),
    /// There is nothing there.
    NotFound(&'static str),
    /// The caller is not of a kind that may do this.
    Rejection(Rejection),
    /// The use case failed.
    App(Error),
}

impl From<Rejection> for ErrorResponse {
    fn from(refused: Rejection) -> Self {
        Self::Rejection(refused)
    }
}

impl From<Vec<Violation>> for ErrorResponse {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Malformed(violations)
    }
}

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl From<ErrorResponse> for Response {
    fn from(failure: ErrorResponse) -> Self {
        match failure {
            ErrorResponse::Malformed(violations) => invalid("RequestValidationError", &violations),
            ErrorResponse::Rules(violations) => invalid("PolarRequestValidationError", &violations),
            ErrorResponse::NotFound(detail) => plain(StatusCode::NOT_FOUND, "ResourceNotFound", detail),
            ErrorResponse::Rejection(refused) => settled(refuse(refused)),
            ErrorResponse::App(error) if error.is_outcome() => of(&error),
            ErrorResponse::App(error) => settled(of(&error)),
        }
    }
}

pub(super) fn plain(status: StatusCode, error: &str, detail: &str) -> Response {
    answer(status, &json!({"error": error, "detail": detail}))
}

pub(super) fn invalid(error: &str, violations: &[Violation]) -> Response {
    answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"error": error, "detail": violations}))
}

/// The answer to a use case's failure.
fn of(error: &Error) -> Response {
    let not_found = |detail: &str| plain(StatusCode::NOT_FOUND, "ResourceNotFound", detail);
    match error {
        Error::Member(error) => of_member(error),
        Error::Portal(error) => super::portal_error::of_portal(error),
        Error::Customer(CustomerError::NotFound)
        | Error::OrganizationNotFound
        | Error::SubAccountNotFound
        | Error::TokenNotFound
        | Error::SubAccount(_)
        | Error::Webhook(WebhookError::NotFound | WebhookError::EventNotFound) => not_found("Not found"),
        Error::Webhook(WebhookError::UrlInvalid) => rule(
            "value_error",
            &["body", "enabled"],
            "The endpoint's URL may not be called: change it in the same request, or before.",
            Value::Bool(true),
        ),
        Error::Customer(CustomerError::Invalid(violations)) => {
            let violations: Vec<Violation> = violations.iter().map(customer_violation).collect();
            invalid("PolarRequestValidationError", &violations)
        }
        Error::OrganizationInvalid(violations) => of_organization(violations),
        Error::Team(error) => team::refusal(*error),
        Error::Token(error) => access_tokens::refusal(error),
        Error::NotPermitted(right) => plain(StatusCode::FORBIDDEN, "NotPermitted", not_permitted(*right)),
        Error::AmbiguousCustomer => plain(
            StatusCode::CONFLICT,
            "AmbiguousExternalCustomerID",
            "Customers in more than one of your organizations have this external ID. Name the customer by its \
             ID, or use a token of one organization.",
        ),
        Error::OrganizationGiven(id) => rule(
            "organization_token",
            &["body", "organization_id"],
            "An organization token acts in its own organization: leave organization_id out.",
            Value::from(id.to_string()),
        ),
        Error::OrganizationUnknown(id) => rule(
            "value_error",
            &["body", "organization_id"],
            "Organization not found.",
            Value::from(id.to_string()),
        ),
        Error::OrganizationNeeded => {
            rule("missing", &["body", "organization_id"], "organization_id is required.", Value::Null)
        }
        Error::InProgress { retry_after_s } => {
            let detail = "A request with this idempotency key is in progress.";
            let mut response = plain(StatusCode::CONFLICT, "IdempotencyConflict", detail);
            set(&mut response, RETRY_AFTER, &retry_after_s.to_string());
            set(&mut response, REPLAYED, "false");
            response
        }
        Error::KeyReused => rule(
            "idempotency_key_reused",
            &["header", "Idempotency-Key"],
            "The idempotency key was used with another request.",
            Value::Null,
        ),
        Error::AnswerForgotten => plain(
            StatusCode::CONFLICT,
            "IdempotencyAnswerForgotten",
            "This request was answered with a secret, which is no longer kept.",
        ),
        Error::Lost(error) => of(error),
        Error::Store(error) => {
            tracing::error!(%error, "a use case failed");
            unavailable(fault_status(error))
        }
    }
}

pub(super) fn rule(kind: &'static str, loc: &[&'static str], msg: &'static str, input: Value) -> Response {
    invalid("PolarRequestValidationError", &[Violation::rule(kind, loc, msg, input)])
}

fn of_member(error: &MemberError) -> Response {
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
            "A tax ID is checked by country: a billing address is needed.",
            Value::Null,
        ),
        CustomerViolation::TaxIdInvalid(typed) => {
            Violation::rule("invalid", &["body", "tax_id"], "Invalid tax ID.", text(typed))
        }
    }
}

fn of_organization(violations: &[OrganizationViolation]) -> Response {
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

fn organization_violation(violation: &OrganizationViolation) -> Violation {
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

const fn not_permitted(right: TeamPermission) -> &'static str {
    match right {
        TeamPermission::ReadCustomers => "You don't have permission to view customers",
        TeamPermission::ReadTeam => "You don't have permission to view members",
        TeamPermission::ManageTeam => "You don't have permission to manage members",
        TeamPermission::ManageCustomers => "You don't have permission to manage customers",
        TeamPermission::ManageOrganization => "You don't have permission to manage the organization",
    }
}

/// The answer to a request that did not reach its handler.
pub(super) fn refuse(refused: Rejection) -> Response {
    match refused {
        Rejection::Unauthorized => {
            let mut response = plain(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
            set(&mut response, WWW_AUTHENTICATE, "Bearer realm=\"tenantry\"");
            response
        }
        Rejection::InvalidToken | Rejection::Suspended | Rejection::BadAccount => oauth(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
            &[],
        ),
        Rejection::InsufficientScope(scopes) => oauth(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token.",
            &scopes,
        ),
        Rejection::AddressNotAllowed => plain(
            StatusCode::FORBIDDEN,
            "NotPermitted",
            "The access token may not be used from this address.",
        ),
        Rejection::NoSuchPath => not_found(),
        Rejection::TooLarge(limit) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            &format!("A request body has at most {limit} bytes."),
        ),
        Rejection::RateLimited(left) => {
            let mut response =
                plain(StatusCode::TOO_MANY_REQUESTS, "RateLimited", "Too many requests. Try again later.");
            set(&mut response, RETRY_AFTER, &left.retry_after_s().to_string());
            response
        }
        Rejection::BadKey(detail) => plain(StatusCode::BAD_REQUEST, "IdempotencyKeyInvalid", detail),
        Rejection::Key(error) => of(&error),
        Rejection::BrokenBody => {
            plain(StatusCode::BAD_REQUEST, "BadRequest", "The request body did not arrive whole.")
        }
        Rejection::Store(error) => {
            tracing::error!(%error, "a token could not be looked up");
            unavailable(fault_status(&error))
        }
    }
}

/// The shape, and the words, of RFC 6750 section 3.1, which clients compare.
fn oauth(status: StatusCode, code: &str, description: &str, scopes: &[RequiredScope]) -> Response {
    let mut response = answer(status, &json!({"error": code, "error_description": description}));
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let scope = if scopes.is_empty() { String::new() } else { format!(" scope=\"{}\",", scopes.join(" ")) };
    let challenge =
        format!("Bearer realm=\"tenantry\",{scope} error=\"{code}\", error_description=\"{description}\"");
    set(&mut response, WWW_AUTHENTICATE, &challenge);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// There is no such path.
pub(crate) fn not_found() -> Response {
    answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"}))
}

/// There is such a path, but not for this method.
pub(crate) fn method_not_allowed() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "Method Not Allowed"}))
}

/// The server cannot answer, now or at all.
pub(crate) fn unavailable(status: StatusCode) -> Response {
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let mut response = plain(status, "ServiceUnavailable", "Try again in a moment.");
        set(&mut response, RETRY_AFTER, "1");
        response
    } else {
        let (error, detail) = match status {
            StatusCode::GATEWAY_TIMEOUT => ("Timeout", "It took too long, and may have happened or not."),
            _ => ("InternalServerError", "Internal Server Error"),
        };
        plain(status, error, detail)
    }
}
