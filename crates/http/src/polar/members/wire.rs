//! Wire types of members.

use crate::polar::values::{ExternalIdText, NameText};
use crate::wire::{Email, Optional, Uuid4, name_list, wire_object};
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId};
use tenantry_core::member::{self, InitialRole, MemberRole, NewMember};

pub(super) const ROLES: &[&str] = &["owner", "billing_manager", "member"];

name_list! {
    /// A role that a new member can have.
    InitialRoleName(InitialRole) as "literal_error" of &["member", "billing_manager"], by |name| match name {
        "member" => Some(InitialRole::Member),
        "billing_manager" => Some(InitialRole::BillingManager),
        _ => None,
    }
}

name_list! {
    /// A role.
    RoleName(MemberRole) as "enum" of ROLES, by MemberRole::from_name
}

wire_object! {
    /// A new member, in the deprecated form that names the customer in the body.
    MemberCreateBody {
        /// The customer that the member will belong to.
        customer_id: Uuid4,
        /// The member's address.
        email: Email,
        /// The member's name.
        name: Option<NameText>,
        /// The member's id in your system, unique within the customer.
        external_id: Option<ExternalIdText>,
        /// The member's role. Ownership is transferred by an update.
        role: Optional<InitialRoleName>,
    }
}

wire_object! {
    /// A new member of the customer in the path.
    CustomerMemberCreateBody {
        /// The member's address.
        email: Email,
        /// The member's name.
        name: Option<NameText>,
        /// The member's id in your system, unique within the customer.
        external_id: Option<ExternalIdText>,
        /// The member's role. Ownership is transferred by an update.
        role: Optional<InitialRoleName>,
    }
}

wire_object! {
    /// A partial update of a member. Absent and `null` keep the value.
    MemberUpdateBody {
        /// The member's new name.
        name: Option<NameText>,
        /// The member's new address.
        email: Option<Email>,
        /// The member's new role; `owner` transfers ownership, and the former owner becomes a billing manager.
        role: Option<RoleName>,
    }
}

/// A member of a customer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct MemberView<'a> {
    /// The member's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: MemberId,
    /// When the member was added.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When the member last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// The customer that the member belongs to.
    #[schemars(with = "Uuid4")]
    pub(super) customer_id: CustomerId,
    /// The member's address.
    pub(super) email: &'a str,
    /// The member's name.
    pub(super) name: Option<&'a str>,
    /// The member's id in your system.
    pub(super) external_id: Option<&'a str>,
    /// The member's role.
    #[schemars(with = "RoleName")]
    pub(super) role: &'static str,
}

impl<'a> From<&'a member::Member> for MemberView<'a> {
    fn from(member: &'a member::Member) -> Self {
        let member::Member {
            id, created_at, modified_at, customer_id, email, name, external_id, role, ..
        } = member;
        Self {
            id: *id,
            created_at: *created_at,
            modified_at: *modified_at,
            customer_id: *customer_id,
            email: email.as_str(),
            name: name.as_ref().map(|name| name.as_str()),
            external_id: external_id.as_ref().map(|id| id.as_str()),
            role: role.as_str(),
        }
    }
}

pub(in crate::polar) fn new_member(
    email: Email,
    name: Option<NameText>,
    external_id: Option<ExternalIdText>,
    role: Optional<InitialRoleName>,
) -> NewMember {
    NewMember {
        email: email.0,
        name: name.and_then(|name| name.0),
        external_id: external_id.and_then(|id| id.0),
        role: role.0.map_or_else(InitialRole::default, |role| role.0),
    }
}
