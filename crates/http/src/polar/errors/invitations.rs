//! Errors about invitations.

use axum::http::StatusCode;
use serde_json::Value;
use tenantry_core::invitation::InvitationError;

use super::body::{plain, rule};
use super::use_case::too_many;
use crate::api::response::RenderedError;

/// Renders an error of the rules of invitations.
pub(super) fn of_invitation(error: &InvitationError) -> RenderedError {
    let text = error.to_string();
    match error {
        InvitationError::NotFound => plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found"),
        InvitationError::OwnerRole => rule(
            "value_error",
            &["body", "role"],
            "Nobody is invited as an owner: choose another role.",
            Value::Null,
        ),
        InvitationError::LifetimeTooLong => rule(
            "less_than_equal",
            &["body", "expires_in"],
            "An invitation can be accepted for at most 30 days.",
            Value::Null,
        ),
        InvitationError::AlreadyMember => {
            plain(StatusCode::CONFLICT, "ResourceAlreadyExists", "This user is already in the team.")
        }
        InvitationError::OtherPending(id) => {
            let detail = format!(
                "This address has a pending invitation with another role, {id}. Revoke that one first."
            );
            plain(StatusCode::CONFLICT, "InvitationPending", &detail)
        }
        InvitationError::TooManyPending(_) | InvitationError::Suspended => {
            plain(StatusCode::FORBIDDEN, "NotPermitted", &text)
        }
        InvitationError::TooMany { retry_after_s }
        | InvitationError::TooManyMails { retry_after_s }
        | InvitationError::SentJustNow { retry_after_s } => too_many(&text, *retry_after_s),
        InvitationError::SentTooOften => plain(StatusCode::CONFLICT, "InvitationSentTooOften", &text),
        InvitationError::Settled(_) => plain(StatusCode::CONFLICT, "InvitationSettled", &text),
        InvitationError::Expired => plain(StatusCode::CONFLICT, "InvitationExpired", &text),
        InvitationError::AddressUnproved => plain(StatusCode::FORBIDDEN, "AddressNotProved", &text),
        InvitationError::OtherAddress(_) => plain(StatusCode::FORBIDDEN, "AddressMismatch", &text),
    }
}
