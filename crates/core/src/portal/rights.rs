//! The rights of a portal session: the switches of the organization, the role of the member, and the kind of the
//! customer. Pages show what is allowed here, and use cases check the same rules.

use super::{
    MemberManagementFacts, PortalSection, allow_email_change, check_section, manage_billing, manage_members,
};
use crate::customer::{Customer, CustomerKind};
use crate::member::{Member, MemberRole};
use crate::organization::Organization;

/// The rights of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortalRights {
    /// To change the customer's billing details.
    pub billing_details: bool,
    /// To change the customer's address.
    pub email_change: bool,
    /// To see the members of the customer, change and remove them.
    pub team: bool,
    /// To add members.
    pub add_members: bool,
    /// To make another member the owner.
    pub transfer_ownership: bool,
    /// To see the person's own sessions, and end them.
    pub sessions: bool,
}

/// The rights of a session of a customer, and of its member if it is one of a member.
#[must_use]
pub fn rights(organization: &Organization, customer: &Customer, member: Option<&Member>) -> PortalRights {
    let has = |section| check_section(organization, section).is_ok();
    let role = member.map(|member| member.role);
    let billing = manage_billing(role).is_ok();
    let manages =
        role.is_some_and(|role| manage_members(MemberManagementFacts { role, kind: customer.kind }).is_ok());
    let team = manages && has(PortalSection::Team);
    PortalRights {
        billing_details: billing && has(PortalSection::BillingDetails),
        email_change: billing
            && customer.kind == CustomerKind::Individual
            && allow_email_change(organization).is_ok(),
        team,
        add_members: manages && has(PortalSection::AddMembers),
        transfer_ownership: team && role == Some(MemberRole::Owner),
        sessions: has(PortalSection::Sessions),
    }
}
