//! Signing in to the portal by a mailed code (docs/contracts/polar/portal.md, 8.3).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::portal_sign_in::PortalCodeRequest;
use tenantry_core::ids::{CustomerId, OrganizationId};

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::wire::{Email, Uuid4, wire_object};

wire_object! {
    /// The address to which a code is mailed.
    CustomerSessionCodeRequestBody {
        /// The address of a customer, or of one of its members.
        email: Email,
        /// The organization whose customer it is.
        organization_id: Uuid4,
        /// The customer, if the address belongs to several.
        customer_id: Option<Uuid4>,
    }
}

wire_object! {
    /// A code from a mail.
    CustomerSessionCodeAuthenticateBody {
        /// The code: six letters and digits.
        code: String,
    }
}

/// The session that begins with a code.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerSessionCodeAuthenticateResponse")]
pub(crate) struct AuthenticatedView<'a> {
    /// Its bearer token.
    token: &'a str,
}

pub(super) async fn request(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let CustomerSessionCodeRequestBody { email, organization_id, customer_id } = input.finish(body)?;
    let request = PortalCodeRequest {
        organization: OrganizationId::new(organization_id.0),
        email: email.0,
        language: None,
        address: call.address,
    };
    let customer = customer_id.map(|id| CustomerId::new(id.0));
    call.app.portal_request_code_alone(request, customer).await?;
    Ok(response::json(StatusCode::ACCEPTED, &()))
}

pub(super) async fn authenticate(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let CustomerSessionCodeAuthenticateBody { code } = input.finish(body)?;
    let origin = (Some(call.request_id.clone()), call.client());
    let secret = call.app.portal_authenticate(code, call.address, origin).await?;
    Ok(response::json(StatusCode::OK, &AuthenticatedView { token: secret.expose() }))
}
