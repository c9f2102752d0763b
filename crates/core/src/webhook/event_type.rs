//! The types of webhook events that an endpoint can subscribe to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! event_types {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// The type of an event. An endpoint can subscribe to events of objects that Tenantry does not have, such as
        /// orders; they never occur (docs/contracts/polar/webhooks.md, 9.2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $(#[doc = concat!("`", $name, "`.")] $variant),+
        }

        impl EventType {
            /// Every type, in the order in which the contract lists them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The names of all types, in the same order.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The type's name on the wire and in storage.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
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
}

impl EventType {
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
        assert_eq!(EventType::ALL.len(), 41);
        for (kind, name) in EventType::ALL.iter().zip(EventType::NAMES) {
            assert_eq!((EventType::from_name(name), kind.as_str()), (Some(*kind), *name));
        }
        assert_eq!(EventType::from_name("organization.created"), None);
    }
}
