//! Sessions of the customer portal, created and ended by the organization (docs/contracts/polar/portal.md, 7).

mod ends;
mod handlers;
pub(super) mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use ends::SessionItemsView;
use wire::{CustomerSessionView, SessionCreateBody};

const SESSIONS_WRITE: Access = Access::Scoped(&[RequiredScope::new("customer_sessions:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        body: Some(schema::<SessionCreateBody>),
        returns_secret: true,
        success: 201,
        response: Some(schema::<CustomerSessionView<'static>>),
        errors: &[409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customer-sessions",
            "customer-sessions:create",
            "Create a session of the customer portal",
            SESSIONS_WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<SessionItemsView>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/{id}/sessions",
            "customers:sessions:list",
            "List the portal sessions of a customer",
            SESSIONS_WRITE,
            handler!(ends::list),
        )
    },
    Endpoint {
        parameters: &[Parameter::query(
            "member_id",
            || json!({"type": "string", "format": "uuid"}),
            "Only the sessions of this member.",
        )],
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/{id}/sessions",
            "customers:sessions:end_all",
            "End the portal sessions of a customer, or of one of its members",
            SESSIONS_WRITE,
            handler!(ends::end_all),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/{id}/sessions/{session_id}",
            "customers:sessions:end",
            "End a portal session of a customer",
            SESSIONS_WRITE,
            handler!(ends::end),
        )
    },
];
