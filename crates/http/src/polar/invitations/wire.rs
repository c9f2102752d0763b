//! Wire types of invitations.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::invitations::{InvitationDetails, InvitationKey, InvitationLookup, IssuedInvitation};
use tenantry_core::Timestamp;
use tenantry_core::ids::{InvitationId, OrganizationId, UserId};
use tenantry_core::invitation::{InvitationState, InvitationStatus, NewInvitation, accept_url};
use tenantry_core::team::TeamRole;
use tenantry_core::values::{Metadata, PersonName};
use uuid::Uuid;

use crate::polar::team::wire::{AssignableRole, role_name};
use crate::polar::tokens::wire::ExpiresIn;
use crate::polar::values::{MetadataObject, NameText};
use crate::wire::{
    AnyUuid, BoundedText, Email, Field, Uuid4, Validation, Wire, inline_schema, name_list, object_of,
    wire_object,
};

name_list! {
    /// A status of an invitation.
    StatusName(InvitationStatus) as "enum" of &InvitationStatus::NAMES, by InvitationStatus::from_name
}

wire_object! {
    /// A person to invite.
    InvitationCreateBody {
        /// E-mail address of the person.
        email: Email,
        /// The role that the person gets; by default `member`.
        role: Option<AssignableRole>,
        /// Display name in the team.
        name: Option<NameText>,
        /// The time for which the invitation can be accepted: 7 days by default, at most 30.
        expires_in: Option<ExpiresIn>,
        /// Whether the person gets a mail with the link; by default true. Otherwise the response has the link.
        send_email: Option<bool>,
        /// Data of your own.
        metadata: Option<MetadataObject>,
    }
}

impl InvitationCreateBody {
    /// The person, and whether a mail is sent.
    pub(super) fn split(self) -> (NewInvitation, bool) {
        let Self { email, role, name, expires_in, send_email, metadata } = self;
        let new = NewInvitation {
            email: email.0,
            name: name.and_then(|name| name.0),
            role: role.map_or(TeamRole::Developer, |role| role.0.to),
            expires_in: expires_in.map(|expires_in| expires_in.0),
            metadata: metadata.map(|metadata| metadata.0).unwrap_or_default(),
        };
        (new, send_email.unwrap_or(true))
    }
}

wire_object! {
    /// An invitation to send again.
    InvitationResendBody {
        /// Whether the person gets a mail with the new link; by default true. Otherwise the response has the link.
        send_email: Option<bool>,
    }
}

/// The secret of an invitation.
pub(crate) type InvitationToken = BoundedText<1, 200>;

wire_object! {
    /// The secret of an invitation.
    InvitationTokenBody {
        /// The token: the part of the link after `#`.
        token: InvitationToken,
    }
}

/// The invitation to accept: by its secret, or by its ids.
#[derive(Debug, Clone)]
pub(crate) struct InvitationAcceptBody(pub(super) InvitationKey);

impl Wire for InvitationAcceptBody {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        if !object.contains_key("id") {
            let token = <InvitationToken as Field>::read_field(object, "token", at)?;
            return Some(Self(InvitationKey::Secret(token.0)));
        }
        let organization = <Uuid4 as Field>::read_field(object, "organization_id", at);
        let id = <Uuid4 as Field>::read_field(object, "id", at);
        let (organization, id) = organization.zip(id)?;
        Some(Self(InvitationKey::Id(OrganizationId::new(organization.0), InvitationId::new(id.0))))
    }
}

inline_schema! {
    InvitationAcceptBody => {
        "type": "object",
        "anyOf": [{"required": ["token"]}, {"required": ["organization_id", "id"]}],
        "properties": {
            "token": {
                "type": "string", "minLength": 1, "maxLength": 200,
                "description": "The token: the part of the link after `#`."
            },
            "organization_id": {
                "type": "string", "format": "uuid4",
                "description": "The organization, for an invitation that the caller's list shows."
            },
            "id": {"type": "string", "format": "uuid4", "description": "The invitation."}
        }
    }
}

/// The party that made an invitation.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationInviter", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct InviterView<'a> {
    /// `user`, or `organization` for its tokens.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["user", "organization"]))]
    kind: &'static str,
    /// The user, or the organization.
    #[schemars(with = "AnyUuid")]
    id: Uuid,
    /// The name; null for a person who has left the team.
    name: Option<&'a str>,
}

/// An invitation to the team of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct InvitationView<'a> {
    /// Its id.
    #[schemars(with = "Uuid4")]
    id: InvitationId,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it was last sent again, or ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// E-mail address of the person.
    email: &'a str,
    /// Display name in the team.
    name: Option<&'a str>,
    /// The role that the person gets.
    #[schemars(extend("enum" = ["admin", "finance", "member"]))]
    role: &'static str,
    /// The status. A pending invitation is expired once its time has passed.
    #[schemars(extend("enum" = ["pending", "accepted", "declined", "revoked", "expired"]))]
    status: &'static str,
    /// The end of the time in which it can be accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// When the person accepted it, or joined the team another way.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    accepted_at: Option<Timestamp>,
    /// When the person declined it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    declined_at: Option<Timestamp>,
    /// When it was revoked.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    revoked_at: Option<Timestamp>,
    /// The party that made it.
    invited_by: InviterView<'a>,
    /// The user that accepted it.
    #[schemars(with = "Option<AnyUuid>")]
    accepted_by_id: Option<UserId>,
    /// When a mail with its link was last written.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_sent_at: Option<Timestamp>,
    /// Number of mails with its link.
    sent_count: u32,
    /// Data of your own.
    #[schemars(with = "MetadataObject")]
    metadata: &'a Metadata,
}

impl<'a> InvitationView<'a> {
    pub(super) fn new(details: &'a InvitationDetails, now: Timestamp) -> Self {
        let InvitationDetails { invitation, organization_name, inviter_name } = details;
        let invited_by = match invitation.invited_by {
            Some(user) => InviterView { kind: "user", id: user.uuid(), name: inviter_name.as_deref() },
            None => InviterView {
                kind: "organization",
                id: invitation.organization.uuid(),
                name: Some(organization_name),
            },
        };
        Self {
            id: invitation.id,
            created_at: invitation.created_at,
            modified_at: invitation.modified_at,
            organization_id: invitation.organization,
            email: invitation.email.as_str(),
            name: invitation.name.as_ref().map(PersonName::as_str),
            role: role_name(invitation.role),
            status: invitation.status(now).as_str(),
            expires_at: invitation.expires_at,
            accepted_at: invitation.settled_as(InvitationState::Accepted),
            declined_at: invitation.settled_as(InvitationState::Declined),
            revoked_at: invitation.settled_as(InvitationState::Revoked),
            invited_by,
            accepted_by_id: invitation.accepted_by,
            last_sent_at: invitation.last_sent_at,
            sent_count: invitation.sent_count,
            metadata: &invitation.metadata,
        }
    }
}

/// An invitation that was made or sent again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationIssued")]
pub(crate) struct InvitationIssuedView<'a> {
    #[serde(flatten)]
    invitation: InvitationView<'a>,
    /// The link with which the person answers, if no mail carries it. No other response contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_url: Option<String>,
}

impl<'a> InvitationIssuedView<'a> {
    pub(super) fn new(issued: &'a IssuedInvitation, now: Timestamp, public_url: &str) -> Self {
        let link = issued.secret.as_ref().map(|secret| accept_url(public_url, secret.expose()));
        Self { invitation: InvitationView::new(&issued.details, now), accept_url: link }
    }
}

/// An invitation as the holder of its token sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationLookup", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct InvitationLookupView<'a> {
    /// Name of the organization.
    organization_name: &'a str,
    /// The address that it is for, of which the first letter and the domain are shown.
    email: String,
    /// The role that the person gets.
    #[schemars(extend("enum" = ["admin", "finance", "member"]))]
    role: &'static str,
    /// The status.
    #[schemars(extend("enum" = ["pending", "accepted", "declined", "revoked", "expired"]))]
    status: &'static str,
    /// The end of the time in which it can be accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// Name or address of the person who made it.
    invited_by_name: Option<&'a str>,
}

impl<'a> From<&'a InvitationLookup> for InvitationLookupView<'a> {
    fn from(found: &'a InvitationLookup) -> Self {
        Self {
            organization_name: &found.organization_name,
            email: found.masked_email.clone(),
            role: role_name(found.role),
            status: found.status.as_str(),
            expires_at: found.expires_at,
            invited_by_name: found.inviter_name.as_deref(),
        }
    }
}

impl<'a> InvitationLookupView<'a> {
    pub(super) fn of(details: &'a InvitationDetails, now: Timestamp) -> Self {
        let InvitationDetails { invitation, organization_name, inviter_name } = details;
        Self {
            organization_name,
            email: invitation.email.masked(),
            role: role_name(invitation.role),
            status: invitation.status(now).as_str(),
            expires_at: invitation.expires_at,
            invited_by_name: inviter_name.as_deref(),
        }
    }
}

/// An invitation as the person that it is for sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UserInvitation", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct UserInvitationView<'a> {
    /// Its id.
    #[schemars(with = "Uuid4")]
    id: InvitationId,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// Name of the organization.
    organization_name: &'a str,
    /// The address that it is for.
    email: &'a str,
    /// The role that the person gets.
    #[schemars(extend("enum" = ["admin", "finance", "member"]))]
    role: &'static str,
    /// The status.
    #[schemars(extend("enum" = ["pending", "accepted", "declined", "revoked", "expired"]))]
    status: &'static str,
    /// The end of the time in which it can be accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// When it was accepted.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    accepted_at: Option<Timestamp>,
    /// Name or address of the person who made it.
    invited_by_name: Option<&'a str>,
}

impl<'a> UserInvitationView<'a> {
    pub(super) fn new(details: &'a InvitationDetails, now: Timestamp) -> Self {
        let InvitationDetails { invitation, organization_name, inviter_name } = details;
        Self {
            id: invitation.id,
            created_at: invitation.created_at,
            organization_id: invitation.organization,
            organization_name,
            email: invitation.email.as_str(),
            role: role_name(invitation.role),
            status: invitation.status(now).as_str(),
            expires_at: invitation.expires_at,
            accepted_at: invitation.settled_as(InvitationState::Accepted),
            invited_by_name: inviter_name.as_deref(),
        }
    }
}
