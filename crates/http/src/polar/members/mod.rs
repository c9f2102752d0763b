//! Members of customers (docs/contracts/founding-operations.md, 1, and docs/contracts/polar/customers.md, 6).

mod export;
mod handlers;
pub(super) mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::export::BOM;
use crate::polar::page::{LIMIT, ListResource, PAGE};
use wire::{CustomerMemberCreateBody, MemberCreateBody, MemberUpdateBody, MemberView};

const CUSTOMER_ID: Parameter =
    Parameter::query("customer_id", || json!({"type": "string", "format": "uuid"}), "The customer, by id.");
const EXTERNAL_CUSTOMER_ID: Parameter = Parameter::query(
    "external_customer_id",
    || json!({"type": "string"}),
    "The customer, by the id in your system.",
);
const MEMBERS_READ: Access =
    Access::Scoped(&[RequiredScope::new("members:read"), RequiredScope::new("members:write")]);
const MEMBERS_WRITE: Access = Access::Scoped(&[RequiredScope::new("members:write")]);
const OF_CUSTOMER: &[Parameter] = &[CUSTOMER_ID, EXTERNAL_CUSTOMER_ID];

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            CUSTOMER_ID,
            EXTERNAL_CUSTOMER_ID,
            Parameter::query(
                "role",
                || json!({"type": "string", "enum": ["owner", "billing_manager", "member"]}),
                "Only members with this role.",
            ),
            Parameter::query(
                "sorting",
                || json!({"type": "array", "items": {"type": "string"}}),
                "The order.",
            ),
        ],
        response: Some(schema::<ListResource<MemberView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/members",
            "members:list_members",
            "List members",
            MEMBERS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        parameters: &[
            Parameter::query(
                "organization_id",
                || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
                "Only members of these organizations.",
            ),
            BOM,
        ],
        content_types: &["text/csv"],
        response: Some(schema::<String>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/members/export",
            "members:export",
            "Export all members as CSV",
            MEMBERS_READ,
            handler!(export::export),
        )
    },
    Endpoint {
        body: Some(schema::<MemberCreateBody>),
        success: 201,
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/members",
            "members:create_member",
            "Add a member to a customer",
            MEMBERS_WRITE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/members/{id}",
            "members:get_member",
            "Get a member",
            MEMBERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/members/{id}",
            "members:update_member",
            "Update a member, or transfer ownership",
            MEMBERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/members/{id}",
            "members:delete_member",
            "Remove a member",
            MEMBERS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/members/external/{external_id}",
            "members:get_member_by_external_id",
            "Get a member by external id",
            MEMBERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        body: Some(schema::<MemberUpdateBody>),
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/members/external/{external_id}",
            "members:update_member_by_external_id",
            "Update a member by external id",
            MEMBERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        parameters: OF_CUSTOMER,
        success: 204,
        errors: &[404, 409, 422],
        deprecated: true,
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/members/external/{external_id}",
            "members:delete_member_by_external_id",
            "Remove a member by external id",
            MEMBERS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerMemberCreateBody>),
        success: 201,
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/customers/{id}/members",
            "customers:members:create",
            "Add a member to a customer",
            MEMBERS_WRITE,
            handler!(handlers::create_of_customer),
        )
    },
    Endpoint {
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:get",
            "Get a member",
            MEMBERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:update",
            "Update a member, or transfer ownership",
            MEMBERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/{id}/members/{member_id}",
            "customers:members:delete",
            "Remove a member",
            MEMBERS_WRITE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        body: Some(schema::<CustomerMemberCreateBody>),
        success: 201,
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/customers/external/{external_id}/members",
            "customers:members:create_external",
            "Add a member to a customer by external id",
            MEMBERS_WRITE,
            handler!(handlers::create_of_external),
        )
    },
    Endpoint {
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 409],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:get_external",
            "Get a member by external ids",
            MEMBERS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<MemberUpdateBody>),
        response: Some(schema::<MemberView<'static>>),
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:update_external",
            "Update a member by external ids",
            MEMBERS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/external/{external_id}/members/{member_external_id}",
            "customers:members:delete_external",
            "Remove a member by external ids",
            MEMBERS_WRITE,
            handler!(handlers::delete),
        )
    },
];
