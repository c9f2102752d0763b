//! Webhook endpoints and deliveries (docs/contracts/polar/webhooks.md, 9).

mod handlers;
pub(super) mod payload;
pub(super) mod view;
pub(super) mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use crate::wire::TokenRotate;
use view::{DeliveryView, EndpointView, EventView};
use wire::{CODE_CLASSES, EndpointCreateBody, EndpointUpdateBody};

const DELIVERIES: &[Parameter] = &[
    PAGE,
    LIMIT,
    Parameter::query(
        "endpoint_id",
        || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
        "To these endpoints.",
    ),
    Parameter::query(
        "start_timestamp",
        || json!({"type": "string", "format": "date-time"}),
        "Only attempts after this time.",
    ),
    Parameter::query(
        "end_timestamp",
        || json!({"type": "string", "format": "date-time"}),
        "Only attempts before this time.",
    ),
    Parameter::query(
        "succeeded",
        || json!({"type": "boolean"}),
        "Only successful attempts (`true`) or failed ones (`false`).",
    ),
    Parameter::query(
        "http_code_class",
        || json!({"type": "string", "enum": CODE_CLASSES}),
        "Only attempts whose response has a status of this class.",
    ),
    Parameter::query(
        "event_type",
        || json!({"type": "array", "items": {"type": "string"}}),
        "Only attempts for events of these types. Attempts for test events are listed only where this names them.",
    ),
    Parameter::query(
        "query",
        || json!({"type": "string"}),
        "Only attempts whose id, event id or status contains this text.",
    ),
];
const WEBHOOKS_OF: Parameter = Parameter::query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Of these organizations.",
);
const WEBHOOKS_READ: Access =
    Access::Scoped(&[RequiredScope::new("webhooks:read"), RequiredScope::new("webhooks:write")]);
const WEBHOOKS_WRITE: Access = Access::Scoped(&[RequiredScope::new("webhooks:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[PAGE, LIMIT, WEBHOOKS_OF],
        response: Some(schema::<ListResource<EndpointView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/webhooks/endpoints",
            "webhooks:list_webhook_endpoints",
            "List webhook endpoints",
            WEBHOOKS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<EndpointCreateBody>),
        returns_secret: true,
        success: 201,
        response: Some(schema::<EndpointView<'static>>),
        errors: &[422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/webhooks/endpoints",
            "webhooks:create_webhook_endpoint",
            "Create a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:get_webhook_endpoint",
            "Get a webhook endpoint",
            WEBHOOKS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<EndpointUpdateBody>),
        response: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:update_webhook_endpoint",
            "Update a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:delete_webhook_endpoint",
            "Delete a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        response: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/webhooks/endpoints/{id}/secret",
            "webhooks:reset_webhook_endpoint_secret",
            "Reset the secret of a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(handlers::reset_secret),
        )
    },
    Endpoint {
        body: Some(schema::<TokenRotate>),
        returns_secret: true,
        response: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/webhooks/endpoints/{id}/rotate",
            "webhooks:rotate_webhook_endpoint_secret",
            "Give a webhook endpoint a new secret; the old one signs on for an overlap",
            WEBHOOKS_WRITE,
            handler!(handlers::rotate),
        )
    },
    Endpoint {
        success: 202,
        response: Some(schema::<EventView<'static>>),
        errors: &[404, 409, 422, 429],
        ..Endpoint::new(
            Method::Post,
            "/v1/webhooks/endpoints/{id}/test",
            "webhooks:test_webhook_endpoint",
            "Send a test event to a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(handlers::test),
        )
    },
    Endpoint {
        parameters: DELIVERIES,
        response: Some(schema::<ListResource<DeliveryView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/webhooks/deliveries",
            "webhooks:list_webhook_deliveries",
            "List the attempts to deliver webhooks",
            WEBHOOKS_READ,
            handler!(handlers::deliveries),
        )
    },
    Endpoint {
        success: 202,
        response: Some(schema::<()>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/webhooks/events/{id}/redeliver",
            "webhooks:redeliver_webhook_event",
            "Redeliver a webhook event",
            WEBHOOKS_WRITE,
            handler!(handlers::redeliver),
        )
    },
];
