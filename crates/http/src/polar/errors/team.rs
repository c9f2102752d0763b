//! Errors about teams.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use tenantry_core::team::TeamError;

use super::body::plain;

/// The answer to a team that could not be changed.
pub(super) fn of_team(error: TeamError) -> RenderedError {
    let forbidden = |detail: &str| plain(StatusCode::FORBIDDEN, "NotPermitted", detail);
    match error {
        TeamError::OrganizationNotFound | TeamError::NotFound => {
            plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found")
        }
        TeamError::AlreadyMember => {
            plain(StatusCode::CONFLICT, "ResourceAlreadyExists", "This person is in the team already.")
        }
        TeamError::CannotRemoveOwner => forbidden("The owner of an organization cannot be removed."),
        TeamError::CannotRemoveSelf => forbidden("Nobody can remove themselves: leave instead."),
        TeamError::OwnerRoleFixed => forbidden("The owner of an organization keeps that role."),
        TeamError::OwnerCannotLeave => forbidden("The owner of an organization cannot leave it."),
        TeamError::OnlyMember => forbidden("The only person in the team cannot leave."),
        TeamError::LastManager => plain(
            StatusCode::FORBIDDEN,
            "OrganizationWouldHaveNoAdmins",
            "Somebody must be left in the team who manages the organization.",
        ),
    }
}
