//! The customer portal: what customers and their members may do for themselves.
//!
//! Invariants: a session acts for one customer, and for one member of it where the organization has the
//! member model; it ends an hour after it began, and with its customer, its member, or a change of the
//! customer's address. A request to change an address can be used once, whatever comes of it.

mod decide;

pub use decide::{
    MemberManagementFacts, MemberSelector, SessionFacts, StartedSession, allow_email_change, change_member,
    check_new_email, manage_billing, manage_members, remove_member, start_session,
};

use crate::Timestamp;
use crate::ids::{CustomerId, EmailUpdateId, MemberId, OrganizationId, SessionId};
use crate::member::MemberRole;
use crate::values::{EmailAddress, HttpUrl};

/// Seconds that a session lasts.
pub const SESSION_DURATION_S: i64 = 60 * 60;
/// Minutes in which a new address must be shown to be read.
pub const EMAIL_UPDATE_MINUTES: u32 = 30;

/// A session of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerSession {
    /// Id.
    pub id: SessionId,
    /// The tenant.
    pub organization: OrganizationId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The customer it acts for.
    pub customer: CustomerId,
    /// The member it acts for, in an organization with the member model.
    pub member: Option<MemberId>,
    /// Where the portal's way back leads.
    pub return_url: Option<HttpUrl>,
}

/// A wish for another address, until it is shown that mail is read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailUpdate {
    /// Id.
    pub id: EmailUpdateId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The customer.
    pub customer: CustomerId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// The new address.
    pub email: EmailAddress,
}

/// Why something could not be done for the portal, or in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortalError {
    /// The session is over.
    #[error("the session is over")]
    SessionOver,
    /// There is no such customer within reach; how it was named.
    #[error("customer does not exist")]
    CustomerUnknown(CustomerSelector),
    /// A session for a team is a member's.
    #[error("a session for a team customer needs a member")]
    MemberRequired,
    /// The customer has no such member.
    #[error("the customer has no such member")]
    MemberUnknown(MemberSelector),
    /// The organization has no member sessions.
    #[error("the organization has no member sessions")]
    MemberSessionsDisabled(MemberSelector),
    /// A customer's session cannot stand for one person of a team without an address.
    #[error("a team customer needs a member's session")]
    MemberSessionRequired,
    /// The member's role does not reach billing.
    #[error("billing is for the owner and billing managers")]
    BillingNotAllowed,
    /// The member's role does not reach the members.
    #[error("members are managed by the owner and billing managers")]
    MemberManagementNotAllowed,
    /// An individual customer has no team.
    #[error("only team customers have members to manage")]
    NotATeamCustomer,
    /// Nobody is made the owner on arrival.
    #[error("a new member cannot be the owner")]
    OwnerExists,
    /// Nobody changes their own role.
    #[error("your own role cannot be changed")]
    CannotChangeOwnRole(MemberId),
    /// Nobody removes themselves.
    #[error("you cannot remove yourself")]
    CannotRemoveSelf(MemberId),
    /// Ownership is the owner's to give.
    #[error("only the owner can transfer ownership")]
    OnlyOwnerTransfers,
    /// The organization does not let customers change their address.
    #[error("customers cannot change their email address here")]
    EmailChangeDisabled,
    /// A team's address is not one person's to change.
    #[error("only individual customers can change their email address")]
    TeamEmailFixed(EmailAddress),
    /// The new address is the old one.
    #[error("the new email address is the current one")]
    EmailUnchanged(EmailAddress),
    /// The proof of an address is unknown, lapsed or used.
    #[error("the email update is not valid")]
    EmailUpdateInvalid,
    /// Another customer took the address meanwhile.
    #[error("the email address is taken")]
    EmailTaken,
}

/// How a request named a customer that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerSelector {
    /// By id.
    Id(CustomerId),
    /// By the id in the organization's own system.
    External(String),
}

impl MemberRole {
    /// Whether the role reaches billing and the members in the portal.
    #[must_use]
    pub const fn can_manage_customer(self) -> bool {
        matches!(self, Self::Owner | Self::BillingManager)
    }
}
