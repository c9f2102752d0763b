//! Ids: UUIDs that cannot be taken for one another. New ones are shaped like version 4, begin with
//! their time of creation to the microsecond, and so sort by it (`values::ids`).

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
            /// Names the row that has this UUID, if there is one.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
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
    /// A person who runs organizations.
    UserId,
    /// A customer of an organization.
    CustomerId,
    /// A member of a customer.
    MemberId,
    /// An access token of an organization; AhaSend's API key has the same id.
    TokenId,
    /// A token of a person.
    UserTokenId,
    /// An entry of the audit log.
    AuditId,
    /// A webhook endpoint of an organization.
    WebhookEndpointId,
    /// An event for one webhook endpoint.
    WebhookEventId,
    /// One attempt to deliver an event.
    WebhookDeliveryId,
    /// A session of the customer portal.
    SessionId,
    /// A request to change a customer's address.
    EmailUpdateId,
    /// A mail that waits to be sent.
    MailId,
}
