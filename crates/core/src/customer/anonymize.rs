//! Forgetting who a customer was: what names a person is replaced by random text, from which nobody can
//! guess back. The organization's own id for the customer and the tax number stay, for its books.

use super::Customer;
use crate::ExecutionContext;
use crate::member::Member;
use crate::values::{EmailAddress, PersonName};

/// What each of these addresses ends with.
const DOMAIN: &str = "@anonymized.invalid";

/// What stands in the place of a name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousIdentity {
    email: EmailAddress,
    name: Option<PersonName>,
}

impl AnonymousIdentity {
    /// A new one, which belongs to nobody: no mail reaches a domain under `invalid` (RFC 2606).
    pub fn generate(context: &mut ExecutionContext) -> Self {
        let text = context.random_hex();
        let address = format!("{text}{DOMAIN}");
        Self {
            email: EmailAddress::from_stored(address.clone(), address),
            name: PersonName::parse(&text).ok().flatten(),
        }
    }

    /// Whether an address is one of these.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        text.strip_suffix(DOMAIN).is_some_and(Self::is_name)
    }

    /// Whether a name is one of these.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The address.
    #[must_use]
    pub const fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> Option<&PersonName> {
        self.name.as_ref()
    }
}

/// A customer that no longer says who it was. The name of one with a tax number is a company's and stays.
#[must_use]
pub fn anonymize_customer(customer: &Customer, identity: &AnonymousIdentity) -> Customer {
    let name = if customer.tax_id.is_some() {
        customer.name.clone()
    } else {
        customer.name.as_ref().and(identity.name.clone())
    };
    Customer {
        email: customer.email.as_ref().map(|_| identity.email.clone()),
        email_verified: false,
        name,
        billing_name: customer.billing_name.as_ref().and(identity.name.clone()),
        billing_address: None,
        owner_email: None,
        ..customer.clone()
    }
}

/// A member of such a customer.
#[must_use]
pub fn anonymize_member(member: &Member, identity: &AnonymousIdentity) -> Member {
    Member {
        email: identity.email.clone(),
        name: member.name.as_ref().and(identity.name.clone()),
        ..member.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;
    use crate::customer::{CreateFacts, CustomerKind, NewCustomer, create};
    use crate::ids::{CustomerId, MemberId, OrganizationId};
    use crate::values::{Address, AddressInput, ExternalId, Metadata};

    fn customer(name: &str, with_tax_id: bool, context: &mut ExecutionContext) -> (Customer, Member) {
        let address = Address::parse(AddressInput {
            line1: Some("1 Rue de Secret"),
            line2: None,
            postal_code: None,
            city: None,
            state: None,
            country: "FR",
        });
        let new = NewCustomer {
            kind: CustomerKind::Individual,
            email: Some("secret.person@example.com".parse().unwrap()),
            name: PersonName::parse(name).unwrap(),
            external_id: ExternalId::parse("keep-me").unwrap(),
            metadata: Metadata::default(),
            billing_address: Some(address.unwrap()),
            tax_id: with_tax_id.then(|| "FR61954506077".to_owned()),
            locale: None,
            owner: None,
        };
        let facts = CreateFacts {
            organization: OrganizationId::new(context.uuid()),
            email_taken: false,
            external_id_taken: false,
        };
        let (id, owner) = (CustomerId::new(context.uuid()), MemberId::new(context.uuid()));
        let made = create(facts, new, id, owner, context.now()).unwrap();
        let billing_name = PersonName::parse("Billing Secret").unwrap();
        (Customer { billing_name, ..made.customer }, made.owner)
    }

    proptest! {
        #[test]
        fn nothing_of_the_person_is_left(name in "Secret [a-z]{1,12}", taxed: bool, seed: [u8; 32]) {
            let mut context = ExecutionContext::new(Timestamp::from_micros(1), seed);
            let (before, owner) = customer(&name, taxed, &mut context);
            let identity = AnonymousIdentity::generate(&mut context);
            let after = anonymize_customer(&before, &identity);
            let member = anonymize_member(&owner, &identity);
            prop_assert!(AnonymousIdentity::is_address(member.email.as_str()));
            prop_assert!(!AnonymousIdentity::is_address("secret.person@example.com") && !AnonymousIdentity::is_name(&name));
            let text = format!("{after:?}{member:?}").to_lowercase();
            prop_assert!(!text.contains("secret.person") && !text.contains("rue de") && !text.contains("billing secret"));
            prop_assert_eq!(after.name == before.name, taxed);
            prop_assert_eq!((&after.external_id, &after.tax_id, after.id), (&before.external_id, &before.tax_id, before.id));
            prop_assert_eq!((member.id, member.external_id, member.role), (owner.id, owner.external_id, owner.role));
            prop_assert!(!after.email_verified && after.billing_address.is_none());
            let email = after.email.unwrap();
            prop_assert_eq!(EmailAddress::parse(email.as_str()).map(|email| email.key().to_owned()), Ok(email.key().to_owned()));
        }
    }
}
