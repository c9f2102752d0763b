//! Typed ids: one type for each kind of row, so that the compiler rejects an id of another kind.
//!
//! New ids have the form of a UUID version 4. Their first bits are the time of creation in microseconds, so
//! ids sort by time of creation ([`crate::values::time_ordered_uuid`]).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID. A row with the id need not exist.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID of the id.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// An organization: a tenant. AhaSend's account has the same id.
    OrganizationId,
    /// A user: a person who administers organizations.
    UserId,
    /// A customer of an organization.
    CustomerId,
    /// A member of a customer.
    MemberId,
    /// An access token of an organization; AhaSend's API key has the same id.
    TokenId,
    /// A personal access token of a user.
    UserTokenId,
    /// A passkey of a user.
    PasskeyId,
    /// An entry of the audit log.
    AuditId,
    /// A webhook endpoint of an organization.
    WebhookEndpointId,
    /// An event that is delivered to one webhook endpoint.
    WebhookEventId,
    /// One attempt to deliver a webhook event.
    WebhookDeliveryId,
    /// A session of the customer portal.
    SessionId,
    /// A customer's request to change their e-mail address.
    EmailUpdateId,
    /// A mail in the outbox.
    MailId,
    /// An invitation to the team of an organization.
    InvitationId,
    /// An import of customers.
    ImportId,
}
