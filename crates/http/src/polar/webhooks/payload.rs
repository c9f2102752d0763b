//! The payload of a webhook: the same objects that the API shows (docs/contracts/polar/webhooks.md, 9.3).

use serde::Serialize;
use tenantry_core::Timestamp;
use tenantry_core::webhook::{Event, EventData};

use crate::polar::customers::state::CustomerStateView;
use crate::polar::customers::wire::CustomerView;
use crate::polar::members::wire::MemberView;
use crate::polar::organizations::view::OrganizationView;
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
