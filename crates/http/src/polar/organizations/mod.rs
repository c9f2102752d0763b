//! Organizations (docs/contracts/founding-operations.md, 3, and docs/contracts/polar/organizations.md, 2).

mod handlers;
mod legal_entity;
mod portal_settings;
pub(super) mod view;
pub(super) mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, ListResource, PAGE};
use portal_settings::{PortalSettingsUpdate, PortalSettingsView};
use view::{OrganizationDeletionView, OrganizationView};
use wire::{OrganizationCreateBody, OrganizationUpdateBody};

const FOR_PEOPLE: Access = Access::UserScoped(&[RequiredScope::new("organizations:write")]);
const ORGANIZATIONS_READ: Access =
    Access::Scoped(&[RequiredScope::new("organizations:read"), RequiredScope::new("organizations:write")]);
const ORGANIZATIONS_WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            PAGE,
            LIMIT,
            Parameter::query("slug", || json!({"type": "string"}), "Only the organization with this slug."),
            Parameter::query(
                "sorting",
                || json!({"type": "array", "items": {"type": "string"}}),
                "The order.",
            ),
        ],
        response: Some(schema::<ListResource<OrganizationView<'static>>>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations",
            "organizations:list",
            "List organizations",
            ORGANIZATIONS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationCreateBody>),
        success: 201,
        response: Some(schema::<OrganizationView<'static>>),
        errors: &[422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations",
            "organizations:create",
            "Create an organization",
            FOR_PEOPLE,
            handler!(handlers::create),
        )
    },
    Endpoint {
        response: Some(schema::<OrganizationView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}",
            "organizations:get",
            "Get an organization",
            ORGANIZATIONS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationUpdateBody>),
        response: Some(schema::<OrganizationView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/organizations/{id}",
            "organizations:update",
            "Update an organization",
            ORGANIZATIONS_WRITE,
            handler!(handlers::update),
        )
    },
    Endpoint {
        parameters: &[Parameter::query(
            "sub_accounts",
            || json!({"type": "boolean", "default": false}),
            "Whether to delete the sub-accounts as well. Without it, an organization that has some is not deleted.",
        )],
        response: Some(schema::<OrganizationDeletionView>),
        errors: &[404, 409, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/organizations/{id}",
            "organizations:delete",
            "Delete an organization",
            FOR_PEOPLE,
            handler!(handlers::delete),
        )
    },
    Endpoint {
        response: Some(schema::<OrganizationView<'static>>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/undelete",
            "organizations:undelete",
            "Bring a deleted organization back",
            FOR_PEOPLE,
            handler!(handlers::undelete),
        )
    },
    Endpoint {
        response: Some(schema::<PortalSettingsView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/portal-settings",
            "organizations:get_portal_settings",
            "Get the look and the sections of the portal",
            ORGANIZATIONS_READ,
            handler!(portal_settings::get),
        )
    },
    Endpoint {
        body: Some(schema::<PortalSettingsUpdate>),
        response: Some(schema::<PortalSettingsView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/organizations/{id}/portal-settings",
            "organizations:update_portal_settings",
            "Change the look and the sections of the portal",
            ORGANIZATIONS_WRITE,
            handler!(portal_settings::update),
        )
    },
];
