//! Customers (docs/contracts/polar/customers.md, 5).

mod export;
mod handlers;
pub(super) use handlers::customer_name;
pub(super) mod state;
pub(super) mod wire;

use serde_json::{Value, json};
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::export::BOM;
use crate::polar::page::{LIMIT, ListResource, PAGE};
use state::CustomerStateView;
use wire::{CustomerCreateBody, CustomerUpdateBody, CustomerView};

const ANONYMIZE: Parameter = Parameter::query(
    "anonymize",
    || json!({"type": "boolean", "default": false}),
    "Whether to replace the personal data of the customer and its members as well.",
);
const CUSTOMERS_READ: Access =
    Access::Scoped(&[RequiredScope::new("customers:read"), RequiredScope::new("customers:write")]);
const CUSTOMERS_WRITE: Access = Access::Scoped(&[RequiredScope::new("customers:write")]);
const ORGANIZATIONS: Parameter = Parameter::query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Only customers of these organizations.",
);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            Parameter::query(
                "organization_id",
                || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
                "Only customers of these organizations.",
            ),
            Parameter::query(
                "email",
                || json!({"type": "string"}),
                "Only the customer with this address, compared without case.",
            ),
            Parameter::query(
                "query",
                || json!({"type": "string"}),
                "Only customers whose address or name contains this text, or whose external id begins with it.",
            ),
            Parameter::query(
                "active",
                || json!({"type": "boolean"}),
                "Only customers with a subscription (`true`) or without one (`false`).",
            ),
            Parameter::query(
                "metadata",
                || json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "Only customers with this metadata: `metadata[key]=value`.",
            ),
            Parameter::query(
                "sorting",
                || json!({"type": "array", "items": {"type": "string"}}),
                "The order.",
            ),
        ],
        response: Some(schema::<ListResource<CustomerView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers",
            "customers:list",
            "List customers",
            CUSTOMERS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerCreateBody>),
        success: 201,
        response: Some(schema::<CustomerView<'static>>),
        errors: &[422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/customers",
            "customers:create",
            "Create a customer",
            CUSTOMERS_WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<CustomerView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/{id}",
            "customers:get",
            "Get a customer",
            CUSTOMERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerUpdateBody>),
        response: Some(schema::<CustomerView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customers/{id}",
            "customers:update",
            "Update a customer",
            CUSTOMERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        parameters: &[ANONYMIZE],
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/{id}",
            "customers:delete",
            "Delete a customer and its members",
            CUSTOMERS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        response: Some(schema::<CustomerView<'static>>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/customers/{id}/restore",
            "customers:restore",
            "Bring a deleted customer back, with the members that were deleted with it",
            CUSTOMERS_WRITE,
            handler!(handlers::restore),
        )
    },
    Endpoint {
        response: Some(schema::<CustomerView<'static>>),
        errors: &[404, 409],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/external/{external_id}",
            "customers:get_external",
            "Get a customer by external id",
            CUSTOMERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerUpdateBody>),
        response: Some(schema::<CustomerView<'static>>),
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customers/external/{external_id}",
            "customers:update_external",
            "Update a customer by external id",
            CUSTOMERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        parameters: &[ANONYMIZE],
        success: 204,
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/external/{external_id}",
            "customers:delete_external",
            "Delete a customer by external id",
            CUSTOMERS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        parameters: &[ORGANIZATIONS, BOM],
        content_types: &["text/csv"],
        response: Some(schema::<String>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/export",
            "customers:export",
            "Export all customers as CSV",
            CUSTOMERS_READ,
            handler!(export::export),
        )
    },
    Endpoint {
        response: Some(schema::<CustomerStateView<'static>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/{id}/state",
            "customers:get_state",
            "Get a customer with its subscriptions, benefits and meters",
            CUSTOMERS_READ,
            handler!(state::get),
        )
    },
    Endpoint {
        response: Some(schema::<CustomerStateView<'static>>),
        errors: &[404, 409],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/external/{external_id}/state",
            "customers:get_state_external",
            "Get a customer by external id with its subscriptions, benefits and meters",
            CUSTOMERS_READ,
            handler!(state::get),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        response: Some(schema::<ListResource<Value>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/{id}/payment-methods",
            "customers:list_payment_methods",
            "List a customer's payment methods (always empty)",
            CUSTOMERS_READ,
            handler!(state::payment_methods),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        response: Some(schema::<ListResource<Value>>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/external/{external_id}/payment-methods",
            "customers:list_payment_methods_external",
            "List a customer's payment methods by external id (always empty)",
            CUSTOMERS_READ,
            handler!(state::payment_methods),
        )
    },
];
