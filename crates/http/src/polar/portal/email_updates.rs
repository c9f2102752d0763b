//! A customer's change of address in the portal (docs/contracts/polar/portal.md, 8.5).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tenantry_app::email_updates::EmailUpdateRequest;

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::wire::{Email, Validation, Wire, inline_schema, wire_object};

wire_object! {
    /// A new address. The customer must be able to read mail there.
    EmailUpdateRequestBody {
        /// The address.
        email: Email,
    }
}

/// The secret that was mailed to a new address.
#[derive(Debug, Clone)]
pub(crate) struct ProofText(String);

impl Wire for ProofText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        if !text.is_ascii() {
            let msg = "Value error, a token has only ASCII characters";
            at.violate("value_error", msg, value, Some(json!({"error": {}})));
            return None;
        }
        Some(Self(text))
    }
}

inline_schema! { ProofText => {"type": "string"} }

wire_object! {
    /// The proof that the customer reads mail at the new address.
    EmailUpdateVerifyBody {
        /// The secret from the mail.
        token: ProofText,
    }
}

/// The session that begins after a change of address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerEmailUpdateVerifyResponse")]
pub(crate) struct VerifiedView<'a> {
    /// Its bearer token.
    token: &'a str,
}

pub(super) async fn request(call: Call) -> Result<Response, ErrorResponse> {
    call.app.portal_caller(&call.requester()).await?.check_billing()?;
    let mut input = Input::new(&call);
    let body = input.body();
    let EmailUpdateRequestBody { email } = input.finish(body)?;
    let hash_key = call.app.hash_key().clone();
    let operation = EmailUpdateRequest { by: call.requester(), email: email.0, hash_key };
    Ok(call.write_once(operation, |()| to_stored(StatusCode::ACCEPTED, &())).await?)
}

pub(super) async fn check(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let token = input.query::<ProofText>("token");
    if token.as_ref().is_some_and(Option::is_none) {
        input.at.within("query", |at| at.within("token", |at| at.missing(&Value::Null)));
    }
    let ProofText(token) = input.finish(token.flatten())?;
    call.app.email_update_check(&token).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn verify(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let EmailUpdateVerifyBody { token: ProofText(token) } = input.finish(body)?;
    let origin = (Some(call.request_id.clone()), call.client());
    let secret = call.app.email_update_verify(token, None, origin).await?;
    Ok(response::json(StatusCode::OK, &VerifiedView { token: secret.expose() }))
}
