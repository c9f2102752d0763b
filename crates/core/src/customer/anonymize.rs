//! Anonymization of a customer and its members: personal data is replaced by random text.
//!
//! The replacement is random, so the person cannot be identified from it. The external id and the tax id stay,
//! because the organization needs them for its books.

use super::Customer;
use crate::ExecutionContext;
use crate::member::Member;
use crate::values::{EmailAddress, PersonName};

/// Domain of the replacement addresses, with its `@`.
const DOMAIN: &str = "@anonymized.invalid";

/// The random name and address that replace those of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousIdentity {
    email: EmailAddress,
    name: Option<PersonName>,
}

impl AnonymousIdentity {
    /// A new random identity. Mail cannot reach its address: the top-level domain `invalid` never exists (RFC 2606).
    pub fn generate(context: &mut ExecutionContext) -> Self {
        let text = context.random_hex();
        let address = format!("{text}{DOMAIN}");
        Self {
            email: EmailAddress::from_stored(address.clone(), address),
            name: PersonName::parse(&text).ok().flatten(),
        }
    }

    /// Whether an address has the form of a replacement address.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        text.strip_suffix(DOMAIN).is_some_and(Self::is_name)
    }

    /// Whether a name has the form of a replacement name: 64 hexadecimal digits.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The replacement address.
    #[must_use]
    pub const fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// The replacement name.
    #[must_use]
    pub const fn name(&self) -> Option<&PersonName> {
        self.name.as_ref()
    }
}

/// The customer without personal data. With a tax id its name stays, because it is the name of a company.
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

/// The member of an anonymized customer, without personal data.
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
        fn no_personal_data_is_left(name in "Secret [a-z]{1,12}", taxed: bool, seed: [u8; 32]) {
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
