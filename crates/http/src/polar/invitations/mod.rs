//! Invitations to the team of an organization (docs/API.md). The original has none.

mod bulk;
mod handlers;
mod wire;

use serde_json::json;
use tenantry_core::invitation::InvitationStatus;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use bulk::{InvitationBulkBody, InvitationBulkView};
use wire::{
    InvitationAcceptBody, InvitationCreateBody, InvitationIssuedView, InvitationLookupView,
    InvitationResendBody, InvitationTokenBody, InvitationView, UserInvitationView,
};

const READ: Access =
    Access::Scoped(&[RequiredScope::new("organizations:read"), RequiredScope::new("organizations:write")]);
const WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);
const PERSON_READ: Access = Access::UserScoped(&[
    RequiredScope::new("organizations:read"),
    RequiredScope::new("organizations:write"),
]);
const PERSON_WRITE: Access = Access::UserScoped(&[RequiredScope::new("organizations:write")]);

const STATUS: Parameter = Parameter::query(
    "status",
    || json!({"type": "string", "enum": InvitationStatus::NAMES}),
    "Only invitations of this status.",
);
const QUERY: Parameter =
    Parameter::query("query", || json!({"type": "string"}), "Only addresses that contain this text.");
const SORTING: Parameter = Parameter::query(
    "sorting",
    || json!({"type": "array", "items": {"type": "string"}}),
    "The order: `created_at`, `email`, `expires_at`, with `-` in front for descending.",
);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        body: Some(schema::<InvitationCreateBody>),
        returns_secret: true,
        success: 201,
        unchanged: Some(200),
        response: Some(schema::<InvitationIssuedView<'static>>),
        errors: &[404, 409, 422, 429],
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/invitations",
            "organizations:invitations:create",
            "Invite a person to the team of an organization",
            WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT, STATUS, QUERY, SORTING],
        response: Some(schema::<ListResource<InvitationView<'static>>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/invitations",
            "organizations:invitations:list",
            "List the invitations to the team of an organization",
            READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<InvitationBulkBody>),
        returns_secret: true,
        response: Some(schema::<InvitationBulkView<'static>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/invitations/bulk",
            "organizations:invitations:bulk_create",
            "Invite up to 100 people to the team of an organization",
            WRITE,
            handler!(bulk::create),
        )
    },
    Endpoint {
        response: Some(schema::<InvitationView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/invitations/{invitation_id}",
            "organizations:invitations:get",
            "Get an invitation to the team of an organization",
            READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<InvitationResendBody>),
        returns_secret: true,
        response: Some(schema::<InvitationIssuedView<'static>>),
        errors: &[404, 409, 422, 429],
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/invitations/{invitation_id}/resend",
            "organizations:invitations:resend",
            "Send an invitation again, with another link; the one before it does not work any more",
            WRITE,
            handler!(handlers::resend),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/organizations/{id}/invitations/{invitation_id}",
            "organizations:invitations:revoke",
            "Revoke an invitation to the team of an organization",
            WRITE,
            handler!(handlers::revoke),
        )
    },
    Endpoint {
        body: Some(schema::<InvitationTokenBody>),
        response: Some(schema::<InvitationLookupView<'static>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/invitations/lookup",
            "invitations:lookup",
            "Show the invitation of the token in the body",
            Access::Public,
            handler!(handlers::lookup),
        )
    },
    Endpoint {
        body: Some(schema::<InvitationAcceptBody>),
        response: Some(schema::<UserInvitationView<'static>>),
        errors: &[403, 404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/invitations/accept",
            "invitations:accept",
            "Accept an invitation, as the person whose proved address it is for",
            PERSON_WRITE,
            handler!(handlers::accept),
        )
    },
    Endpoint {
        body: Some(schema::<InvitationTokenBody>),
        response: Some(schema::<InvitationLookupView<'static>>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/invitations/decline",
            "invitations:decline",
            "Decline the invitation of the token in the body",
            Access::Public,
            handler!(handlers::decline),
        )
    },
    Endpoint {
        response: Some(schema::<ListResource<UserInvitationView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/users/me/invitations",
            "users:list_invitations",
            "List the invitations that wait for the caller's proved address",
            PERSON_READ,
            handler!(handlers::mine),
        )
    },
];
