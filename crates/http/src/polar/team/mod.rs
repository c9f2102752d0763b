//! The team that runs an organization (docs/contracts/polar/organizations.md, 3). It is the same team as the account
//! members of the AhaSend dialect.

mod handlers;
mod passkey_rule;
pub(super) mod wire;

use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, handler, schema};
use crate::polar::page::ListResource;
use passkey_rule::{PasskeyRuleBody, PasskeyRuleView};
use wire::{
    OrganizationMemberAdd, OrganizationMemberInvite, OrganizationMemberUpdate, OrganizationMemberView,
    OrganizationTransfer, RoleView, TransferOfferView,
};

const ORGANIZATIONS_READ: Access =
    Access::Scoped(&[RequiredScope::new("organizations:read"), RequiredScope::new("organizations:write")]);
/// Endpoints for users only.
const TEAM_PERSON: Access = Access::UserScoped(&[RequiredScope::new("organizations:write")]);
/// For an organization's token, `members:write` is a scope on the members of customers.
const TEAM_ROLE: Access = Access::BySubject {
    user: &[RequiredScope::new("members:write")],
    organization: &[RequiredScope::new("organizations:write")],
};
const TEAM_WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        response: Some(schema::<ListResource<OrganizationMemberView<'static>>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/members",
            "organizations:members:list",
            "List the team of an organization",
            ORGANIZATIONS_READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberAdd>),
        success: 201,
        unchanged: Some(200),
        response: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/members",
            "organizations:members:add",
            "Add a person to the team of an organization",
            TEAM_WRITE,
            handler!(handlers::add),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberInvite>),
        success: 201,
        unchanged: Some(200),
        response: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/members/invite",
            "organizations:members:invite",
            "Invite a person into the team of an organization",
            TEAM_PERSON,
            handler!(handlers::invite),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/organizations/{id}/members/leave",
            "organizations:members:leave",
            "Leave the team of an organization",
            TEAM_PERSON,
            handler!(handlers::leave),
        )
    },
    Endpoint {
        response: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/members/{user_id}",
            "organizations:members:get",
            "Get a person in the team of an organization",
            ORGANIZATIONS_READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationMemberUpdate>),
        response: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Patch,
            "/v1/organizations/{id}/members/{user_id}",
            "organizations:members:set_role",
            "Change a person's role in the team of an organization",
            TEAM_ROLE,
            handler!(handlers::set_role),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Delete,
            "/v1/organizations/{id}/members/{user_id}",
            "organizations:members:remove",
            "Remove a person from the team of an organization",
            TEAM_WRITE,
            handler!(handlers::remove),
        )
    },
    Endpoint {
        response: Some(schema::<PasskeyRuleView>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/passkey-rule",
            "organizations:get_passkey_rule",
            "Get whether an organization requires a passkey of its team",
            ORGANIZATIONS_READ,
            handler!(passkey_rule::get),
        )
    },
    Endpoint {
        body: Some(schema::<PasskeyRuleBody>),
        response: Some(schema::<PasskeyRuleView>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Put,
            "/v1/organizations/{id}/passkey-rule",
            "organizations:set_passkey_rule",
            "Set whether an organization requires a passkey of its team",
            TEAM_WRITE,
            handler!(passkey_rule::set),
        )
    },
    Endpoint {
        body: Some(schema::<OrganizationTransfer>),
        success: 202,
        response: Some(schema::<TransferOfferView>),
        errors: &[404, 409, 422],
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/transfer",
            "organizations:transfer",
            "Offer the ownership of an organization to a person of the team",
            TEAM_PERSON,
            handler!(handlers::transfer),
        )
    },
    Endpoint {
        response: Some(schema::<TransferOfferView>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/transfer",
            "organizations:get_transfer",
            "Get the offer of the ownership of an organization",
            ORGANIZATIONS_READ,
            handler!(handlers::get_transfer),
        )
    },
    Endpoint {
        response: Some(schema::<OrganizationMemberView<'static>>),
        errors: &[404, 422],
        row: true,
        ..Endpoint::new(
            Method::Post,
            "/v1/organizations/{id}/transfer/accept",
            "organizations:accept_transfer",
            "Accept the ownership of an organization",
            TEAM_PERSON,
            handler!(handlers::accept_transfer),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/organizations/{id}/transfer",
            "organizations:end_transfer",
            "Withdraw or decline the offer of the ownership of an organization",
            TEAM_PERSON,
            handler!(handlers::end_transfer),
        )
    },
    Endpoint {
        response: Some(schema::<Vec<RoleView>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/organizations/{id}/roles",
            "organizations:roles",
            "List the roles in the team of an organization",
            ORGANIZATIONS_READ,
            handler!(handlers::roles),
        )
    },
];
