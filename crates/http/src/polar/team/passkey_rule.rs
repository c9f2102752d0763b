//! The rule of an organization that its team signs in to the console with a passkey.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::console::PasskeyRuleSet;
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::wire::{Uuid4, wire_object};

wire_object! {
    /// Whether an organization requires a passkey of its team.
    PasskeyRuleBody {
        /// Whether a passkey is required. If so, a session of the console that began with a mailed code does not see the
        /// organization.
        required: bool,
    }
}

/// Whether an organization requires a passkey of its team.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PasskeyRule", transform = crate::api::openapi::all_fields_required)]
pub(super) struct PasskeyRuleView {
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// Whether a passkey is required.
    required: bool,
    /// Since when a passkey is required. `null` if it is not.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    required_at: Option<Timestamp>,
}

async fn shown(call: &Call, organization_id: OrganizationId) -> Result<Response, ErrorResponse> {
    let required_at = call.app.passkey_required_at(&call.requester(), organization_id).await?;
    let view = PasskeyRuleView { organization_id, required: required_at.is_some(), required_at };
    Ok(response::json(StatusCode::OK, &view))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    shown(&call, OrganizationId::new(input.finish(id)?.0)).await
}

pub(super) async fn set(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<PasskeyRuleBody>();
    let (id, PasskeyRuleBody { required }) = input.finish(id.zip(body))?;
    let (by, organization) = (call.requester(), OrganizationId::new(id.0));
    call.write(PasskeyRuleSet { by, organization, is_required: required }).await?;
    shown(&call, organization).await
}
