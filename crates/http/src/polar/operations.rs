//! The dialect's operations: what is served, documented and checked.

use serde_json::json;
use tenantry_core::token::RequiredScope;

use super::customers::{self, CustomerCreateBody, CustomerUpdateBody, CustomerView};
use super::members::{self, CustomerMemberCreateBody, MemberCreateBody, MemberUpdateBody, MemberView};
use super::organizations::{self, OrganizationView};
use super::organizations_input::{OrganizationCreateBody, OrganizationUpdateBody};
use super::page::{LIMIT, ListResource, PAGE};
use super::webhooks::{self, DeliveryView, EndpointView};
use super::webhooks_input::{CODE_CLASSES, EndpointCreateBody, EndpointUpdateBody};
use crate::route::{Access, Endpoint, JSON, Method, Parameter, handler, schema};

const MEMBERS_READ: Access =
    Access::Scoped(&[RequiredScope::new("members:read"), RequiredScope::new("members:write")]);
const MEMBERS_WRITE: Access = Access::Scoped(&[RequiredScope::new("members:write")]);
pub(super) const CUSTOMERS_READ: Access =
    Access::Scoped(&[RequiredScope::new("customers:read"), RequiredScope::new("customers:write")]);
const CUSTOMERS_WRITE: Access = Access::Scoped(&[RequiredScope::new("customers:write")]);
pub(super) const ORGANIZATIONS_READ: Access =
    Access::Scoped(&[RequiredScope::new("organizations:read"), RequiredScope::new("organizations:write")]);
const ORGANIZATIONS_WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);
const ORGANIZATIONS_CREATE: Access = Access::UserScoped(&[RequiredScope::new("organizations:write")]);

const WEBHOOKS_READ: Access =
    Access::Scoped(&[RequiredScope::new("webhooks:read"), RequiredScope::new("webhooks:write")]);
const WEBHOOKS_WRITE: Access = Access::Scoped(&[RequiredScope::new("webhooks:write")]);

pub(super) const fn query(
    name: &'static str,
    schema: fn() -> serde_json::Value,
    means: &'static str,
) -> Parameter {
    Parameter { name, place: "query", schema, means }
}

const CUSTOMER_ID: Parameter =
    query("customer_id", || json!({"type": "string", "format": "uuid"}), "The customer, by id.");
const EXTERNAL_CUSTOMER_ID: Parameter =
    query("external_customer_id", || json!({"type": "string"}), "The customer, by the id in your system.");
const OF_CUSTOMER: &[Parameter] = &[CUSTOMER_ID, EXTERNAL_CUSTOMER_ID];

const WEBHOOKS_OF: Parameter = query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Of these organizations.",
);
const DELIVERIES: &[Parameter] = &[
    PAGE,
    LIMIT,
    query(
        "endpoint_id",
        || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
        "To these endpoints.",
    ),
    query("start_timestamp", || json!({"type": "string", "format": "date-time"}), "After this time."),
    query("end_timestamp", || json!({"type": "string", "format": "date-time"}), "Before this time."),
    query("succeeded", || json!({"type": "boolean"}), "Successful ones, or failed ones."),
    query(
        "http_code_class",
        || json!({"type": "string", "enum": CODE_CLASSES}),
        "IdempotentResponse with a status of this class.",
    ),
    query(
        "event_type",
        || json!({"type": "array", "items": {"type": "string"}}),
        "For events of these types.",
    ),
    query("query", || json!({"type": "string"}), "With this in their id, their event's id or their status."),
];
const ANONYMIZE: Parameter = query(
    "anonymize",
    || json!({"type": "boolean", "default": false}),
    "Whether to forget as well who the customer and its members were.",
);

/// An operation that is not deprecated and has neither parameters nor body.
pub(super) const fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    access: Access,
    handler: fn(crate::call::Call) -> crate::route::Answering,
) -> Endpoint {
    Endpoint {
        method,
        path,
        id,
        summary,
        access,
        parameters: &[],
        body: None,
        success: 200,
        also: None,
        media: JSON,
        answer: None,
        errors: &[],
        deprecated: false,
        sends_mail: false,
        secret: false,
        handler,
    }
}

/// Every operation of the dialect.
pub(super) static ALL: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            query("slug", || json!({"type": "string"}), "The organization with this slug."),
            query("sorting", || json!({"type": "array", "items": {"type": "string"}}), "The order."),
        ],
        answer: Some(schema::<ListResource<OrganizationView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/organizations",
            "organizations:list",
            "List organizations",
            ORGANIZATIONS_READ,
            handler!(organizations::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationCreateBody>),
        success: 201,
        answer: Some(schema::<OrganizationView<'static>>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/organizations",
            "organizations:create",
            "Create an organization",
            ORGANIZATIONS_CREATE,
            handler!(organizations::create),
        )
    },
    Endpoint {
        answer: Some(schema::<OrganizationView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/organizations/{id}",
            "organizations:get",
            "Get an organization",
            ORGANIZATIONS_READ,
            handler!(organizations::get),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationUpdateBody>),
        answer: Some(schema::<OrganizationView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/organizations/{id}",
            "organizations:update",
            "Update an organization",
            ORGANIZATIONS_WRITE,
            handler!(organizations::update),
        )
    },
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            query(
                "organization_id",
                || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
                "Customers of these organizations.",
            ),
            query("email", || json!({"type": "string"}), "The customer with this address, in any case."),
            query(
                "query",
                || json!({"type": "string"}),
                "Customers with this in their address or name, or whose external id begins with it.",
            ),
            query("active", || json!({"type": "boolean"}), "Customers with, or without, a subscription."),
            query(
                "metadata",
                || json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "Customers with these notes: `metadata[key]=value`.",
            ),
            query("sorting", || json!({"type": "array", "items": {"type": "string"}}), "The order."),
        ],
        answer: Some(schema::<ListResource<CustomerView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/customers",
            "customers:list",
            "List customers",
            CUSTOMERS_READ,
            handler!(customers::list),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerCreateBody>),
        success: 201,
        answer: Some(schema::<CustomerView<'static>>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/customers",
            "customers:create",
            "Create a customer",
            CUSTOMERS_WRITE,
            handler!(customers::create),
        )
    },
    Endpoint {
        answer: Some(schema::<CustomerView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/customers/{id}",
            "customers:get",
            "Get a customer",
            CUSTOMERS_READ,
            handler!(customers::get),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerUpdateBody>),
        answer: Some(schema::<CustomerView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/customers/{id}",
            "customers:update",
            "Update a customer",
            CUSTOMERS_WRITE,
            handler!(customers::update),
        )
    },
    Endpoint {
        parameters: &[ANONYMIZE],
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/customers/{id}",
            "customers:delete",
            "Delete a customer and its members",
            CUSTOMERS_WRITE,
            handler!(customers::delete),
        )
    },
    Endpoint {
        answer: Some(schema::<CustomerView<'static>>),
        errors: &[404, 409],
        ..operation(
            Method::Get,
            "/v1/customers/external/{external_id}",
            "customers:get_external",
            "Get a customer by external id",
            CUSTOMERS_READ,
            handler!(customers::get),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerUpdateBody>),
        answer: Some(schema::<CustomerView<'static>>),
        errors: &[404, 409, 422],
        ..operation(
            Method::Patch,
            "/v1/customers/external/{external_id}",
            "customers:update_external",
            "Update a customer by external id",
            CUSTOMERS_WRITE,
            handler!(customers::update),
        )
    },
    Endpoint {
        parameters: &[ANONYMIZE],
        success: 204,
        errors: &[404, 409, 422],
        ..operation(
            Method::Delete,
            "/v1/customers/external/{external_id}",
            "customers:delete_external",
            "Delete a customer by external id",
            CUSTOMERS_WRITE,
            handler!(customers::delete),
        )
    },
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            CUSTOMER_ID,
            EXTERNAL_CUSTOMER_ID,
            query(
                "role",
                || json!({"type": "string", "enum": ["owner", "billing_manager", "member"]}),
                "Members with this role.",
            ),
            query("sorting", || json!({"type": "array", "items": {"type": "string"}}), "The order."),
        ],
        answer: Some(schema::<ListResource<MemberView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/members",
            "members:list_members",
            "List members",
            MEMBERS_READ,
            handler!(members::list),
        )
    },
    Endpoint {
        body: Some(schema::<MemberCreateBody>),
        success: 201,
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        ..operation(
            Method::Post,
            "/v1/members",
            "members:create_member",
            "Add a member to a customer",
            MEMBERS_WRITE,
            handler!(members::create),
        )
    },
    Endpoint {
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        ..operation(
            Method::Get,
            "/v1/members/{id}",
            "members:get_member",
            "Get a member",
            MEMBERS_READ,
            handler!(members::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        ..operation(
            Method::Patch,
            "/v1/members/{id}",
            "members:update_member",
            "Update a member, or transfer ownership",
            MEMBERS_WRITE,
            handler!(members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        deprecated: true,
        ..operation(
            Method::Delete,
            "/v1/members/{id}",
            "members:delete_member",
            "Remove a member",
            MEMBERS_WRITE,
            handler!(members::delete),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        deprecated: true,
        ..operation(
            Method::Get,
            "/v1/members/external/{external_id}",
            "members:get_member_by_external_id",
            "Get a member by external id",
            MEMBERS_READ,
            handler!(members::get),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        body: Some(schema::<MemberUpdateBody>),
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        deprecated: true,
        ..operation(
            Method::Patch,
            "/v1/members/external/{external_id}",
            "members:update_member_by_external_id",
            "Update a member by external id",
            MEMBERS_WRITE,
            handler!(members::update),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        success: 204,
        errors: &[404, 409, 422],
        deprecated: true,
        ..operation(
            Method::Delete,
            "/v1/members/external/{external_id}",
            "members:delete_member_by_external_id",
            "Remove a member by external id",
            MEMBERS_WRITE,
            handler!(members::delete),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerMemberCreateBody>),
        success: 201,
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Post,
            "/v1/customers/{id}/members",
            "customers:members:create",
            "Add a member to a customer",
            MEMBERS_WRITE,
            handler!(members::create_of_customer),
        )
    },
    Endpoint {
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:get",
            "Get a member",
            MEMBERS_READ,
            handler!(members::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:update",
            "Update a member, or transfer ownership",
            MEMBERS_WRITE,
            handler!(members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:delete",
            "Remove a member",
            MEMBERS_WRITE,
            handler!(members::delete),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerMemberCreateBody>),
        success: 201,
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        ..operation(
            Method::Post,
            "/v1/customers/external/{external_id}/members",
            "customers:members:create_external",
            "Add a member to a customer by external id",
            MEMBERS_WRITE,
            handler!(members::create_of_external),
        )
    },
    Endpoint {
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 409],
        ..operation(
            Method::Get,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:get_external",
            "Get a member by external ids",
            MEMBERS_READ,
            handler!(members::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        answer: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        ..operation(
            Method::Patch,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:update_external",
            "Update a member by external ids",
            MEMBERS_WRITE,
            handler!(members::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 409, 422],
        ..operation(
            Method::Delete,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:delete_external",
            "Remove a member by external ids",
            MEMBERS_WRITE,
            handler!(members::delete),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT, WEBHOOKS_OF],
        answer: Some(schema::<ListResource<EndpointView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/webhooks/endpoints",
            "webhooks:list_webhook_endpoints",
            "List webhook endpoints",
            WEBHOOKS_READ,
            handler!(webhooks::list),
        )
    },
    Endpoint {
        body: Some(schema::<EndpointCreateBody>),
        secret: true,
        success: 201,
        answer: Some(schema::<EndpointView<'static>>),
        errors: &[422],
        ..operation(
            Method::Post,
            "/v1/webhooks/endpoints",
            "webhooks:create_webhook_endpoint",
            "Create a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(webhooks::create),
        )
    },
    Endpoint {
        answer: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Get,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:get_webhook_endpoint",
            "Get a webhook endpoint",
            WEBHOOKS_READ,
            handler!(webhooks::get),
        )
    },
    Endpoint {
        body: Some(schema::<EndpointUpdateBody>),
        answer: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:update_webhook_endpoint",
            "Update a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(webhooks::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..operation(
            Method::Delete,
            "/v1/webhooks/endpoints/{id}",
            "webhooks:delete_webhook_endpoint",
            "Delete a webhook endpoint",
            WEBHOOKS_WRITE,
            handler!(webhooks::delete),
        )
    },
    Endpoint {
        answer: Some(schema::<EndpointView<'static>>),
        errors: &[404, 422],
        ..operation(
            Method::Patch,
            "/v1/webhooks/endpoints/{id}/secret",
            "webhooks:reset_webhook_endpoint_secret",
            "Give a webhook endpoint a new secret",
            WEBHOOKS_WRITE,
            handler!(webhooks::reset_secret),
        )
    },
    Endpoint {
        parameters: DELIVERIES,
        answer: Some(schema::<ListResource<DeliveryView<'static>>>),
        errors: &[422],
        ..operation(
            Method::Get,
            "/v1/webhooks/deliveries",
            "webhooks:list_webhook_deliveries",
            "List the attempts to deliver webhooks",
            WEBHOOKS_READ,
            handler!(webhooks::deliveries),
        )
    },
    Endpoint {
        success: 202,
        answer: Some(schema::<()>),
        errors: &[404, 422],
        ..operation(
            Method::Post,
            "/v1/webhooks/events/{id}/redeliver",
            "webhooks:redeliver_webhook_event",
            "Deliver a webhook event once more",
            WEBHOOKS_WRITE,
            handler!(webhooks::redeliver),
        )
    },
];
