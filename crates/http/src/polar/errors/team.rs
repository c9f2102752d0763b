//! Errors about teams.

use crate::api::response::RenderedError;
use axum::http::StatusCode;
use tenantry_core::team::TeamError;

use super::body::plain;

/// Renders an error of a team's rules.
pub(super) fn of_team(error: TeamError) -> RenderedError {
    let forbidden = |detail: &str| plain(StatusCode::FORBIDDEN, "NotPermitted", detail);
    match error {
        TeamError::OrganizationNotFound | TeamError::NotFound => {
            plain(StatusCode::NOT_FOUND, "ResourceNotFound", "Not found")
        }
        TeamError::AlreadyMember => {
            plain(StatusCode::CONFLICT, "ResourceAlreadyExists", "This user is already in the team.")
        }
        TeamError::AlreadyOwner => {
            plain(StatusCode::CONFLICT, "ResourceAlreadyExists", "This user is the owner already.")
        }
        TeamError::InvitationRequired => {
            forbidden("People join this team by invitation: invite the person instead.")
        }
        TeamError::NotOffered => forbidden("The ownership of the organization is not offered to you."),
        TeamError::CannotRemoveOwner => {
            forbidden("The owner of an organization cannot be removed: transfer the organization first.")
        }
        TeamError::CannotRemoveSelf => {
            forbidden("You cannot remove yourself: leave the organization instead.")
        }
        TeamError::OwnerRoleFixed => {
            forbidden("The role of an organization's owner cannot change: transfer the organization first.")
        }
        TeamError::OwnerCannotLeave => {
            forbidden("The owner of an organization cannot leave it: transfer the organization first.")
        }
        TeamError::OnlyMember => forbidden("The only member of the team cannot leave."),
        TeamError::LastManager => plain(
            StatusCode::FORBIDDEN,
            "OrganizationWouldHaveNoAdmins",
            "The team needs at least one member who can manage the organization.",
        ),
    }
}
