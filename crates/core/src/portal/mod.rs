//! The customer portal: the operations that customers and their members can do for themselves
//! (docs/contracts/polar/portal.md).
//!
//! Invariants:
//! - A session acts for one customer. In an organization with the member model it acts for one member.
//! - A session ends [`SESSION_DURATION_S`] after its start. It ends earlier when its customer or member is deleted, or
//!   the address of the customer or member changes.
//! - In an organization with the member model, only sessions of members work, and in any other only those of customers.
//! - The secret that confirms a new address works once, even when the change is then refused.
//! - A code works once, for [`CODE_S`]. It signs in the person at the address that it was mailed to, and nobody else. It
//!   ends earlier when the organization ends the sessions of the person.
//! - A section that the organization has switched off is refused to every session.

mod code;
mod cookies;
mod decide;
mod network;
mod rights;
mod settings;

pub use code::{
    CHOICES, CODE_CHARACTERS, CODE_REQUESTS_OF_HOST_PER_HOUR, CODE_S, CODE_TRIES,
    CODES_OF_ORGANIZATION_PER_HOUR, CODES_OF_SITE_PER_HOUR, CODES_PER_HOUR, CodeTry, KNOWN_SITE_S,
    PortalSignIn, WRONG_CODES_OF_HOST_PER_HOUR, WRONG_CODES_OF_PROVIDER_PER_HOUR,
    WRONG_CODES_OF_SITE_PER_HOUR, WRONG_CODES_PER_HOUR, new_code, try_code, typed_code,
};
pub use cookies::{PortalCookies, page_slug};
pub use decide::{
    MemberManagementFacts, MemberSelector, SessionFacts, StartedSession, allow_email_change, change_member,
    check_new_email, manage_billing, manage_members, remove_member, start_session,
};
pub use network::NetworkWidth;
pub use rights::{PortalRights, rights};
pub use settings::{PortalSection, PortalSections, PortalSettings, PortalSettingsChange, check_section};

use serde::Serialize;

use crate::Timestamp;
use crate::customer::CustomerKind;
use crate::ids::{CustomerId, EmailUpdateId, MemberId, OrganizationId, SessionId};
use crate::member::MemberRole;
use crate::values::{EmailAddress, HttpUrl, PersonName};

/// Duration of a session in seconds.
pub const SESSION_DURATION_S: i64 = 60 * 60;
/// Minutes until an unconfirmed change of address expires.
pub const EMAIL_UPDATE_MINUTES: u32 = 30;

/// A session of the customer portal (table `customer_sessions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerSession {
    /// Id.
    pub id: SessionId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Time of the start.
    pub created_at: Timestamp,
    /// Time of expiry.
    pub expires_at: Timestamp,
    /// The customer for which it acts.
    pub customer: CustomerId,
    /// The member for which it acts, in an organization with the member model.
    pub member: Option<MemberId>,
    /// Target of the portal's link back to the organization's site.
    #[serde(skip)]
    pub return_url: Option<HttpUrl>,
}

/// A customer's unconfirmed change of address (table `email_updates`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailUpdate {
    /// Id.
    pub id: EmailUpdateId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The customer.
    pub customer: CustomerId,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Time of expiry.
    pub expires_at: Timestamp,
    /// The new address.
    pub email: EmailAddress,
}

/// A refused operation of the portal or on its sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortalError {
    /// The session has expired or was ended.
    #[error("the session has ended")]
    SessionOver,
    /// The caller's organizations have no customer with this id.
    #[error("customer does not exist")]
    CustomerUnknown(CustomerSelector),
    /// A session for a team customer needs a member.
    #[error("a session for a team customer needs a member")]
    MemberRequired,
    /// The customer has no member with this id.
    #[error("the customer has no such member")]
    MemberUnknown(MemberSelector),
    /// The request names a member, but the organization does not have the member model.
    #[error("the organization has no member sessions")]
    MemberSessionsDisabled(MemberSelector),
    /// The operation needs one person. A session of a team customer without a member does not name one.
    #[error("a team customer needs a member's session")]
    MemberSessionRequired,
    /// The member's role does not include billing.
    #[error("only the owner and billing managers can use billing")]
    BillingNotAllowed,
    /// The member's role does not include the management of members.
    #[error("only the owner and billing managers can manage members")]
    MemberManagementNotAllowed,
    /// An individual customer has no members to manage.
    #[error("only team customers have members to manage")]
    NotATeamCustomer,
    /// A new member cannot have the role of the owner.
    #[error("a new member cannot be the owner")]
    OwnerExists,
    /// A member cannot change their own role.
    #[error("your own role cannot be changed")]
    CannotChangeOwnRole(MemberId),
    /// A member cannot remove themselves.
    #[error("you cannot remove yourself")]
    CannotRemoveSelf(MemberId),
    /// Only the owner can transfer ownership.
    #[error("only the owner can transfer ownership")]
    OnlyOwnerTransfers,
    /// The organization does not permit customers to change their address.
    #[error("customers cannot change their email address here")]
    EmailChangeDisabled,
    /// The address of a team customer cannot be changed in the portal.
    #[error("only individual customers can change their email address")]
    TeamEmailFixed(EmailAddress),
    /// The new address equals the current one.
    #[error("the new email address is the current one")]
    EmailUnchanged(EmailAddress),
    /// The secret that confirms an address is unknown, expired or used.
    #[error("the email update is not valid")]
    EmailUpdateInvalid,
    /// Another customer has taken the address in the meantime.
    #[error("the email address is taken")]
    EmailTaken,
    /// The organization has switched this section off.
    #[error("the organization does not offer this here")]
    SectionDisabled(PortalSection),
    /// The address belongs to several customers, and the request names none of them.
    #[error("the address belongs to several customers")]
    CustomerAmbiguous(Vec<CustomerChoice>),
    /// The code is wrong, expired or used.
    #[error("the code is not valid")]
    CodeInvalid,
    /// The person has no session of this id.
    #[error("session not found")]
    SessionUnknown,
}

/// A customer that a person can sign in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerChoice {
    /// The customer.
    pub customer: CustomerId,
    /// Its name.
    pub name: Option<PersonName>,
    /// Its kind.
    pub kind: CustomerKind,
    /// The role of the person there. `None` in an organization without the member model.
    pub role: Option<MemberRole>,
}

/// The way in which a request names a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerSelector {
    /// By id.
    Id(CustomerId),
    /// By the id in the organization's own system.
    External(String),
}

impl MemberRole {
    /// Whether a member with this role can use billing and manage members in the portal.
    #[must_use]
    pub const fn can_manage_customer(self) -> bool {
        matches!(self, Self::Owner | Self::BillingManager)
    }
}
