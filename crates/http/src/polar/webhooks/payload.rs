//! The payload of a webhook: the same objects that the API shows (docs/contracts/polar/webhooks.md, 9.3).

use serde::Serialize;
use tenantry_core::Timestamp;
use tenantry_core::ids::{InvitationId, OrganizationId, UserId, WebhookEndpointId};
use tenantry_core::webhook::{Event, EventData, InvitationStep, Membership, OwnershipChange, WebhookTest};

use crate::polar::customers::state::CustomerStateView;
use crate::polar::customers::wire::CustomerView;
use crate::polar::members::wire::MemberView;
use crate::polar::organizations::view::OrganizationView;
use crate::polar::team::wire::role_name;
use crate::polar::tokens::wire::AccessTokenView;
use crate::polar::version;

#[derive(Serialize)]
struct Payload<T> {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: Timestamp,
    data: T,
    /// Clients of version 1.0 refuse an event without it.
    api_version: &'static str,
}

/// The data of `organization.transferred`.
#[derive(Serialize)]
struct OwnershipView {
    organization_id: OrganizationId,
    former_owner_id: UserId,
    owner_id: UserId,
}

/// The data of the events about a team.
#[derive(Serialize)]
struct MembershipView {
    organization_id: OrganizationId,
    user_id: UserId,
    created_at: Timestamp,
    role: &'static str,
}

/// The data of the events about invitations.
#[derive(Serialize)]
struct InvitationStepView {
    id: InvitationId,
    organization_id: OrganizationId,
    created_at: Timestamp,
    role: &'static str,
    status: &'static str,
    expires_at: Timestamp,
    accepted_by_id: Option<UserId>,
}

impl From<&InvitationStep> for InvitationStepView {
    fn from(step: &InvitationStep) -> Self {
        let InvitationStep { organization, id, role, state, created_at, expires_at, accepted_by } = *step;
        Self {
            id,
            organization_id: organization,
            created_at,
            role: role_name(role),
            status: state.as_str(),
            expires_at,
            accepted_by_id: accepted_by,
        }
    }
}

/// The data of a test event.
#[derive(Serialize)]
struct TestView {
    webhook_endpoint_id: WebhookEndpointId,
    organization_id: OrganizationId,
    is_test: bool,
}

/// The body of the request that delivers an event.
///
/// # Errors
/// When the event cannot be serialized as JSON.
pub fn webhook_payload(event: &Event) -> Result<String, serde_json::Error> {
    match &event.data {
        EventData::Customer(customer) => written(event, CustomerView::from(customer.as_ref())),
        EventData::CustomerState(customer) => written(event, CustomerStateView::from(customer.as_ref())),
        EventData::Member(member) => written(event, MemberView::from(member.as_ref())),
        EventData::Organization(organization) => {
            written(event, OrganizationView::from(organization.as_ref()))
        }
        EventData::Ownership(OwnershipChange { organization, former_owner, owner }) => written(
            event,
            OwnershipView {
                organization_id: *organization,
                former_owner_id: *former_owner,
                owner_id: *owner,
            },
        ),
        EventData::TeamMember(Membership { organization, user, role, created_at }) => written(
            event,
            MembershipView {
                organization_id: *organization,
                user_id: *user,
                created_at: *created_at,
                role: role_name(*role),
            },
        ),
        EventData::Invitation(step) => written(event, InvitationStepView::from(step)),
        EventData::AccessToken(token) => written(event, AccessTokenView::from(token.as_ref())),
        EventData::Test(WebhookTest { organization, endpoint }) => written(
            event,
            TestView { webhook_endpoint_id: *endpoint, organization_id: *organization, is_test: true },
        ),
    }
}

fn written<T: Serialize>(event: &Event, data: T) -> Result<String, serde_json::Error> {
    let payload = Payload {
        event_type: event.event_type.as_str(),
        timestamp: event.created_at,
        data,
        api_version: version::DEFAULT,
    };
    serde_json::to_string(&payload)
}
