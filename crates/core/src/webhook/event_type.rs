//! The types of webhook events that an endpoint can subscribe to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! event_types {
    ($($variant:ident => $name:literal),+ $(,)?; own: $($own:ident => $own_name:literal),+ $(,)?) => {
        /// The type of an event. An endpoint can subscribe to events of objects that Tenantry does not have, such as
        /// orders; they never occur (docs/contracts/polar/webhooks.md, 9.2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
            $(#[doc = concat!("`", $own_name, "`.")] $own,)+
        }

        impl EventType {
            /// Every type, in the order in which the contract lists them, then Tenantry's own.
            pub const ALL: &[Self] = &[$(Self::$variant,)+ $(Self::$own,)+];
            /// The names of all types, in the same order.
            pub const NAMES: &[&str] = &[$($name,)+ $($own_name,)+];
            /// Types that the contract does not have. Published clients refuse them, so an endpoint receives one only
            /// if it subscribes to it by name.
            pub const OWN: &[Self] = &[$(Self::$own),+];

            /// The type's name on the wire and in storage.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    $(Self::$own => $own_name,)+
                }
            }
        }
    };
}

event_types! {
    CheckoutCreated => "checkout.created",
    CheckoutUpdated => "checkout.updated",
    CheckoutExpired => "checkout.expired",
    CustomerCreated => "customer.created",
    CustomerUpdated => "customer.updated",
    CustomerDeleted => "customer.deleted",
    CustomerStateChanged => "customer.state_changed",
    CustomerSeatAssigned => "customer_seat.assigned",
    CustomerSeatClaimed => "customer_seat.claimed",
    CustomerSeatRevoked => "customer_seat.revoked",
    MemberCreated => "member.created",
    MemberUpdated => "member.updated",
    MemberDeleted => "member.deleted",
    OrderCreated => "order.created",
    OrderUpdated => "order.updated",
    OrderPaid => "order.paid",
    OrderRefunded => "order.refunded",
    SubscriptionCreated => "subscription.created",
    SubscriptionUpdated => "subscription.updated",
    SubscriptionActive => "subscription.active",
    SubscriptionCanceled => "subscription.canceled",
    SubscriptionUncanceled => "subscription.uncanceled",
    SubscriptionCycled => "subscription.cycled",
    SubscriptionRevoked => "subscription.revoked",
    SubscriptionPastDue => "subscription.past_due",
    SubscriptionPaused => "subscription.paused",
    SubscriptionResumed => "subscription.resumed",
    RefundCreated => "refund.created",
    RefundUpdated => "refund.updated",
    ProductCreated => "product.created",
    ProductUpdated => "product.updated",
    DiscountCreated => "discount.created",
    DiscountUpdated => "discount.updated",
    DiscountDeleted => "discount.deleted",
    BenefitCreated => "benefit.created",
    BenefitUpdated => "benefit.updated",
    BenefitGrantCreated => "benefit_grant.created",
    BenefitGrantCycled => "benefit_grant.cycled",
    BenefitGrantUpdated => "benefit_grant.updated",
    BenefitGrantRevoked => "benefit_grant.revoked",
    OrganizationUpdated => "organization.updated",
    ;
    own:
    OrganizationSuspended => "organization.suspended",
    OrganizationUnsuspended => "organization.unsuspended",
    OrganizationTransferred => "organization.transferred",
    TeamMemberCreated => "team_member.created",
    TeamMemberUpdated => "team_member.updated",
    TeamMemberDeleted => "team_member.deleted",
    InvitationCreated => "invitation.created",
    InvitationAccepted => "invitation.accepted",
    InvitationDeclined => "invitation.declined",
    InvitationRevoked => "invitation.revoked",
    AccessTokenCreated => "access_token.created",
    AccessTokenUpdated => "access_token.updated",
    AccessTokenRotated => "access_token.rotated",
    AccessTokenDeleted => "access_token.deleted",
    WebhookEndpointTest => "webhook_endpoint.test",
}

impl EventType {
    /// Whether an endpoint can subscribe to the type. It cannot subscribe to tests, which are sent on request.
    #[must_use]
    pub const fn is_subscribable(self) -> bool {
        !self.is_test()
    }

    /// Whether the event is a test of its endpoint, and no change.
    #[must_use]
    pub const fn is_test(self) -> bool {
        matches!(self, Self::WebhookEndpointTest)
    }

    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let name = String::deserialize(input)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom("no such type of event"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_type() {
        assert_eq!(EventType::ALL.len(), 41 + EventType::OWN.len());
        for (kind, name) in EventType::ALL.iter().zip(EventType::NAMES) {
            assert_eq!((EventType::from_name(name), kind.as_str()), (Some(*kind), *name));
        }
        assert_eq!(EventType::from_name("organization.created"), None);
    }
}
