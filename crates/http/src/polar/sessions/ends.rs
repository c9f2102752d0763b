//! The sessions of a customer, which its organization sees and ends.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::sessions::{SessionEnd, SessionsEnd};
use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId, SessionId};
use tenantry_core::portal::CustomerSession;

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::customers::customer_name;
use crate::polar::errors::ErrorResponse;
use crate::wire::{AnyUuid, Uuid4};

/// Sessions of one customer that a list shows: as many as there can be.
const SHOWN: usize = 500;

/// A session of a customer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerSessionItem", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct SessionItemView {
    /// The session's id.
    #[schemars(with = "Uuid4")]
    id: SessionId,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// The customer.
    #[schemars(with = "Uuid4")]
    customer_id: CustomerId,
    /// The member, if it is the session of one.
    #[schemars(with = "Option<Uuid4>")]
    member_id: Option<MemberId>,
}

impl From<CustomerSession> for SessionItemView {
    fn from(session: CustomerSession) -> Self {
        let CustomerSession { id, created_at, expires_at, customer, member, .. } = session;
        Self { id, created_at, expires_at, customer_id: customer, member_id: member }
    }
}

/// The sessions of a customer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerSessionItems", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct SessionItemsView {
    /// The sessions that have not ended, newest first.
    items: Vec<SessionItemView>,
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let customer = customer_name(&call)?;
    let sessions = call.app.customer_sessions(&call.requester(), &customer, SHOWN).await?;
    let items = sessions.into_iter().map(|(session, _)| session.into()).collect();
    Ok(response::json(StatusCode::OK, &SessionItemsView { items }))
}

pub(super) async fn end_all(call: Call) -> Result<Response, ErrorResponse> {
    let customer = customer_name(&call)?;
    let mut input = Input::new(&call);
    let member = input.query::<AnyUuid>("member_id");
    let member = input.finish(member)?.map(|id| MemberId::new(id.0));
    let hash_key = call.app.hash_key().clone();
    call.write(SessionsEnd { by: call.requester(), customer, member, hash_key }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn end(call: Call) -> Result<Response, ErrorResponse> {
    let customer = customer_name(&call)?;
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("session_id");
    let session = SessionId::new(input.finish(id)?.0);
    call.write(SessionEnd { by: call.requester(), customer, session }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
