//! Customers: the rules hold after any random sequence of changes, and each rule by itself.

use proptest::prelude::*;
use tenantry_core::customer::{
    self, CreateFacts, Created, Customer, CustomerChange, CustomerError, CustomerKind, CustomerViolation,
    NewCustomer, NewOwner, UpdateFacts,
};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::MemberRole;
use tenantry_core::values::{
    Address, AddressInput, EmailAddress, ExternalId, Locale, Metadata, PersonName, TaxId,
};
use tenantry_core::{Patch, Timestamp};
use uuid::Uuid;

fn pick<T: std::str::FromStr + std::fmt::Debug>(texts: &'static [&'static str]) -> impl Strategy<Value = T>
where
    T::Err: std::fmt::Debug,
{
    prop::sample::select(texts).prop_map(|text| text.parse().unwrap())
}

fn email() -> impl Strategy<Value = EmailAddress> {
    pick(&["ann@example.com", "Ann@example.com", "bob@example.com"])
}

fn name() -> impl Strategy<Value = PersonName> {
    pick(&["Ann", "Bob"])
}

fn external_id() -> impl Strategy<Value = ExternalId> {
    pick(&["e1", "E1", "e2"])
}

fn locale() -> impl Strategy<Value = Locale> {
    pick(&["en", "fr-FR"])
}

fn address_in(country: &str) -> Address {
    Address::parse(AddressInput { country, ..AddressInput::default() }).unwrap()
}

fn address() -> impl Strategy<Value = Address> {
    prop::sample::select(vec!["FR", "DE", "AQ"]).prop_map(address_in)
}

/// Tax ids that are valid in France, in Germany and nowhere, and a blank one.
fn typed_tax_id() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["FR61954506077", "fr 61 954 506 077", "DE136695976", "nonsense", "  "])
        .prop_map(str::to_owned)
}

fn metadata() -> impl Strategy<Value = Metadata> {
    prop::sample::select(vec!["{}", r#"{"a":1}"#, r#"{"a":"1","b":true}"#])
        .prop_map(|json| serde_json::from_str(json).unwrap())
}

fn kind() -> impl Strategy<Value = CustomerKind> {
    prop::sample::select(vec![CustomerKind::Individual, CustomerKind::Team])
}

fn patch<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Patch<T>> {
    prop_oneof![3 => Just(Patch::Absent), 1 => Just(Patch::Null), 3 => value.prop_map(Patch::Value)]
}

fn change() -> impl Strategy<Value = CustomerChange> {
    (
        patch(email()),
        patch(name()),
        patch(address()),
        patch(typed_tax_id()),
        patch(locale()),
        prop::option::of(metadata()),
        patch(external_id()),
        patch(kind()),
        patch(name()),
    )
        .prop_map(
            |(email, name, billing_address, tax_id, locale, metadata, external_id, kind, billing_name)| {
                CustomerChange {
                    email,
                    name,
                    billing_name,
                    billing_address,
                    tax_id,
                    locale,
                    metadata,
                    external_id,
                    kind,
                }
            },
        )
}

fn new_owner() -> impl Strategy<Value = NewOwner> {
    (email(), prop::option::of(name()), prop::option::of(external_id()))
        .prop_map(|(email, name, external_id)| NewOwner { email, name, external_id })
}

fn new_customer() -> impl Strategy<Value = NewCustomer> {
    (
        kind(),
        prop::option::weighted(0.8, email()),
        prop::option::of(name()),
        prop::option::of(external_id()),
        metadata(),
        prop::option::of(address()),
        prop::option::weighted(0.3, prop::sample::select(vec!["FR61954506077", "DE136695976", "nonsense"])),
        prop::option::of(locale()),
        prop::option::of(new_owner()),
    )
        .prop_map(
            |(kind, email, name, external_id, metadata, billing_address, tax_id, locale, owner)| {
                let tax_id = tax_id.map(str::to_owned);
                NewCustomer {
                    kind,
                    email,
                    name,
                    external_id,
                    metadata,
                    billing_address,
                    tax_id,
                    locale,
                    // Only a team can name its owner: no dialect has such a field for an individual.
                    owner: owner.filter(|_| kind == CustomerKind::Team),
                }
            },
        )
}

const CREATED_AT: Timestamp = Timestamp::from_micros(1);

fn create(new: NewCustomer, email_taken: bool, external_id_taken: bool) -> Result<Created, CustomerError> {
    let organization = OrganizationId::new(Uuid::from_u128(1));
    let facts = CreateFacts { organization, email_taken, external_id_taken };
    let (id, owner) = (CustomerId::new(Uuid::from_u128(2)), MemberId::new(Uuid::from_u128(3)));
    customer::create(facts, new, id, owner, CREATED_AT)
}

fn update(before: &Customer, change: CustomerChange, micros: i64) -> Result<Customer, CustomerError> {
    let facts = UpdateFacts { customer: before.clone(), email_taken: false, external_id_taken: false };
    customer::update(facts, change, Timestamp::from_micros(micros))
}

fn plain(kind: CustomerKind) -> NewCustomer {
    NewCustomer::new(kind, "ann@example.com".parse().unwrap())
}

/// A valid customer of any shape.
fn customer() -> impl Strategy<Value = Customer> {
    (new_customer(), any::<bool>()).prop_filter_map("an invalid customer", |(new, email_verified)| {
        let Created { mut customer, .. } = create(new, false, false).ok()?;
        customer.email_verified = email_verified && customer.email.is_some();
        Some(customer)
    })
}

/// The expected violations other than those of the tax id, computed independently of the code under test.
fn expected_violations(
    before: &Customer,
    change: &CustomerChange,
    email_taken: bool,
    external_id_taken: bool,
) -> Vec<CustomerViolation> {
    let mut expected = Vec::new();
    let key = before.email.as_ref().map(EmailAddress::key);
    if let Patch::Value(email) = &change.email
        && key != Some(email.key())
        && email_taken
    {
        expected.push(CustomerViolation::EmailTaken(email.clone()));
    }
    if change.billing_address == Patch::Null && before.billing_address.is_some() {
        expected.push(CustomerViolation::BillingAddressRequired);
    }
    if change.external_id != Patch::Absent {
        let wanted = change.external_id.clone().value();
        match (&before.external_id, wanted) {
            (Some(fixed), wanted) if wanted.as_ref() != Some(fixed) => {
                expected.push(CustomerViolation::ExternalIdImmutable(wanted));
            }
            (None, Some(wanted)) if external_id_taken => {
                expected.push(CustomerViolation::ExternalIdTaken(wanted));
            }
            _ => {}
        }
    }
    if before.kind == CustomerKind::Team {
        match change.kind {
            Patch::Null => expected.push(CustomerViolation::TeamCannotBecomeIndividual(None)),
            Patch::Value(CustomerKind::Individual) => {
                expected.push(CustomerViolation::TeamCannotBecomeIndividual(Some(CustomerKind::Individual)));
            }
            Patch::Absent | Patch::Value(CustomerKind::Team) => {}
        }
    }
    expected
}

fn check(customer: &Customer) -> Result<(), TestCaseError> {
    if let Some(tax_id) = &customer.tax_id {
        let country = customer.billing_address.as_ref().map(Address::country);
        prop_assert!(country.is_some(), "a tax id without a country");
        prop_assert_eq!(&TaxId::parse(tax_id.value(), country.unwrap()).unwrap(), tax_id);
    }
    prop_assert!(customer.contact().is_some(), "a customer without a contact address");
    prop_assert!(
        customer.email.is_none() || customer.owner_email.is_none(),
        "owner_email is set beside email"
    );
    Ok(())
}

fn check_step(before: &Customer, after: &Customer, now: Timestamp) -> Result<(), TestCaseError> {
    check(after)?;
    prop_assert!(before.external_id.is_none() || after.external_id == before.external_id);
    prop_assert!(before.kind == CustomerKind::Individual || after.kind == CustomerKind::Team);
    prop_assert!(before.billing_address.is_none() || after.billing_address.is_some());
    prop_assert!(before.email.is_none() || after.email.is_some());
    let same_email = before.email == after.email;
    prop_assert_eq!(after.email_verified, before.email_verified && same_email);
    let fixed =
        |customer: &Customer| (customer.id, customer.organization, customer.created_at, customer.deleted_at);
    prop_assert_eq!(fixed(after), fixed(before));
    let untouched = Customer { modified_at: before.modified_at, ..after.clone() } == *before;
    let expected = if untouched { before.modified_at } else { Some(now) };
    prop_assert_eq!(after.modified_at, expected, "modified_at changes with a change and only then");
    Ok(())
}

proptest! {
    #[test]
    fn the_rules_hold_after_any_sequence_of_changes(
        customer in customer(),
        changes in prop::collection::vec((change(), any::<bool>(), any::<bool>()), 1..12),
    ) {
        check(&customer)?;
        let mut customer = customer;
        for (step, (change, email_taken, external_id_taken)) in (2..).zip(changes) {
            let now = Timestamp::from_micros(step);
            let facts = UpdateFacts { customer: customer.clone(), email_taken, external_id_taken };
            let expected = expected_violations(&customer, &change, email_taken, external_id_taken);
            match customer::update(facts, change, now) {
                Ok(after) => {
                    prop_assert_eq!(expected, []);
                    check_step(&customer, &after, now)?;
                    customer = after;
                }
                Err(CustomerError::Invalid(found)) if expected.is_empty() => {
                    prop_assert_eq!(found.len(), 1);
                    let about_tax = matches!(
                        found[0],
                        CustomerViolation::TaxIdInvalid(_) | CustomerViolation::TaxIdNeedsCountry
                    );
                    prop_assert!(about_tax, "{:?}", found);
                }
                Err(error) => prop_assert_eq!(error, CustomerError::Invalid(expected)),
            }
        }
    }

    #[test]
    fn an_absent_field_keeps_its_value_and_a_value_replaces_it(customer in customer(), change in change()) {
        if let Ok(after) = update(&customer, change.clone(), 2) {
            match change.name {
                Patch::Absent => prop_assert_eq!(&after.name, &customer.name),
                Patch::Null => prop_assert_eq!(&after.name, &None),
                Patch::Value(name) => prop_assert_eq!(&after.name, &Some(name)),
            }
            match change.locale {
                Patch::Absent => prop_assert_eq!(&after.locale, &customer.locale),
                Patch::Null => prop_assert_eq!(&after.locale, &None),
                Patch::Value(locale) => prop_assert_eq!(&after.locale, &Some(locale)),
            }
            match change.billing_address {
                Patch::Absent | Patch::Null => {
                    prop_assert_eq!(&after.billing_address, &customer.billing_address);
                }
                Patch::Value(address) => prop_assert_eq!(&after.billing_address, &Some(address)),
            }
            prop_assert_eq!(after.metadata, change.metadata.unwrap_or(customer.metadata));
            match change.email {
                Patch::Absent | Patch::Null => prop_assert_eq!(&after.email, &customer.email),
                Patch::Value(email) => {
                    prop_assert_eq!(after.email.as_ref().map(EmailAddress::key), Some(email.key()));
                }
            }
            match change.tax_id {
                Patch::Null => prop_assert_eq!(&after.tax_id, &None),
                Patch::Value(typed) if typed.trim().is_empty() => prop_assert_eq!(&after.tax_id, &None),
                Patch::Value(_) => prop_assert!(after.tax_id.is_some()),
                Patch::Absent => {
                    let value = |tax_id: &Option<TaxId>| tax_id.as_ref().map(|id| id.value().to_owned());
                    prop_assert_eq!(value(&after.tax_id), value(&customer.tax_id));
                }
            }
        }
    }

    #[test]
    fn repeating_a_change_changes_nothing(customer in customer(), change in change()) {
        if let Ok(once) = update(&customer, change.clone(), 2) {
            prop_assert_eq!(update(&once, change, 3), Ok(once));
        }
    }

    #[test]
    fn an_empty_change_changes_nothing(customer in customer()) {
        prop_assert_eq!(update(&customer, CustomerChange::default(), 2), Ok(customer));
    }

    #[test]
    fn a_new_customer_has_an_owner(
        new in new_customer(), email_taken: bool, external_id_taken: bool,
    ) {
        let outcome = create(new.clone(), email_taken, external_id_taken);
        let mut taken = Vec::new();
        taken.extend(new.email.clone().filter(|_| email_taken).map(CustomerViolation::EmailTaken));
        taken.extend(
            new.external_id.clone().filter(|_| external_id_taken).map(CustomerViolation::ExternalIdTaken),
        );
        if !taken.is_empty() {
            prop_assert_eq!(outcome, Err(CustomerError::Invalid(taken)));
            return Ok(());
        }
        let Ok(Created { customer, owner }) = outcome else {
            let nobody = new.email.is_none() && new.owner.is_none();
            let number_is_wrong = new.tax_id.is_some();
            prop_assert!(nobody || number_is_wrong);
            return Ok(());
        };
        check(&customer)?;
        prop_assert_eq!(owner.role, MemberRole::Owner);
        prop_assert_eq!((owner.customer_id, owner.organization), (customer.id, customer.organization));
        prop_assert_eq!((owner.created_at, customer.created_at), (CREATED_AT, CREATED_AT));
        prop_assert_eq!((owner.modified_at, customer.modified_at), (None, None));
        let named = new.owner.as_ref();
        prop_assert_eq!(Some(&owner.email), named.map(|owner| &owner.email).or(new.email.as_ref()));
        prop_assert_eq!(&owner.name, &named.and_then(|owner| owner.name.clone()).or(new.name));
        let external_id = named.and_then(|owner| owner.external_id.clone()).or(new.external_id);
        prop_assert_eq!(&owner.external_id, &external_id);
        prop_assert!(!customer.email_verified);
        prop_assert_eq!(&customer.owner_email, &Some(owner.email).filter(|_| customer.email.is_none()));
    }

    #[test]
    fn the_owner_of_an_individual_gets_the_customers_new_address(customer in customer(), change in change()) {
        let organization = customer.organization;
        let id = MemberId::new(Uuid::from_u128(3));
        let email: EmailAddress = "owner@example.com".parse().unwrap();
        let owner = tenantry_core::member::owner_of_new_customer(&customer, id, email, None, None);
        if let Ok(after) = update(&customer, change, 2) {
            let moved = after.email != customer.email;
            let followed = customer::owner_with_customer_email(&customer, &after, &owner);
            prop_assert_eq!(followed.is_some(), moved && customer.kind == CustomerKind::Individual);
            if let Some(followed) = followed {
                prop_assert_eq!(Some(&followed.email), after.email.as_ref());
                prop_assert_eq!(followed.modified_at, after.modified_at);
                prop_assert_eq!((followed.id, followed.role), (owner.id, MemberRole::Owner));
                prop_assert_eq!(followed.organization, organization);
            }
        }
    }
}

#[test]
fn a_customer_without_an_address_for_its_owner_is_refused() {
    for kind in [CustomerKind::Individual, CustomerKind::Team] {
        let refused = create(NewCustomer { email: None, ..plain(kind) }, true, true);
        assert_eq!(refused, Err(CustomerError::Invalid(vec![CustomerViolation::OwnerNeedsEmail])));
    }
}

#[test]
fn all_violations_are_reported_at_once() {
    let mut new = plain(CustomerKind::Team);
    new.external_id = Some("e1".parse().unwrap());
    new.billing_address = Some(address_in("FR"));
    let before = create(new, false, false).unwrap().customer;
    let email: EmailAddress = "bob@example.com".parse().unwrap();
    let change = CustomerChange {
        email: Patch::Value(email.clone()),
        billing_address: Patch::Null,
        external_id: Patch::Null,
        kind: Patch::Value(CustomerKind::Individual),
        tax_id: Patch::Value("nonsense".to_owned()),
        ..CustomerChange::default()
    };
    let facts = UpdateFacts { customer: before, email_taken: true, external_id_taken: true };
    let expected = vec![
        CustomerViolation::EmailTaken(email),
        CustomerViolation::BillingAddressRequired,
        CustomerViolation::ExternalIdImmutable(None),
        CustomerViolation::TeamCannotBecomeIndividual(Some(CustomerKind::Individual)),
    ];
    assert_eq!(customer::update(facts, change, CREATED_AT), Err(CustomerError::Invalid(expected)));
}

#[test]
fn a_tax_id_must_be_valid_in_the_country_of_the_address() {
    let typed = |number: &str| CustomerChange {
        tax_id: Patch::Value(number.to_owned()),
        ..CustomerChange::default()
    };
    let moved = |country: &str| CustomerChange {
        billing_address: Patch::Value(address_in(country)),
        ..CustomerChange::default()
    };
    let refused = |violation| Err(CustomerError::Invalid(vec![violation]));
    let nowhere = create(plain(CustomerKind::Individual), false, false).unwrap().customer;
    assert_eq!(update(&nowhere, typed("FR61954506077"), 2), refused(CustomerViolation::TaxIdNeedsCountry));
    let in_france = update(&nowhere, moved("FR"), 2).unwrap();
    let wrong = CustomerViolation::TaxIdInvalid("DE136695976".to_owned());
    assert_eq!(update(&in_france, typed("DE136695976"), 3), refused(wrong));
    let known = update(&in_france, typed("fr 61 954 506 077"), 3).unwrap();
    assert_eq!(known.tax_id.as_ref().unwrap().value(), "FR61954506077");
    // A new country alone makes the tax id invalid. A new country with its tax id is valid.
    let stale = CustomerViolation::TaxIdInvalid("FR61954506077".to_owned());
    assert_eq!(update(&known, moved("DE"), 4), refused(stale));
    let both = CustomerChange { tax_id: Patch::Value("DE136695976".to_owned()), ..moved("DE") };
    assert_eq!(update(&known, both, 4).unwrap().tax_id.unwrap().value(), "DE136695976");
    let without = CustomerChange { tax_id: Patch::Null, ..moved("DE") };
    assert_eq!(update(&known, without, 4).unwrap().tax_id, None);
}

#[test]
fn another_spelling_of_the_email_address_changes_nothing() {
    let before = Customer {
        email_verified: true,
        ..create(plain(CustomerKind::Individual), false, false).unwrap().customer
    };
    let change = |email: &str| CustomerChange {
        email: Patch::Value(email.parse().unwrap()),
        ..CustomerChange::default()
    };
    assert_eq!(update(&before, change("ANN@example.com"), 2), Ok(before.clone()));
    let moved = update(&before, change("bob@example.com"), 2).unwrap();
    assert!(!moved.email_verified);
}

#[test]
fn a_teams_own_address_precedes_its_owners() {
    let email = "owner@example.com".parse().unwrap();
    let owner = Some(NewOwner { email, name: None, external_id: None });
    let before = create(NewCustomer { email: None, owner, ..plain(CustomerKind::Team) }, false, false)
        .unwrap()
        .customer;
    assert_eq!(before.contact().unwrap().as_str(), "owner@example.com");
    let change = CustomerChange {
        email: Patch::Value("team@example.com".parse().unwrap()),
        ..CustomerChange::default()
    };
    let after = update(&before, change, 2).unwrap();
    assert_eq!(after.contact().unwrap().as_str(), "team@example.com");
    assert_eq!(after.owner_email, None);
}
